// Integer functions of the SIMT layer of small domains: dot products and sums of differences for
// every pair of bytes in every place, n-th set bits, every overload of minimum and maximum for
// every pair of a set that holds the ends of each type.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <type_traits>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

// ---- n-th set bit -------------------------------------------------------------------------------

/// PTX ISA, fns: of the positions of ones, from `base` on in the direction of n's sign, the |n|-th.
unsigned NthByList(unsigned mask, int base, int n) {
  std::vector<int> ones;
  for (int i = 0; i < 32; i++) {
    const bool ahead = n > 0 ? i >= base : n < 0 ? i <= base : i == base;
    if (ahead && (mask >> i & 1) != 0) ones.push_back(i);
  }
  if (n < 0) std::reverse(ones.begin(), ones.end());
  const size_t nth = n == 0 ? 0 : static_cast<size_t>(std::abs(n)) - 1;
  return nth < ones.size() ? static_cast<unsigned>(ones[nth]) : ~0u;
}

TEST(IntegerFunctions, NthSetBitOfEveryByteAtEitherEnd) {
  for (unsigned byte = 0; byte < 256; byte++) {
    for (unsigned mask : {byte, byte << 24, byte << 13, byte | byte << 24, ~byte}) {
      for (int base = 0; base < 32; base++) {
        for (int n = -10; n <= 10; n++) {
          ASSERT_EQ(__fns(mask, static_cast<unsigned>(base), n), NthByList(mask, base, n))
              << std::hex << mask << " from " << base << " the " << std::dec << n;
        }
      }
    }
  }
  EXPECT_EQ(__fns(~0u, 0, 32), 31u);
  EXPECT_EQ(__fns(~0u, 31, -32), 0u);
  EXPECT_EQ(__fns(~0u, 0, 33), ~0u);
}

// ---- dot products -------------------------------------------------------------------------------

/// Part `place` of a word, in two's complement if `is_signed`.
int64_t Part(unsigned word, int place, int bits, bool is_signed) {
  const int64_t part = word >> place * bits & ((1u << bits) - 1);
  return is_signed && part >> (bits - 1) != 0 ? part - (int64_t{1} << bits) : part;
}

/// The sum mod 2^32 of c and products of parts of a, of `bits`, and bytes of b, from `first` on.
uint32_t Dot(unsigned a, unsigned b, unsigned c, int bits, int first, bool is_signed) {
  int64_t sum = c;
  for (int i = 0; i < 32 / bits; i++) {
    sum += Part(a, i, bits, is_signed) * Part(b, first + i, 8, is_signed);
  }
  return static_cast<uint32_t>(sum);
}

