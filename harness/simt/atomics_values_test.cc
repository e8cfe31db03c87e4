// Every overload of the atomics on numbers, in every scope: the old value is returned, the new one
// is CUDA's definition in wider arithmetic or bit by bit, and neighbours stay as they are. For all
// pairs of values that hold the ends of each type; 16-bit sums for every pattern.

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/half_test_util.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

using Ll = long long;
using Ull = unsigned long long;

template <class T>
bool SameBits(const T& a, const T& b) {
  return std::memcmp(static_cast<const void*>(&a), static_cast<const void*>(&b), sizeof a) == 0;
}

/// Small numbers, the ends of T and what lies beside them, random bits.
template <class T>
std::vector<T> Integers() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values;
  for (int i = 0; i < 18; i++) values.push_back(static_cast<T>(i - 2));
  for (T end : {Limits::min(), Limits::max(), static_cast<T>(Limits::max() / 2)}) {
    for (int i = -1; i <= 1; i++) values.push_back(static_cast<T>(static_cast<Ull>(end) + Ull(i)));
  }
  Random random(4);
  for (int n = 0; n < 10; n++) values.push_back(static_cast<T>(random.Next()));
  return values;
}

template <class T>
using Scopes = std::initializer_list<T (*)(T*, T, simt::Site)>;
#define PADPROOF_SCOPES(name) {name, name##_block, name##_system}

template <class T, class Expected>
void ExpectAtomic(const char* name, Scopes<T> scopes, const std::vector<T>& values,
                  Expected expected) {
  for (const auto atomic : scopes) {
    for (T old : values) {
      for (T value : values) {
        T words[3] = {value, old, value};
        const T returned = atomic(&words[1], value, simt::Site::current());
        ASSERT_TRUE(SameBits(returned, old)) << name << " " << old << " " << value;
        ASSERT_TRUE(SameBits(words[1], static_cast<T>(expected(old, value))))
            << name << " " << old << " " << value << ": " << words[1];
        ASSERT_TRUE(SameBits(words[0], value) && SameBits(words[2], value)) << name;
      }
    }
  }
}

// ---- sums ---------------------------------------------------------------------------------------

template <class T>
T WrappedSum(T old, T value) {
  return static_cast<T>(static_cast<Int128>(old) + value);
}
template <class T>
T WrappedDifference(T old, T value) {
  return static_cast<T>(static_cast<Int128>(old) - value);
}

TEST(SimtAtomicValues, SumsOfIntegersWrap) {
  ExpectAtomic<int>("add", PADPROOF_SCOPES(atomicAdd), Integers<int>(), WrappedSum<int>);
  ExpectAtomic<unsigned>("add", PADPROOF_SCOPES(atomicAdd), Integers<unsigned>(),
                         WrappedSum<unsigned>);
  ExpectAtomic<Ull>("add", PADPROOF_SCOPES(atomicAdd), Integers<Ull>(), WrappedSum<Ull>);
  ExpectAtomic<int>("sub", PADPROOF_SCOPES(atomicSub), Integers<int>(), WrappedDifference<int>);
  ExpectAtomic<unsigned>("sub", PADPROOF_SCOPES(atomicSub), Integers<unsigned>(),
                         WrappedDifference<unsigned>);
}

/// Of the number rounded once: 64 digits are enough to round to 24 after (twice as many, and two).
TEST(SimtAtomicValues, SumsOfFloatsAndDoublesAreRounded) {
  std::vector<float> floats = {0.0f,        -0.0f,    1.0f,       -1.0f,    0x1p24f, 0x1p-149f,
                               0x1.8p-126f, INFINITY, -INFINITY,  1e38f,    3e38f,   -3e38f,
                               0x1p-24f,    0.1f,     -0x1p-140f, 0x1.1p23f};
  ExpectAtomic<float>("add", PADPROOF_SCOPES(atomicAdd), floats, [](float a, float b) {
    return static_cast<float>(static_cast<long double>(a) + static_cast<long double>(b));
  });
  // Sums of these have few enough digits for a long double; a tie is rounded to even.
  const std::vector<double> doubles = {0.0, -0.0,      1.0,      -1.0,  0x1p53, 0x1p53 + 2,
                                       0.5, 0x1p-1074, INFINITY, 1e308, -1e308};
  ExpectAtomic<double>("add", PADPROOF_SCOPES(atomicAdd), doubles, [](double a, double b) {
    return static_cast<double>(static_cast<long double>(a) + static_cast<long double>(b));
  });
}

template <class T>
void CheckSixteenBitSums() {
  Scopes<T> scopes = PADPROOF_SCOPES(atomicAdd);
  Scopes<PairOf<T>> scopes_of_pairs = PADPROOF_SCOPES(atomicAdd);
  int turn = 0;
  ForEveryPattern<T>(
      "atomicAdd",
      [](int a, int b) -> int { return PatternFor(kFormat<T>, RealOf<T>(a) + RealOf<T>(b)); },
      [&](const Use& low, const Use& high) {
        const int scope = turn++ % 3;
        T word = Pattern<T>(low.a);
        const T value = Pattern<T>(low.b);
        const T was = scopes.begin()[scope](&word, value, simt::Site::current());
        PairOf<T> pair = Pair<T>(low.a, high.a);
        const PairOf<T> pair_was =
            scopes_of_pairs.begin()[scope](&pair, Pair<T>(low.b, high.b), simt::Site::current());
        return BitsOf(was) == low.a && BitsOf(word) == low.expected &&
               BitsOf(pair_was.x) == low.a && BitsOf(pair_was.y) == high.a &&
               BitsOf(pair.x) == low.expected && BitsOf(pair.y) == high.expected;
      });
}

