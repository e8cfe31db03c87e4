// Between the runtime (runtime.cc), the race checker (race_hooks.cc) and atomics.h. Builds with
// SIMT_RACE compile kernels with -fsanitize=thread and answer its calls in race_hooks.cc, in place
// of ThreadSanitizer; those with SIMT_TSAN link ThreadSanitizer, and tsan_hooks.cc tells it the
// same events; elsewhere nobody listens, and every event is an empty function.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/simt/runtime.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

struct MemoryRange {
  uintptr_t begin;
  size_t bytes;
};
/// What raw __shared__ arrays of this module lie in.
const std::vector<MemoryRange>& RawShared();

namespace race {

// ---- what the runtime knows ---------------------------------------------------------------------

/// May switch to another thread, and returns when the calling one goes on.
void MaybePreempt();
/// "shared array 'tile', byte 132", "memory of cudaMalloc at kernel.cu:12, byte 8", or "" if the
/// runtime does not know the address.
std::string NameOfAddress(const void* address);
/// "  in block (1,0,0) of grid (2,1,1), thread (5,0,0) of block (64,1,1), schedule ...\n"
std::string TextOfRunning();
/// Options::race_aborts
bool RacesAbort();

// ---- events, told by the runtime ----------------------------------------------------------------

#if defined(SIMT_RACE) || defined(SIMT_TSAN)

void BeginLaunch(unsigned threads);
void BeginBlock(uint32_t linear_block);
void LeaveBlock();
/// When the block's last thread arrived and before any goes on.
void Barrier();
/// When the last of `members` arrived and before any goes on. `orders_memory`: __syncwarp and
/// cooperative tile.sync(); not shuffles, votes, match, reduce.
void WarpOperation(unsigned warp, uint32_t members, bool orders_memory);
/// Shared memory that the running block has afresh, of any kind but raw __shared__ arrays.
void Forget(const void* address, size_t bytes);

#endif

#if defined(SIMT_RACE)

/// Who runs on this OS thread. The runtime writes it at each switch.
struct Running {
  bool inside = false;     // a CUDA thread runs, and its accesses count
  bool in_atomic = false;  // the plain accesses that do an atomic follow
  bool preempts = false;   // MaybePreempt wants to be asked before each access
  unsigned thread = 0;     // linear in its block
  uintptr_t stack_low = 0;
  uintptr_t stack_bytes = 0;
};
#define PADPROOF_SIMT_TLS __attribute__((tls_model("initial-exec")))
extern constinit thread_local Running running PADPROOF_SIMT_TLS;

PADPROOF_SIMT_INLINE void SwitchTo(unsigned thread, const void* stack, size_t stack_bytes) {
  running.thread = thread;
  running.stack_low = reinterpret_cast<uintptr_t>(stack);
  running.stack_bytes = stack_bytes;
}
inline void EnterBlock(bool preempts) {
  running.preempts = preempts;
  running.inside = true;
}
inline void BeforeFresh() {}

/// Races found by this runtime so far, more than one a pair of source lines.
uint64_t Races();
/// Accesses that were not checked, because memory for the checker is bounded.
uint64_t UnwatchedAccesses();

#elif defined(SIMT_TSAN)

void SwitchTo(unsigned thread, const void* stack, size_t stack_bytes);
inline void EnterBlock(bool) {}
/// The runtime is about to make shared memory, and to fill it on the running thread's behalf.
void BeforeFresh();

#else

inline void BeginLaunch(unsigned) {}
inline void BeginBlock(uint32_t) {}
inline void SwitchTo(unsigned, const void*, size_t) {}
inline void EnterBlock(bool) {}
inline void LeaveBlock() {}
inline void Barrier() {}
inline void WarpOperation(unsigned, uint32_t, bool) {}
inline void BeforeFresh() {}
inline void Forget(const void*, size_t) {}

#endif

}  // namespace race

// ---- events, told by atomics.h for the running thread -------------------------------------------

#if defined(SIMT_RACE) || defined(SIMT_TSAN)
/// Around the plain accesses that do an atomic, which are not checked themselves. The position that
/// is reported is the caller's.
void EnterAtomic(const void* address, size_t bytes, bool device);
void LeaveAtomic(const void* address, size_t bytes);
/// __threadfence and __threadfence_system: seen by the whole device; __threadfence_block: by the
/// block.
void Fence(bool device);
#endif

}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
