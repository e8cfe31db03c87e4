// What the instrumented side (simt.h, compiled with a kernel) and the runtime (runtime.cc, never
// instrumented) share. Host build only; kernels include simt.h instead.
//
// Everything here is hidden: each shared library that links runtime.cc has a runtime of its own,
// and no two of them ever meet through a symbol.

#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>

#include "harness/case/enums.h"
#include "harness/simt/types.h"

#if defined(__clang__)
// Keeps the optimiser from making a collective depend on more control flow than it did.
#define PADPROOF_SIMT_CONVERGENT __attribute__((convergent))
#else
#define PADPROOF_SIMT_CONVERGENT
#endif

// After a switch between fibers every return on the way back to the kernel is mispredicted, so the
// chain kernel -> switch is inlined down to one call.
#define PADPROOF_SIMT_INLINE __attribute__((always_inline)) inline

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

/// How launches of this OS thread run, from the next launch on.
struct Options {
  Order order = Order::forward;  // of threads between two collectives, and of blocks
  uint32_t seed = 0;             // of all that the schedule draws
  uint32_t preempt_every = 0;    // N: also at a memory access, one in N; needs SIMT_RACE
  unsigned char fill = 0xFF;     // each byte of fresh memory: NaN in every dtype
  bool exited_threads_may_miss_barriers = false;  // else that is reported as divergence
  bool race_aborts = true;                        // else a race is reported and the launch goes on
};
Options& CurrentOptions();

/// What launches of this runtime did so far.
struct Statistics {
  uint64_t blocks = 0;
  uint64_t switches = 0;
  uint64_t barriers = 0;
  uint64_t warp_operations = 0;
};
Statistics& CurrentStatistics();

/// A collective is known by its position in the source, never by a return address: optimisers
/// duplicate calls. std::source_location is one pointer, and g++ knows the column through it too.
using Site = std::source_location;

inline constexpr unsigned kMaxThreads = 1024;
inline constexpr unsigned kLanes = 32;
inline constexpr unsigned kMaxWarps = kMaxThreads / kLanes;

/// One thread of the running block: what a switch and a warp operation touch, in one cache line.
struct alignas(64) Lane {
  uint64_t in[2];         // what it publishes; two, since it may come to the next operation early
  uint64_t out;           // what an operation of some lanes hands to it
  Site where;             // the collective it waits at, or was last at
  uint32_t mask;          // of the warp operation it waits at
  uint32_t source;        // lane whose `in` a shuffle hands to this one
  uint32_t thread;        // linear in the block
  uint32_t must_resolve;  // members of the operation that this one is woken to resolve
  uint3 thread_idx;
};

struct Warp {
  uint32_t live = 0;          // lanes that have not left the kernel
  uint32_t in_operation = 0;  // lanes that wait at a warp operation, or resolve one
  uint32_t at_barrier = 0;
  uint32_t converging = 0;  // lanes that wait for others to come to the same __activemask
  uint32_t first_mask = 0;  // of the first lane that came to the pending operations
  Site first_site{};
  bool mixed = false;         // those who came later differ from it: look at each
  uint32_t slot = 0;          // of Lane::in, for the next operation of all lanes
  uint32_t full_members = 0;  // of the last operation of all lanes
};

extern Lane lanes[kMaxThreads];
extern Warp warps[kMaxWarps];

/// The running CUDA thread; `lane` is rewritten by the runtime at every switch.
struct Current {
  Lane* lane = nullptr;  // null outside kernels
  uint64_t poison = 0;   // Options::fill in every byte
  uint64_t block_epoch = 0;
  void* dynamic_shared = nullptr;  // null if the launch asked for no bytes
  unsigned repeats = 0;            // atomics and fences of the running thread in this turn
  uint3 block_idx{};
  dim3 block_dim;
  dim3 grid_dim;
};
extern Current current;

PADPROOF_SIMT_INLINE unsigned LaneIndex() { return current.lane->thread % kLanes; }
PADPROOF_SIMT_INLINE Warp& CurrentWarp() { return warps[current.lane->thread / kLanes]; }

/// One SIMT_SHARED declaration; its memory lasts from first use to the end of the block.
struct SharedArray {
  const char* name;
  size_t bytes;
  size_t alignment;
  Site where;
  uint64_t block_epoch = 0;  // the block that `data` belongs to
  void* data = nullptr;
};

struct LaunchRequest {
  void (*run_thread)(void* closure);
  void* closure;
  const void* kernel;
  dim3 grid;
  dim3 block;
  size_t dynamic_bytes;
  bool instrumented_by_asan;
  bool instrumented_by_msan;
};

cudaError_t Launch(const LaunchRequest& request);
cudaError_t SetDynamicSharedLimit(const void* kernel, size_t bytes);
size_t DynamicSharedLimit(const void* kernel);  // in bytes

/// Waits for the block; returns how many of its threads came with `predicate` 1.
PADPROOF_SIMT_CONVERGENT unsigned ArriveAtBarrier(unsigned predicate, Site where);

/// Waits for the lanes of `mask`. One of them gets the members back (never 0), moves the data and
/// calls ReleaseWarp; the others get 0 when that is done. Data moves in instrumented code only.
PADPROOF_SIMT_CONVERGENT uint32_t ArriveAtWarpOperation(uint32_t mask, Site where);
/// `orders_memory`: what a member wrote before is visible to the members after.
PADPROOF_SIMT_CONVERGENT void ReleaseWarp(uint32_t members, bool orders_memory);

/// Lanes of the warp that are here together: waits until the others are here, elsewhere or gone.
PADPROOF_SIMT_CONVERGENT uint32_t ArriveAtActiveMask(Site where);

void* AllocateShared(SharedArray& array);

/// Prints who runs and who waits where to stderr, and aborts.
[[noreturn]] void ReportAndAbort(const char* what, Site where);

/// A thread that makes so many atomics and fences in one turn may be waiting for another thread.
constexpr unsigned kRepeatsATurn = 1024;
/// Lets every other thread that can run have a turn. Reports when the block only ever does this.
void Yield(Site where);

}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
