// What a switch keeps: every value that the compiler holds in a register, whichever; the stack,
// down to its depths; and its alignment. Each test says the same of the ucontext build.

#include "harness/simt/runtime/context.h"

#include <execinfo.h>
#include <gtest/gtest.h>

#include <cfenv>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace padproof::simt {
inline namespace host_build {
namespace {

constexpr size_t kStack = 256 << 10;
constexpr int kContexts = 7;
constexpr int kHost = kContexts;  // the context of the test itself

/// Contexts on stacks of their own. Each runs `body(its index)` to its end, then never again.
struct Ring {
  explicit Ring(void (*body_of_each)(int)) : body(body_of_each), stacks(kContexts) {
    running = kHost;
    the_ring = this;
    for (int i = 0; i < kContexts; i++) {
      auto& stack = stacks[static_cast<size_t>(i)];
      stack.resize(kStack / sizeof(Line));
      auto* lowest = reinterpret_cast<char*>(stack.data());
      PrepareContext(contexts[i], lowest, kStack, Begin);
    }
  }

  /// Not inlined: what the caller holds in callee-saved registers must come through, too.
  static __attribute__((noinline)) void Switch(int to) {
    const int from = std::exchange(the_ring->running, to);
    SwitchContext(the_ring->contexts[from], the_ring->contexts[to]);
  }

  static void Begin() {
    const int me = the_ring->running;
    the_ring->body(me);
    the_ring->ended++;
    Switch(me + 1 < kContexts ? me + 1 : kHost);
    std::abort();  // nobody comes back
  }

  static inline Ring* the_ring = nullptr;
  struct alignas(64) Line {
    char bytes[64];
  };
  void (*body)(int);
  int running = kHost;
  int ended = 0;
  Context contexts[kContexts + 1];
  std::vector<std::vector<Line>> stacks;
};

int Next(int me) { return (me + 1) % kContexts; }

// ---- registers ----------------------------------------------------------------------------------

// A vector of the widest registers, whatever the machine has; elsewhere it takes several.
using Wide = float __attribute__((vector_size(64)));

/// More live values of each kind than a machine has registers for, all different. Indices are
/// constants, so that they are registers and no memory from -O1 on.
template <size_t... k>
struct Values {
  uint64_t whole[sizeof...(k)];
  double real[sizeof...(k)];
  Wide wide[sizeof...(k)];
  bool odd[sizeof...(k)];

  __attribute__((always_inline)) void Begin(int me) {
    ((whole[k] = static_cast<uint64_t>(me) * 1000003 + k), ...);
    ((real[k] = me + 0.25 * static_cast<double>(k)), ...);
    ((wide[k] = Wide{} + static_cast<float>(me * 64 + static_cast<int>(k))), ...);
    ((odd[k] = ((whole[k] >> 1) & 1) != 0), ...);
  }
  __attribute__((always_inline)) void Step() {
    ((whole[k] = whole[k] * 6364136223846793005u + (k | 1u)), ...);
    ((real[k] += 0.25 * static_cast<double>(k + 1)), ...);  // exact, fused or not
    ((wide[k] += 0.5f * static_cast<float>(k + 1)), ...);
    ((odd[k] = odd[k] != (whole[k] > uint64_t{1} << 63)), ...);
  }
  /// Copies one by one: a value whose address is taken would live in memory all along.
  __attribute__((always_inline)) void CopyTo(Values& out) const {
    ((out.whole[k] = whole[k]), ...);
    ((out.real[k] = real[k]), ...);
    ((out.wide[k] = wide[k]), ...);
    ((out.odd[k] = odd[k]), ...);
  }
  int Differing(const Values& other) const {
    const auto differ = [](const auto& a, const auto& b) {
      return std::memcmp(&a, &b, sizeof a) != 0;
    };
    return ((differ(whole[k], other.whole[k]) + differ(real[k], other.real[k]) +
             differ(wide[k], other.wide[k]) + (odd[k] != other.odd[k])) +
            ...);
  }
};

template <size_t... k>
Values<k...> ValuesFor(std::index_sequence<k...>);
template <size_t count>
using Live = decltype(ValuesFor(std::make_index_sequence<count>{}));

template <size_t count>
Live<count> results[kContexts];

constexpr int kRounds = 50;

/// With `inlined`, the switch is inlined among the values, as it is in runtime.cc.
template <size_t count, bool inlined>
void HoldValues(int me) {
  Live<count> values;
  values.Begin(me);
  for (int round = 0; round < kRounds; round++) {
    values.Step();
    if constexpr (inlined) {
      Ring& ring = *Ring::the_ring;
      ring.running = Next(me);
      SwitchContext(ring.contexts[me], ring.contexts[Next(me)]);
    } else {
      Ring::Switch(Next(me));
    }
  }
  values.CopyTo(results<count>[me]);
}

template <size_t count, bool inlined>
void ExpectValuesKept() {
  for (Live<count>& result : results<count>) result = {};
  Ring ring(HoldValues<count, inlined>);
  Ring::Switch(0);
  EXPECT_EQ(ring.ended, kContexts);
  for (int i = 0; i < kContexts; i++) {
    Live<count> expected;
    expected.Begin(i);
    for (int round = 0; round < kRounds; round++) expected.Step();
    EXPECT_EQ(expected.Differing(results<count>[i]), 0) << "context " << i;
  }
}

TEST(Context, ValuesInRegistersSurvive) {
  ExpectValuesKept<4, true>();
  ExpectValuesKept<12, true>();
  ExpectValuesKept<34, true>();
}

TEST(Context, ValuesInCalleeSavedRegistersSurvive) {
  ExpectValuesKept<4, false>();
  ExpectValuesKept<12, false>();
  ExpectValuesKept<34, false>();
}

// ---- stacks -------------------------------------------------------------------------------------

uint64_t sums[kContexts];

/// Descends with a frame of about 1 KiB a level, and lets all others go on at each level, both
/// ways.
__attribute__((noinline)) uint64_t Descend(int me, int depth) {
  volatile uint64_t frame[128];
  for (size_t i = 0; i < 128; i++) frame[i] = static_cast<uint64_t>(me * 1000 + depth) * 128 + i;
  Ring::Switch(Next(me));
  const uint64_t below = depth == 0 ? 0 : Descend(me, depth - 1);
  Ring::Switch(Next(me));
  uint64_t wrong = below;
  for (size_t i = 0; i < 128; i++) {
    wrong += frame[i] != static_cast<uint64_t>(me * 1000 + depth) * 128 + i;
  }
  return wrong;
}

TEST(Context, DeepStacksStayApart) {
  std::memset(sums, 0xFF, sizeof sums);
  constexpr int kDepth = 150;  // of 256 levels that fit
  Ring ring([](int me) { sums[me] = Descend(me, kDepth); });
  Ring::Switch(0);
  EXPECT_EQ(ring.ended, kContexts);
  for (uint64_t wrong : sums) EXPECT_EQ(wrong, 0u);
}

/// Opaque to the optimiser, which would answer from the declared alignment.
__attribute__((noinline)) uintptr_t AddressOf(const void* object) {
  auto address = reinterpret_cast<uintptr_t>(object);
  asm volatile("" : "+r"(address));
  return address;
}

uintptr_t misaligned;

TEST(Context, LocalsAreAligned) {
  misaligned = 0;
  Ring ring([](int me) {
    for (int round = 0; round < 3; round++) {
      alignas(16) char sixteen[48] = {};
      alignas(64) char line[64] = {};
      misaligned |= AddressOf(sixteen) % 16 | AddressOf(line) % 64;
      // What every call relies on: the frame begins at a multiple of 16.
      misaligned |= AddressOf(__builtin_frame_address(0)) % 16;
      Ring::Switch(Next(me));
    }
  });
  Ring::Switch(0);
  EXPECT_EQ(ring.ended, kContexts);
  EXPECT_EQ(misaligned, 0u);
}

int frames_seen[kContexts];

__attribute__((noinline)) int FramesFromHere() {
  void* addresses[64];
  return backtrace(addresses, 64);
}

// A debugger or a sanitizer that prints a stack walks up to the context's first function and no
// further, wherever the first switch came from.
TEST(Context, UnwindingEnds) {
  FramesFromHere();  // loads the unwinder, which needs more stack than a context may have
  Ring ring([](int me) {
    Ring::Switch(Next(me));
    frames_seen[me] = FramesFromHere();
  });
  Ring::Switch(0);
  for (int frames : frames_seen) {
    EXPECT_GE(frames, 1);
    EXPECT_LE(frames, 6);
  }
}

// ---- control words ------------------------------------------------------------------------------

#if !defined(SIMT_UCONTEXT)
int rounding_seen[kContexts];

TEST(Context, ControlWordsAreShared) {
  Ring ring([](int me) {
    rounding_seen[me] = std::fegetround();
    std::fesetround(me % 2 == 0 ? FE_DOWNWARD : FE_UPWARD);
    Ring::Switch(me + 1 < kContexts ? Next(me) : kHost);
  });
  const int before = std::fegetround();
  std::fesetround(FE_UPWARD);
  Ring::Switch(0);
  const int after = std::fegetround();
  std::fesetround(before);
  for (int i = 0; i < kContexts; i++) {
    EXPECT_EQ(rounding_seen[i], i % 2 == 0 ? FE_UPWARD : FE_DOWNWARD) << "context " << i;
  }
  EXPECT_EQ(after, FE_DOWNWARD);
}
#endif

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
