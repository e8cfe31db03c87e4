// Asynchronous copies to shared memory: __pipeline_memcpy_async, __pipeline_commit and
// __pipeline_wait_prior. Under nvcc this is the toolkit's cuda_pipeline_primitives.h. Kernels
// include this next to simt.h.
//
// A copy may land at any time between its issue and the wait that waits for it, and reads its
// source only then. The host build takes the latest time, and in random order any: at issue, at a
// later call of this file by the same thread, or at the wait. Until then the destination holds the
// fill pattern, poisoned for MemorySanitizer. So a kernel that waits for too little, reads the
// destination early, or overwrites source or destination too early gets wrong values.
//
// The issuing thread does the copy, as plain loads and stores, when it lands: other threads need a
// barrier after the wait to see it. A copy that nobody waits for before its thread leaves the
// kernel never lands, and nothing is reported: the shared memory keeps the fill pattern. That holds
// for copies that were never committed too, whatever is waited for.
//
// Reported with the caller's line: a size other than 4, 8 or 16 bytes, addresses not aligned to it,
// more zeros than the size.

#pragma once

#include "harness/simt/simt.h"

#if defined(__CUDACC__)

#include <cuda_pipeline_primitives.h>

#else

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "harness/base/random.h"

#if !defined(SIMT_MSAN) && defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define SIMT_MSAN 1
#endif
#endif

#if defined(SIMT_MSAN)
extern "C" void __msan_poison(const volatile void* address, size_t bytes);
#endif

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

// For bookkeeping, which is no access of a kernel's thread: the race checker, whose hooks are those
// of ThreadSanitizer, must not see it. MemorySanitizer does see all that moves values.
#if !defined(PADPROOF_SIMT_UNTRACED)
#define PADPROOF_SIMT_UNTRACED __attribute__((noinline, no_sanitize("thread")))
#endif

// ---- the copies under way, by thread ------------------------------------------------------------

struct AsyncCopy {
  void* to;
  const void* from;
  uint32_t bytes;
  uint32_t zeros;       // of them, at the end
  uint64_t group;       // commits of its thread before it
  uint32_t calls_left;  // of its thread until it lands by itself
  bool landed;
};
inline constexpr uint32_t kLandsAtWait = ~0u;

/// Those of one thread, oldest first, in a ring that grows.
struct AsyncCopies {
  uint64_t block_epoch;
  uint64_t commits;
  uint64_t issued;
  AsyncCopy* ring;
  uint32_t capacity;  // a power of two, or 0
  uint32_t first;
  uint32_t count;
  uint32_t landing_early;  // of them, those that have not landed and may before a wait

  ~AsyncCopies() { std::free(ring); }
  AsyncCopy& At(uint32_t i) { return ring[(first + i) & (capacity - 1)]; }
};
inline constinit AsyncCopies async_copies[kMaxThreads] = {};

PADPROOF_SIMT_UNTRACED inline AsyncCopies& AsyncCopiesOfThread() {
  AsyncCopies& copies = async_copies[current.lane->thread];
  if (copies.block_epoch != current.block_epoch) {
    copies.block_epoch = current.block_epoch;
    copies.commits = copies.issued = 0;
    copies.first = copies.count = copies.landing_early = 0;
  }
  return copies;
}

PADPROOF_SIMT_UNTRACED inline void GrowRing(AsyncCopies& copies) {
  const uint32_t capacity = copies.capacity == 0 ? 16 : 2 * copies.capacity;
  auto* ring = static_cast<AsyncCopy*>(std::malloc(capacity * sizeof(AsyncCopy)));
  if (ring == nullptr) std::abort();
  for (uint32_t i = 0; i < copies.count; i++) ring[i] = copies.At(i);
  std::free(copies.ring);
  copies.ring = ring;
  copies.capacity = capacity;
  copies.first = 0;
}

PADPROOF_SIMT_UNTRACED inline void PopFirst(AsyncCopies& copies) {
  copies.first = (copies.first + 1) & (copies.capacity - 1);
  copies.count--;
}

/// A quarter of all copies lands at issue, a quarter at one of the next four calls.
PADPROOF_SIMT_UNTRACED inline uint32_t DrawCallsLeft(uint64_t issued) {
  const Options& options = CurrentOptions();
  if (options.order != Order::random) return kLandsAtWait;
  const uint3& block = current.block_idx;
  const uint64_t bits =
      HashOf({options.seed, current.lane->thread, block.x, block.y, block.z, issued});
  if (bits & 1) return kLandsAtWait;
  return bits & 2 ? 0 : 1 + (bits >> 2 & 3);
}

PADPROOF_SIMT_UNTRACED inline void RememberCopy(void* to, const void* from, size_t bytes,
                                                size_t zeros) {
  AsyncCopies& copies = AsyncCopiesOfThread();
  if (copies.count == copies.capacity) GrowRing(copies);
  const uint32_t calls_left = DrawCallsLeft(copies.issued++);
  copies.landing_early += calls_left != kLandsAtWait;
  copies.At(copies.count++) = {
      to,         from, static_cast<uint32_t>(bytes), static_cast<uint32_t>(zeros), copies.commits,
      calls_left, false};
}

