// Where the race checker meets a kernel: the calls that -fsanitize=thread puts before each access,
// answered here instead of in ThreadSanitizer's library, which is not linked. Never instrumented.
//
// Not checked: the running thread's own stack, the runtime's own objects, host code outside of
// launches, and the accesses that do an atomic, which its EnterAtomic stands for.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/race_checker.h"
#include "harness/simt/runtime/race_interface.h"
#include "harness/simt/runtime/source_lines.h"

extern "C" {
void* __asan_get_current_fake_stack() __attribute__((weak));
void* __asan_addr_is_in_fake_stack(void* fake_stack, void* address, void** begin, void** end)
    __attribute__((weak));
}

namespace padproof::simt {
inline namespace host_build {
namespace race {
namespace {

/// While the checker works: a library function that it shares with a kernel may be instrumented.
struct Quiet {
  bool before = running.inside;
  Quiet() { running.inside = false; }
  Quiet(const Quiet&) = delete;
  ~Quiet() { running.inside = before; }
};

// ---- reports ------------------------------------------------------------------------------------

std::string Format(const char* format, auto... values) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

std::string TextOf(const Party& party) {
  constexpr const char* kDoes[] = {"reads", "writes", "does an atomic"};
  const dim3& block = current.block_dim;
  const dim3& grid = current.grid_dim;
  const unsigned t = party.thread, b = party.block;
  std::string text =
      Format("  thread (%u,%u,%u) of block (%u,%u,%u) %s at ", t % block.x, t / block.x % block.y,
             t / (block.x * block.y), b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y,
             kDoes[static_cast<int>(party.access)]);
  if (party.position == 0) {
    text += "an unknown line";
  } else {
    text += SourceLine(reinterpret_cast<uintptr_t>(__ehdr_start) + party.position);
  }
  return text + (party.one_of_several ? " or there where its neighbours do\n" : "\n");
}

std::string TextOfAddress(uintptr_t address) {
  const std::string name = NameOfAddress(reinterpret_cast<const void*>(address));
  return name.empty() ? Format("address 0x%zx", size_t{address}) : name;
}

const char* TextOf(Reason reason) {
  switch (reason) {
    case Reason::shuffle_only:
      return "only a shuffle or vote between: it does not order memory";
    case Reason::other_block:
      return "different blocks, no __threadfence and atomic between";
    case Reason::scope_of_block:
      return "different blocks, and one of the atomics is atomic within its block only";
    default:
      return "no barrier between";
  }
}

const char* KindOf(const Race& race) {
  const Access a = race.earlier.access, b = race.later.access;
  if (a == Access::atomic && b == Access::atomic) return "atomic/atomic";
  if (a == Access::atomic || b == Access::atomic) return "atomic/plain";
  if (a == Access::read) return "read/write";
  return b == Access::read ? "write/read" : "write/write";
}

__attribute__((cold, noinline)) void ReportRace(const Race& race) {
  const std::string text = "padproof simt: race (" + std::string(KindOf(race)) + ") on " +
                           TextOfAddress(race.address) + ": " + TextOf(race.reason) + "\n" +
                           TextOf(race.earlier) + TextOf(race.later) + TextOfRunning();
  std::fflush(stdout);
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
  if (RacesAbort()) std::abort();
}

// ---- accesses -----------------------------------------------------------------------------------

Checker checker(ReportRace);

inline Position PositionOf(const void* return_address) {
  const uintptr_t offset =
      reinterpret_cast<uintptr_t>(return_address) - reinterpret_cast<uintptr_t>(__ehdr_start);
  return offset <= kMaxPosition ? static_cast<Position>(offset) : 0;
}

template <class T>
PADPROOF_SIMT_INLINE bool Within(uintptr_t address, const T* object, size_t count) {
  return address - reinterpret_cast<uintptr_t>(object) < count * sizeof(T);
}

PADPROOF_SIMT_INLINE bool OnOwnStack(uintptr_t address) {
  return address - running.stack_low < running.stack_bytes;
}

PADPROOF_SIMT_INLINE bool OfRuntime(uintptr_t address) {
  return Within(address, &current, 1) || Within(address, lanes, kMaxThreads) ||
         Within(address, warps, kMaxWarps);
}

/// Where AddressSanitizer may keep the running thread's variables instead of on its stack.
bool OnFakeStack(uintptr_t address) {
  if (__asan_get_current_fake_stack == nullptr) return false;
  void* fake_stack = __asan_get_current_fake_stack();
  return fake_stack != nullptr &&
         __asan_addr_is_in_fake_stack(fake_stack, reinterpret_cast<void*>(address), nullptr,
                                      nullptr) != nullptr;
}

PADPROOF_SIMT_INLINE bool Ignored(uintptr_t address) {
  return OfRuntime(address) || OnFakeStack(address);
}

template <bool kWrite>
__attribute__((noinline)) void OnUnusualAccess(uintptr_t address, size_t bytes,
                                               const void* return_address) {
  if (Ignored(address) || bytes == 0) return;
  if (running.preempts) MaybePreempt();
  const Quiet quiet;
  if constexpr (kWrite) {
    checker.Write(running.thread, address, bytes, PositionOf(return_address));
  } else {
    checker.Read(running.thread, address, bytes, PositionOf(return_address));
  }
}

/// False: there is more to do, perhaps for a part of the words only, and no harm in doing it all.
template <bool kWrite>
PADPROOF_SIMT_INLINE bool OnWords(uintptr_t address, size_t bytes, const void* return_address) {
  const Position at = PositionOf(return_address);
  for (size_t i = 0; i < bytes; i += 4) {
    if constexpr (kWrite) {
      if (!checker.WriteWord(running.thread, address + i, at, Ignored)) return false;
    } else {
      if (!checker.ReadWord(running.thread, address + i, at, Ignored)) return false;
    }
  }
  return true;
}

template <bool kWrite>
PADPROOF_SIMT_INLINE void OnAccess(const void* pointer, size_t bytes, const void* return_address) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (!running.inside || running.in_atomic || OnOwnStack(address)) return;
  // Words of the runtime are rare enough to ask later, when one is about to be remembered.
  if (bytes != 4 && OfRuntime(address)) return;
  const bool words = bytes % 4 == 0 && bytes <= 16 && address % 4 == 0;
  if (words && !running.preempts && OnWords<kWrite>(address, bytes, return_address)) return;
  OnUnusualAccess<kWrite>(address, bytes, return_address);
}

}  // namespace

constinit thread_local Running running PADPROOF_SIMT_TLS{};

void BeginLaunch(unsigned threads) {
  const Quiet quiet;
  static const bool once = [] {
    for (const MemoryRange& raw : RawShared()) checker.AlwaysShared(raw.begin, raw.bytes);
    return true;
  }();
  static_cast<void>(once);
  checker.BeginLaunch(threads);
}
void BeginBlock(uint32_t linear_block) {
  const Quiet quiet;
  checker.BeginBlock(linear_block);
}
void LeaveBlock() {
  running.inside = false;
  checker.Settle();
}
void Barrier() {
  const Quiet quiet;
  checker.Barrier();
}
void WarpOperation(unsigned warp, uint32_t members, bool orders_memory) {
  const Quiet quiet;
  checker.WarpOperation(warp, members, orders_memory);
}
void Forget(const void* address, size_t bytes) {
  const Quiet quiet;
  checker.Forget(reinterpret_cast<uintptr_t>(address), bytes);
}
uint64_t Races() { return checker.races(); }
uint64_t UnwatchedAccesses() { return checker.unwatched(); }

}  // namespace race

void EnterAtomic(const void* address, size_t bytes, bool device) {
  race::Running& running = race::running;
  if (!running.inside) return;
  if (running.preempts) race::MaybePreempt();
  running.in_atomic = true;
  const auto at = reinterpret_cast<uintptr_t>(address);
  if (race::OnOwnStack(at) || race::OnFakeStack(at)) return;
  const race::Quiet quiet;
  race::checker.Atomic(running.thread, at, bytes, race::PositionOf(__builtin_return_address(0)),
                       device);
}
void LeaveAtomic(const void* /*address*/, size_t /*bytes*/) { race::running.in_atomic = false; }
void Fence(bool device) {
  if (!race::running.inside) return;
  const race::Quiet quiet;
  race::checker.Fence(race::running.thread, device);
}

}  // namespace host_build
}  // namespace padproof::simt