TEST(SimtAtomicValues, SumsOfSixteenBits) {
  CheckSixteenBitSums<__half>();
  CheckSixteenBitSums<__nv_bfloat16>();
}

// ---- exchanges ----------------------------------------------------------------------------------

TEST(SimtAtomicValues, Exchanges) {
  const auto new_value = [](auto, auto value) { return value; };
  ExpectAtomic<int>("exch", PADPROOF_SCOPES(atomicExch), Integers<int>(), new_value);
  ExpectAtomic<unsigned>("exch", PADPROOF_SCOPES(atomicExch), Integers<unsigned>(), new_value);
  ExpectAtomic<Ull>("exch", PADPROOF_SCOPES(atomicExch), Integers<Ull>(), new_value);
  ExpectAtomic<float>("exch", PADPROOF_SCOPES(atomicExch),
                      {0.0f, -0.0f, 1.5f, std::bit_cast<float>(0x7fc12345u), INFINITY, 0x1p-149f},
                      new_value);
}

template <class T>
void CheckCompareAndSwap() {
  using Swap = T (*)(T*, T, T, simt::Site);
  const std::vector<T> values = Integers<T>();
  for (const Swap swap : {static_cast<Swap>(atomicCAS), static_cast<Swap>(atomicCAS_block),
                          static_cast<Swap>(atomicCAS_system)}) {
    for (T old : values) {
      for (T compare : values) {
        for (T value : {T{3}, static_cast<T>(~T{0}), old}) {
          T words[3] = {value, old, value};
          ASSERT_EQ(swap(&words[1], compare, value, simt::Site::current()), old);
          ASSERT_EQ(words[1], (old ^ compare) == 0 ? value : old) << old << " " << compare;
          ASSERT_TRUE(words[0] == value && words[2] == value);
        }
      }
    }
  }
}

TEST(SimtAtomicValues, ComparesAndSwapsOfEveryWidth) {
  CheckCompareAndSwap<int>();
  CheckCompareAndSwap<unsigned>();
  CheckCompareAndSwap<Ull>();
  CheckCompareAndSwap<unsigned short>();
}

// ---- minimum, maximum, bits, counters -----------------------------------------------------------

/// Bit i of the result is bit 2 a + b of the table for the bits a and b there.
template <class T>
auto BitByBit(unsigned table) {
  return [table](T old, T value) {
    Ull result = 0;
    for (unsigned i = 0; i < 8 * sizeof(T); i++) {
      const auto a = static_cast<unsigned>(old >> i & 1), b = static_cast<unsigned>(value >> i & 1);
      result |= static_cast<Ull>(table >> (2 * a + b) & 1) << i;
    }
    return static_cast<T>(result);
  };
}

template <class T>
void CheckIntegers() {
  const std::vector<T> values = Integers<T>();
  ExpectAtomic<T>("min", PADPROOF_SCOPES(atomicMin), values, [](T old, T value) -> T {
    return static_cast<Int128>(value) - old < 0 ? value : old;
  });
  ExpectAtomic<T>("max", PADPROOF_SCOPES(atomicMax), values, [](T old, T value) -> T {
    return static_cast<Int128>(value) - old > 0 ? value : old;
  });
  ExpectAtomic<T>("and", PADPROOF_SCOPES(atomicAnd), values, BitByBit<T>(0b1000));
  ExpectAtomic<T>("or", PADPROOF_SCOPES(atomicOr), values, BitByBit<T>(0b1110));
  ExpectAtomic<T>("xor", PADPROOF_SCOPES(atomicXor), values, BitByBit<T>(0b0110));
}

TEST(SimtAtomicValues, MinimaMaximaAndBits) {
  CheckIntegers<int>();
  CheckIntegers<unsigned>();
  CheckIntegers<Ll>();
  CheckIntegers<Ull>();
}

/// Up to the value and then 0; down from the value and at 0, or above it, the value again.
TEST(SimtAtomicValues, CountersThatWrap) {
  ExpectAtomic<unsigned>("inc", PADPROOF_SCOPES(atomicInc), Integers<unsigned>(),
                         [](unsigned old, unsigned value) {
                           const int64_t next = int64_t{old} + 1;
                           return static_cast<unsigned>(next > int64_t{value} ? 0 : next);
                         });
  ExpectAtomic<unsigned>("dec", PADPROOF_SCOPES(atomicDec), Integers<unsigned>(),
                         [](unsigned old, unsigned value) {
                           const int64_t next = int64_t{old} - 1;
                           const bool in_range = next >= 0 && next < int64_t{value};
                           return in_range ? static_cast<unsigned>(next) : value;
                         });
}

}  // namespace
}  // namespace padproof
