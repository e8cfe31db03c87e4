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
  uint32_t seed = 0;             // of Order::random
  unsigned char fill = 0xFF;     // each byte of fresh shared memory: NaN in every dtype
  bool exited_threads_may_miss_barriers = false;  // else that is reported as divergence
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

/// What one thread publishes to and receives from a warp operation.
struct Lane {
  uint64_t in;
  uint64_t out;
  uint32_t source;  // lane whose `in` a shuffle hands to this one
};

/// The running CUDA thread; rewritten by the runtime at every switch.
struct Current {
  uint3 thread_idx{};
  uint3 block_idx{};
  dim3 block_dim;
  dim3 grid_dim;
  uint32_t lane_index = 0;
  Lane* lane = nullptr;  // its own
  Lane* warp = nullptr;  // lane 0 of its warp
  uint64_t poison = 0;   // Options::fill in every byte
  uint64_t block_epoch = 0;
  void* dynamic_shared = nullptr;  // null if the launch asked for no bytes
};
extern Current current;

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
};

cudaError_t Launch(const LaunchRequest& request);
cudaError_t SetDynamicSharedLimit(const void* kernel, size_t bytes);

/// Waits for the block; returns how many of its threads came with `predicate` 1.
PADPROOF_SIMT_CONVERGENT unsigned ArriveAtBarrier(unsigned predicate, Site where);

/// Waits for the lanes of `mask`. One of them gets the members back (never 0), moves the data and
/// calls ReleaseWarp; the others get 0 when that is done. Data moves in instrumented code only.
PADPROOF_SIMT_CONVERGENT uint32_t ArriveAtWarpOperation(uint32_t mask, Site where);
PADPROOF_SIMT_CONVERGENT void ReleaseWarp(uint32_t members);

void* AllocateShared(SharedArray& array);

/// Prints who runs and who waits where to stderr, and aborts.
[[noreturn]] void ReportAndAbort(const char* what, Site where);

}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