// ---- what -fsanitize=thread calls ---------------------------------------------------------------

namespace race = padproof::simt::race;

#define HOOK extern "C" __attribute__((visibility("hidden")))
#define ON_ACCESS(kWrite, bytes) race::OnAccess<kWrite>(p, bytes, __builtin_return_address(0))
#define HOOKS_OF_SIZE(n)                                              \
  HOOK void __tsan_read##n(void* p) { ON_ACCESS(false, n); }          \
  HOOK void __tsan_write##n(void* p) { ON_ACCESS(true, n); }          \
  HOOK void __tsan_read_write##n(void* p) { ON_ACCESS(true, n); }     \
  HOOK void __tsan_volatile_read##n(void* p) { ON_ACCESS(false, n); } \
  HOOK void __tsan_volatile_write##n(void* p) { ON_ACCESS(true, n); }
#define HOOKS_OF_UNALIGNED(n)                                                   \
  HOOK void __tsan_unaligned_read##n(void* p) { ON_ACCESS(false, n); }          \
  HOOK void __tsan_unaligned_write##n(void* p) { ON_ACCESS(true, n); }          \
  HOOK void __tsan_unaligned_read_write##n(void* p) { ON_ACCESS(true, n); }     \
  HOOK void __tsan_unaligned_volatile_read##n(void* p) { ON_ACCESS(false, n); } \
  HOOK void __tsan_unaligned_volatile_write##n(void* p) { ON_ACCESS(true, n); }
