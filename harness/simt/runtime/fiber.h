// One execution context a CUDA thread, with its own guarded stack, and what AddressSanitizer wants
// to know about it. Included by runtime.cc only.

#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/context.h"

#if !defined(SIMT_ASAN) && defined(__SANITIZE_ADDRESS__)
#define SIMT_ASAN 1
#elif !defined(SIMT_ASAN) && defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIMT_ASAN 1
#endif
#endif

#if defined(SIMT_ASAN)
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack_save, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack_save, const void** bottom_old,
                                     size_t* size_old);
}
#endif

namespace padproof::simt {
inline namespace host_build {
namespace {

#if defined(SIMT_ASAN)
constexpr bool kRuntimeKnowsAsan = true;
constexpr size_t kStackBytes = 256 << 10;  // instrumented frames are large, reports run on them
#else
constexpr bool kRuntimeKnowsAsan = false;
constexpr size_t kStackBytes = 64 << 10;
#endif
constexpr size_t kGuardBytes = 64 << 10;  // wide, so that one large frame does not step over it

struct Fiber {
  Context context;
  char* stack;         // lowest address; null: not created yet
  size_t stack_bytes;  // usable, from `stack`
  void* fake_stack;    // of AddressSanitizer
};

/// The launching context; its stack bounds become known on the first switch away from it.
constinit Fiber launcher{};

/// Maps a stack above a guard and makes `entry` run on it. False: out of memory.
bool CreateFiber(Fiber& fiber, unsigned index, void (*entry)()) {
  void* mapped = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return false;
  if (mprotect(mapped, kGuardBytes, PROT_NONE) != 0) {
    munmap(mapped, kGuardBytes + kStackBytes);
    return false;
  }
  fiber.stack = static_cast<char*>(mapped) + kGuardBytes;
  // Frames of neighbours start in different cache sets.
  fiber.stack_bytes = kStackBytes - index % 64 * 64;
  PrepareContext(fiber.context, fiber.stack, fiber.stack_bytes, entry);
  return true;
}

void DestroyFiber(Fiber& fiber) {
  if (fiber.stack != nullptr) munmap(fiber.stack - kGuardBytes, kGuardBytes + kStackBytes);
  fiber.stack = nullptr;
}

PADPROOF_SIMT_INLINE void AnnounceSwitch([[maybe_unused]] Fiber& from, [[maybe_unused]] Fiber& to) {
#if defined(SIMT_ASAN)
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.stack_bytes);
#endif
}

PADPROOF_SIMT_INLINE void CompleteSwitch([[maybe_unused]] void* fake_stack) {
#if defined(SIMT_ASAN)
  const void* left_stack = nullptr;
  size_t left_bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack, &left_stack, &left_bytes);
  if (launcher.stack == nullptr) {  // only the launcher can have been left
    launcher.stack = static_cast<char*>(const_cast<void*>(left_stack));
    launcher.stack_bytes = left_bytes;
  }
#endif
}

PADPROOF_SIMT_INLINE void SwitchFibers(Fiber& from, Fiber& to) {
  AnnounceSwitch(from, to);
  SwitchContext(from.context, to.context);
  CompleteSwitch(from.fake_stack);
}

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