PADPROOF_SIMT_UNTRACED inline void CountCommit() { AsyncCopiesOfThread().commits++; }
PADPROOF_SIMT_UNTRACED inline bool HasEarly(const AsyncCopies& copies) {
  return copies.landing_early != 0;
}

/// The next copy that lands at this call by itself; false: none is left.
PADPROOF_SIMT_UNTRACED inline bool TakeEarly(AsyncCopies& copies, AsyncCopy& due) {
  for (uint32_t i = 0; i < copies.count; i++) {
    AsyncCopy& copy = copies.At(i);
    if (copy.landed || copy.calls_left != 0) continue;
    copy.landed = true;
    copies.landing_early--;
    due = copy;
    return true;
  }
  for (uint32_t i = 0; i < copies.count; i++) {
    if (copies.At(i).calls_left != kLandsAtWait) copies.At(i).calls_left--;
  }
  return false;
}

/// The next copy that has to have landed when all but the `keep` latest commits have.
PADPROOF_SIMT_UNTRACED inline bool TakeWaitedFor(AsyncCopies& copies, uint64_t keep,
                                                 AsyncCopy& due) {
  while (copies.count != 0 && copies.At(0).group + keep < copies.commits) {
    due = copies.At(0);
    PopFirst(copies);
    if (due.landed) continue;
    copies.landing_early -= due.calls_left != kLandsAtWait;
    return true;
  }
  return false;
}

// ---- moving bytes, as the issuing thread --------------------------------------------------------

// Of any type, four bytes at a time.
using CopiedWord [[gnu::may_alias]] = uint32_t;
using CopiedByte [[gnu::may_alias]] = unsigned char;

PADPROOF_SIMT_INLINE void SpoilDestination(void* to, size_t bytes) {
  for (size_t i = 0; i < bytes / 4; i++) {
    static_cast<CopiedWord*>(to)[i] = static_cast<uint32_t>(current.poison);
  }
#if defined(SIMT_MSAN)
  __msan_poison(to, bytes);
#endif
}

PADPROOF_SIMT_INLINE void Land(const AsyncCopy& copy) {
  const uint32_t read = copy.bytes - copy.zeros;
  auto* to = static_cast<CopiedByte*>(copy.to);
  const auto* from = static_cast<const CopiedByte*>(copy.from);
  uint32_t i = 0;
  for (; i + 4 <= read; i += 4) {
    *reinterpret_cast<CopiedWord*>(to + i) = *reinterpret_cast<const CopiedWord*>(from + i);
  }
  for (; i < read; i++) to[i] = from[i];
  for (; i % 4 != 0; i++) to[i] = 0;
  for (; i < copy.bytes; i += 4) *reinterpret_cast<CopiedWord*>(to + i) = 0;
}

PADPROOF_SIMT_INLINE void LandEarly() {
  AsyncCopies& copies = AsyncCopiesOfThread();
  AsyncCopy due;
  while (HasEarly(copies) && TakeEarly(copies, due)) Land(due);
}

}  // namespace host_build
}  // namespace padproof::simt

/// Copies `size` bytes (4, 8 or 16) to shared memory; the last `zfill` of them are not read but 0.
PADPROOF_SIMT_INLINE void __pipeline_memcpy_async(void* to, const void* from, size_t size,
                                                  size_t zfill = 0, PADPROOF_SIMT_SITE) {
  using namespace padproof::simt;
  if (size != 4 && size != 8 && size != 16) {
    ReportAndAbort("the size of an asynchronous copy is not 4, 8 or 16 bytes", where);
  }
  if (reinterpret_cast<uintptr_t>(to) % size != 0 ||
      reinterpret_cast<uintptr_t>(from) % size != 0) {
    ReportAndAbort("an address of an asynchronous copy is not aligned to its size", where);
  }
  if (zfill > size) ReportAndAbort("an asynchronous copy has more zeros than bytes", where);
  SpoilDestination(to, size);
  RememberCopy(to, from, size, zfill);
  LandEarly();
}

/// Puts the copies since the last commit into one group, which may be empty.
PADPROOF_SIMT_INLINE void __pipeline_commit() {
  padproof::simt::CountCommit();
  padproof::simt::LandEarly();
}

/// Waits for all groups but the latest `prior`; above 8, as on a device, for all but 8.
PADPROOF_SIMT_INLINE void __pipeline_wait_prior(size_t prior) {
  using namespace padproof::simt;
  AsyncCopies& copies = AsyncCopiesOfThread();
  AsyncCopy due;
  while (TakeWaitedFor(copies, prior < 8 ? prior : 8, due)) Land(due);
  LandEarly();
}
#pragma GCC visibility pop

#endif