// NOLINTBEGIN(bugprone-reserved-identifier)
HOOKS_OF_SIZE(1)
HOOKS_OF_SIZE(2)
HOOKS_OF_SIZE(4)
HOOKS_OF_SIZE(8)
HOOKS_OF_SIZE(16)
HOOKS_OF_UNALIGNED(2)
HOOKS_OF_UNALIGNED(4)
HOOKS_OF_UNALIGNED(8)
HOOKS_OF_UNALIGNED(16)

// Aggregates, by g++.
HOOK void __tsan_read_range(void* p, size_t bytes) { ON_ACCESS(false, bytes); }
HOOK void __tsan_write_range(void* p, size_t bytes) { ON_ACCESS(true, bytes); }

// Aggregates, by clang. Through the plain function, where AddressSanitizer looks at both ends.
HOOK void* __tsan_memcpy(void* p, const void* from, size_t bytes) {
  race::OnAccess<false>(from, bytes, __builtin_return_address(0));
  ON_ACCESS(true, bytes);
  return std::memcpy(p, from, bytes);
}
HOOK void* __tsan_memmove(void* p, const void* from, size_t bytes) {
  race::OnAccess<false>(from, bytes, __builtin_return_address(0));
  ON_ACCESS(true, bytes);
  return std::memmove(p, from, bytes);
}
HOOK void* __tsan_memset(void* p, int value, size_t bytes) {
  ON_ACCESS(true, bytes);
  return std::memset(p, value, bytes);
}

HOOK void __tsan_init() {}
HOOK void __tsan_func_entry(void*) {}
HOOK void __tsan_func_exit() {}
HOOK void __tsan_vptr_update(void**, void*) {}
HOOK void __tsan_vptr_read(void**) {}

// Host code of the same file: std::atomic, guards of static variables. C++ atomics are no way for
// CUDA threads to meet, so they order nothing here.
HOOK void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
HOOK void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }
#define ATOMIC_UPDATE(bits, T, name, builtin)                        \
  HOOK T __tsan_atomic##bits##_##name(volatile T* p, T value, int) { \
    return builtin(p, value, __ATOMIC_SEQ_CST);                      \
  }
#define ATOMICS_OF_SIZE(bits, T)                                                                   \
  HOOK T __tsan_atomic##bits##_load(const volatile T* p, int) {                                    \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                                \
  HOOK void __tsan_atomic##bits##_store(volatile T* p, T value, int) {                             \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                                \
  ATOMIC_UPDATE(bits, T, exchange, __atomic_exchange_n)                                            \
  ATOMIC_UPDATE(bits, T, fetch_add, __atomic_fetch_add)                                            \
  ATOMIC_UPDATE(bits, T, fetch_sub, __atomic_fetch_sub)                                            \
  ATOMIC_UPDATE(bits, T, fetch_and, __atomic_fetch_and)                                            \
  ATOMIC_UPDATE(bits, T, fetch_or, __atomic_fetch_or)                                              \
  ATOMIC_UPDATE(bits, T, fetch_xor, __atomic_fetch_xor)                                            \
  ATOMIC_UPDATE(bits, T, fetch_nand, __atomic_fetch_nand)                                          \
  HOOK int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T value, int, \
                                                         int) {                                    \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST,                \
                                       __ATOMIC_SEQ_CST);                                          \
  }                                                                                                \
  HOOK int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* expected, T value, int,   \
                                                       int) {                                      \
    return __atomic_compare_exchange_n(p, expected, value, true, __ATOMIC_SEQ_CST,                 \
                                       __ATOMIC_SEQ_CST);                                          \
  }                                                                                                \
  HOOK T __tsan_atomic##bits##_compare_exchange_val(volatile T* p, T expected, T value, int,       \
                                                    int) {                                         \
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);   \
    return expected;                                                                               \
  }
ATOMICS_OF_SIZE(8, uint8_t)
ATOMICS_OF_SIZE(16, uint16_t)
ATOMICS_OF_SIZE(32, uint32_t)
ATOMICS_OF_SIZE(64, uint64_t)
// NOLINTEND(bugprone-reserved-identifier)