/// Calls check(a, b, c) with every pair of bytes in every place of the words, others random.
template <class Check>
void ForEveryPairOfBytes(Check check) {
  Random random(3);
  for (int place = 0; place < 32; place += 8) {
    const unsigned mask = 0xffu << place;
    for (unsigned pair = 0; pair < 0x10000; pair++) {
      const auto a = static_cast<unsigned>(random.Next()), b = static_cast<unsigned>(random.Next());
      check((a & ~mask) | (pair & 0xff) << place, (b & ~mask) | (pair >> 8) << place,
            static_cast<unsigned>(random.Next()));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

template <class Vector>
Vector As(unsigned word) {
  return std::bit_cast<Vector>(word);
}

TEST(IntegerFunctions, DotProductsOfEveryPairOfBytes) {
  ForEveryPairOfBytes([](unsigned a, unsigned b, unsigned c) {
    const int i = As<int>(a), j = As<int>(b), k = As<int>(c);
    const int dot = As<int>(Dot(a, b, c, 8, 0, true));
    ASSERT_EQ(__dp4a(i, j, k), dot) << std::hex << a << " " << b;
    ASSERT_EQ(__dp4a(As<char4>(a), As<char4>(b), k), dot);
    ASSERT_EQ(__dp4a(a, b, c), Dot(a, b, c, 8, 0, false)) << std::hex << a << " " << b;
    ASSERT_EQ(__dp4a(As<uchar4>(a), As<uchar4>(b), c), Dot(a, b, c, 8, 0, false));
    const int low = As<int>(Dot(a, b, c, 16, 0, true)), high = As<int>(Dot(a, b, c, 16, 2, true));
    ASSERT_EQ(__dp2a_lo(i, j, k), low) << std::hex << a << " " << b;
    ASSERT_EQ(__dp2a_lo(As<short2>(a), As<char4>(b), k), low);
    ASSERT_EQ(__dp2a_hi(i, j, k), high) << std::hex << a << " " << b;
    ASSERT_EQ(__dp2a_hi(As<short2>(a), As<char4>(b), k), high);
    ASSERT_EQ(__dp2a_lo(a, b, c), Dot(a, b, c, 16, 0, false)) << std::hex << a << " " << b;
    ASSERT_EQ(__dp2a_lo(As<ushort2>(a), As<uchar4>(b), c), Dot(a, b, c, 16, 0, false));
    ASSERT_EQ(__dp2a_hi(a, b, c), Dot(a, b, c, 16, 2, false)) << std::hex << a << " " << b;
    ASSERT_EQ(__dp2a_hi(As<ushort2>(a), As<uchar4>(b), c), Dot(a, b, c, 16, 2, false));
  });
}

TEST(PartsOfWords, SumsOfDifferencesOfEveryPairOfBytes) {
  const auto sad = [](unsigned a, unsigned b, int bits, bool is_signed) {
    int64_t sum = 0;
    for (int i = 0; i < 32 / bits; i++) {
      sum += std::abs(Part(a, i, bits, is_signed) - Part(b, i, bits, is_signed));
    }
    return static_cast<unsigned>(sum);
  };
  ForEveryPairOfBytes([&](unsigned a, unsigned b, unsigned) {
    ASSERT_EQ(__vsads4(a, b), sad(a, b, 8, true)) << std::hex << a << " " << b;
    ASSERT_EQ(__vsadu4(a, b), sad(a, b, 8, false)) << std::hex << a << " " << b;
    ASSERT_EQ(__vsads2(a, b), sad(a, b, 16, true)) << std::hex << a << " " << b;
    ASSERT_EQ(__vsadu2(a, b), sad(a, b, 16, false)) << std::hex << a << " " << b;
  });
}

// ---- minimum and maximum ------------------------------------------------------------------------

/// The ends of T, what lies beside them, and beside 0.
template <class T>
std::vector<T> Ends() {
  using Limits = std::numeric_limits<T>;
  if constexpr (Limits::is_integer) {
    return {Limits::min(),     static_cast<T>(Limits::min() + 1), static_cast<T>(-1), 0, 1,
            Limits::max() / 2, static_cast<T>(Limits::max() - 1), Limits::max()};
  } else {
    return {
        -Limits::infinity(), Limits::lowest(),    -1, -Limits::denorm_min(), 0,
        Limits::min(),       static_cast<T>(1.5), 2,  Limits::max(),         Limits::infinity()};
  }
}

/// min and max of A and B are those of T, to which both are converted.
template <class T, class A, class B>
void ExpectMinimaAndMaxima() {
  for (A a : Ends<A>()) {
    for (B b : Ends<B>()) {
      static_assert(std::is_same_v<decltype(min(a, b)), T>);
      static_assert(std::is_same_v<decltype(max(a, b)), T>);
      const T x = static_cast<T>(a), y = static_cast<T>(b);
      ASSERT_EQ(min(a, b), x < y ? x : y) << a << " " << b;
      ASSERT_EQ(max(a, b), x > y ? x : y) << a << " " << b;
    }
  }
}

template <class Signed, class Unsigned>
void ExpectMinimaAndMaximaOfWidth() {
  ExpectMinimaAndMaxima<Signed, Signed, Signed>();
  ExpectMinimaAndMaxima<Unsigned, Unsigned, Unsigned>();
  ExpectMinimaAndMaxima<Unsigned, Signed, Unsigned>();
  ExpectMinimaAndMaxima<Unsigned, Unsigned, Signed>();
}

template <class A, class B>
void ANumberWinsAgainstNan() {
  const A nan_a = std::numeric_limits<A>::quiet_NaN();
  const B nan_b = std::numeric_limits<B>::quiet_NaN();
  for (A a : Ends<A>()) EXPECT_TRUE(min(a, nan_b) == a && max(a, nan_b) == a) << a;
  for (B b : Ends<B>()) EXPECT_TRUE(min(nan_a, b) == b && max(nan_a, b) == b) << b;
  EXPECT_TRUE(std::isnan(min(nan_a, nan_b)) && std::isnan(max(nan_a, nan_b)));
}

TEST(IntegerFunctions, MinimaAndMaximaOfEveryOverload) {
  ExpectMinimaAndMaximaOfWidth<int, unsigned>();
  ExpectMinimaAndMaximaOfWidth<long, unsigned long>();
  ExpectMinimaAndMaximaOfWidth<long long, unsigned long long>();
  ExpectMinimaAndMaxima<float, float, float>();
  ExpectMinimaAndMaxima<double, double, double>();
  ExpectMinimaAndMaxima<double, float, double>();
  ExpectMinimaAndMaxima<double, double, float>();
  ANumberWinsAgainstNan<float, float>();
  ANumberWinsAgainstNan<double, double>();
  ANumberWinsAgainstNan<float, double>();
  ANumberWinsAgainstNan<double, float>();
  for (unsigned a : Ends<unsigned>()) {
    for (unsigned b : Ends<unsigned>()) {
      ASSERT_TRUE(umin(a, b) == std::min(a, b) && umax(a, b) == std::max(a, b));
    }
  }
  for (long long a : Ends<long long>()) {
    for (long long b : Ends<long long>()) {
      ASSERT_TRUE(llmin(a, b) == std::min(a, b) && llmax(a, b) == std::max(a, b));
      const auto x = static_cast<unsigned long long>(a), y = static_cast<unsigned long long>(b);
      ASSERT_TRUE(ullmin(x, y) == std::min(x, y) && ullmax(x, y) == std::max(x, y));
    }
  }
}

}  // namespace
}  // namespace padproof
