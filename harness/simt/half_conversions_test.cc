// Conversions of the 16-bit types to float, integers, each other and back, alone and in pairs, and
// what takes pairs apart: every pattern, against its number. How double and float round is in
// half_test.cc, how integers do under names with a rounding mode too.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#include "harness/base/random.h"
#include "harness/simt/half_test_util.h"

namespace padproof {
namespace {

template <class T>
class HalfConversions : public testing::Test {};
TYPED_TEST_SUITE(HalfConversions, SixteenBitTypes);

/// The names of one type, as the toolkit spells them.
template <class T>
struct Names;
#define PADPROOF_NAMES(T, name)                                                      \
  template <>                                                                        \
  struct Names<T> {                                                                  \
    using Pair = PairOf<T>;                                                          \
    static float ToFloat(T v) { return __##name##2float(v); }                        \
    static float2 PairToFloats(Pair v) { return __##name##22float2(v); }             \
    static T FromFloat(float v) { return __float2##name(v); }                        \
    static T FromFloatRn(float v) { return __float2##name##_rn(v); }                 \
    static T FromDouble(double v) { return __double2##name(v); }                     \
    static Pair TwiceFromFloat(float v) { return __float2##name##2_rn(v); }          \
    static Pair FromFloats(float x, float y) { return __floats2##name##2_rn(x, y); } \
    static Pair FromFloat2(float2 v) { return __float22##name##2_rn(v); }            \
    static signed char ToChar(T v) { return __##name##2char_rz(v); }                 \
    static unsigned char ToUchar(T v) { return __##name##2uchar_rz(v); }             \
    static Pair Twice(T v) { return __##name##2##name##2(v); }                       \
    static Pair Make(T x, T y) { return make_##name##2(x, y); }                      \
    static Pair Halves(T x, T y) { return __halves2##name##2(x, y); }                \
    static Pair Lows(Pair a, Pair b) { return __lows2##name##2(a, b); }              \
    static Pair Highs(Pair a, Pair b) { return __highs2##name##2(a, b); }            \
    static T Low(Pair v) { return __low2##name(v); }                                 \
    static T High(Pair v) { return __high2##name(v); }                               \
    static Pair LowTwice(Pair v) { return __low2##name##2(v); }                      \
    static Pair HighTwice(Pair v) { return __high2##name##2(v); }                    \
    static short AsShort(T v) { return __##name##_as_short(v); }                     \
    static unsigned short AsUshort(T v) { return __##name##_as_ushort(v); }          \
    static T OfShort(short bits) { return __short_as_##name(bits); }                 \
    static T OfUshort(unsigned short bits) { return __ushort_as_##name(bits); }      \
  }
PADPROOF_NAMES(__half, half);
PADPROOF_NAMES(__nv_bfloat16, bfloat16);
#undef PADPROOF_NAMES

template <class T, class U>
bool SamePatterns(T a, U b) {
  static_assert(sizeof a == sizeof b);
  return std::memcmp(static_cast<const void*>(&a), static_cast<const void*>(&b), sizeof a) == 0;
}

/// The number of a pattern; of every NaN one.
template <class T>
bool IsNumberOf(int pattern, float got) {
  const long double real = RealOf<T>(pattern);
  return std::isnan(real) ? std::isnan(got)
                          : got == real && std::signbit(got) == (pattern > 0x7fff);
}

// ---- every pattern, and every pattern in either half of a pair ----------------------------------

TYPED_TEST(HalfConversions, ToAndFromFloat) {
  using T = TypeParam;
  using N = Names<T>;
  for (int low = 0; low < kPatterns; low++) {
    const int high = 0xffff - low;
    const T x = Pattern<T>(low), y = Pattern<T>(high);
    const PairOf<T> pair = Pair<T>(low, high);
    const float2 floats = N::PairToFloats(pair);
    for (float f : {N::ToFloat(x), __low2float(pair), floats.x}) {
      ASSERT_TRUE(IsNumberOf<T>(low, f)) << std::hex << low;
    }
    for (float f : {N::ToFloat(y), __high2float(pair), floats.y}) {
      ASSERT_TRUE(IsNumberOf<T>(high, f)) << std::hex << low;
    }
    // Back, with a quarter of a unit that rounding takes away.
    const auto near = [](int pattern) {
      const auto f = static_cast<float>(RealOf<T>(pattern));
      return IsNan<T>(pattern) || (pattern & 0x7fff) == kFormat<T>.Infinity()
                 ? f
                 : f + static_cast<float>(RealOf<T>((pattern & 0x7fff) + 1) -
                                          RealOf<T>(pattern & 0x7fff)) /
                           4;
    };
    const float f = near(low), g = near(high);
    const auto expected_of = [](float v) -> int { return PatternFor(kFormat<T>, v); };
    for (T h : {N::FromFloat(f), N::FromFloatRn(f), N::FromDouble(f), T(f), T(double{f})}) {
      ASSERT_EQ(BitsOf(h), expected_of(f)) << std::hex << low;
    }
    const PairOf<T> twice = N::TwiceFromFloat(f);
    ASSERT_TRUE(BitsOf(twice.x) == expected_of(f) && BitsOf(twice.y) == expected_of(f));
    for (const PairOf<T>& h : {N::FromFloats(f, g), N::FromFloat2(make_float2(f, g))}) {
      ASSERT_EQ(BitsOf(h.x), expected_of(f)) << std::hex << low;
      ASSERT_EQ(BitsOf(h.y), expected_of(g)) << std::hex << low;
    }
  }
}

TYPED_TEST(HalfConversions, PairsArePutTogetherAndTakenApart) {
  using T = TypeParam;
  using N = Names<T>;
  for (int a = 0; a < kPatterns; a++) {
    const int b = 0xffff - a, c = a ^ 0x1248, d = a ^ 0xe731;
    const T x = Pattern<T>(a), y = Pattern<T>(b);
    const PairOf<T> p = Pair<T>(a, b), q = Pair<T>(c, d);
    const auto is = [](const PairOf<T>& pair, int low, int high) {
      return BitsOf(pair.x) == low && BitsOf(pair.y) == high;
    };
    ASSERT_TRUE(is(p, a, b) && is(N::Make(x, y), a, b) && is(N::Halves(x, y), a, b));
    ASSERT_TRUE(is(N::Twice(x), a, a) && is(N::LowTwice(p), a, a) && is(N::HighTwice(p), b, b));
    ASSERT_TRUE(is(N::Lows(p, q), a, c) && is(N::Highs(p, q), b, d));
    ASSERT_TRUE(is(__lowhigh2highlow(p), b, a));
    ASSERT_TRUE(BitsOf(N::Low(p)) == a && BitsOf(N::High(p)) == b);
    const int word[] = {b << 16 | a};  // the lower half comes first in memory
    ASSERT_TRUE(SamePatterns(p, word[0]));
  }
}

TYPED_TEST(HalfConversions, BitsAreCast) {
  using T = TypeParam;
  using N = Names<T>;
  using Raw = std::conditional_t<std::is_same_v<T, __half>, __half_raw, __nv_bfloat16_raw>;
  using PairRaw = std::conditional_t<std::is_same_v<T, __half>, __half2_raw, __nv_bfloat162_raw>;
  for (int pattern = 0; pattern < kPatterns; pattern++) {
    const auto bits = static_cast<unsigned short>(pattern);
    const auto other = static_cast<unsigned short>(0xffff - pattern);
    const T h = Pattern<T>(pattern);
    ASSERT_EQ(N::AsUshort(h), bits);
    ASSERT_EQ(N::AsShort(h), pattern < 0x8000 ? pattern : pattern - 0x10000);
    ASSERT_EQ(BitsOf(N::OfUshort(bits)), pattern);
    ASSERT_EQ(BitsOf(N::OfShort(static_cast<short>(bits))), pattern);
    ASSERT_EQ(BitsOf(T(Raw{bits})), pattern);
    ASSERT_EQ(static_cast<Raw>(h).x, bits);
    const PairOf<T> pair(PairRaw{bits, other});
    ASSERT_TRUE(BitsOf(pair.x) == bits && BitsOf(pair.y) == other);
    const PairRaw raw = pair;
    ASSERT_TRUE(raw.x == bits && raw.y == other);
  }
}

TEST(HalfAndBfloat16, ConvertIntoEachOtherByWayOfTheNumber) {
  for (int pattern = 0; pattern < kPatterns; pattern++) {
    const auto to_half = PatternFor(kHalf16, RealOf<__nv_bfloat16>(pattern));
    const auto to_bfloat16 = PatternFor(kBfloat16, RealOf<__half>(pattern));
    ASSERT_EQ(BitsOf(__half(Pattern<__nv_bfloat16>(pattern))), to_half) << std::hex << pattern;
    ASSERT_EQ(BitsOf(__nv_bfloat16(Pattern<__half>(pattern))), to_bfloat16) << std::hex << pattern;
  }
}

// ---- integers -----------------------------------------------------------------------------------

/// Truncated and clamped; NaN is 0, or the top bit alone if there are 64 (PTX ISA, cvt).
template <class Integer>
Integer Truncated(long double x) {
  using Limits = std::numeric_limits<Integer>;
  if (std::isnan(x)) {
    return sizeof(Integer) == 8 ? static_cast<Integer>(uint64_t{1} << 63) : Integer{0};
  }
  if (x <= static_cast<long double>(Limits::min())) return Limits::min();
  if (x >= static_cast<long double>(Limits::max())) return Limits::max();
  return static_cast<Integer>(x);
}

template <class T, class Integer>
void CastsTruncate() {
  for (int pattern = 0; pattern < kPatterns; pattern++) {
    const Integer expected = Truncated<Integer>(RealOf<T>(pattern));
    ASSERT_EQ(static_cast<Integer>(Pattern<T>(pattern)), expected) << std::hex << pattern;
  }
}

/// Every value of 16 bits; of more, small ones and random ones of every size.
template <class T, class Integer>
void NumbersOfIntegersAreRounded() {
  Random random(8);
  for (int n = -0x8000; n < 0x10000; n++) {
    const uint64_t bits = n % 2 == 0 ? static_cast<uint64_t>(n) : random.Next() >> random.Below(64);
    const auto value = sizeof(Integer) == 2 ? static_cast<Integer>(n) : static_cast<Integer>(bits);
    ASSERT_EQ(BitsOf(T(value)), PatternFor(kFormat<T>, static_cast<long double>(value))) << value;
    T assigned = T(0.0f);
    assigned = value;
    ASSERT_EQ(BitsOf(assigned), BitsOf(T(value)));
  }
}

TYPED_TEST(HalfConversions, CastsToIntegersTruncateAndClamp) {
  using T = TypeParam;
  CastsTruncate<T, char>();
  CastsTruncate<T, signed char>();
  CastsTruncate<T, unsigned char>();
  CastsTruncate<T, short>();
  CastsTruncate<T, unsigned short>();
  CastsTruncate<T, int>();
  CastsTruncate<T, unsigned>();
  CastsTruncate<T, long>();
  CastsTruncate<T, unsigned long>();
  CastsTruncate<T, long long>();
  CastsTruncate<T, unsigned long long>();
  for (int pattern = 0; pattern < kPatterns; pattern++) {
    const T h = Pattern<T>(pattern);
    ASSERT_EQ(Names<T>::ToChar(h), Truncated<signed char>(RealOf<T>(pattern)));
    ASSERT_EQ(Names<T>::ToUchar(h), Truncated<unsigned char>(RealOf<T>(pattern)));
  }
}

TYPED_TEST(HalfConversions, IntegersOfEveryWidthAreRoundedOnce) {
  using T = TypeParam;
  NumbersOfIntegersAreRounded<T, short>();
  NumbersOfIntegersAreRounded<T, unsigned short>();
  NumbersOfIntegersAreRounded<T, int>();
  NumbersOfIntegersAreRounded<T, unsigned>();
  NumbersOfIntegersAreRounded<T, long>();
  NumbersOfIntegersAreRounded<T, unsigned long>();
  NumbersOfIntegersAreRounded<T, long long>();
  NumbersOfIntegersAreRounded<T, unsigned long long>();
}

// ---- constants ----------------------------------------------------------------------------------

TEST(HalfConstants, AreTheNumbersOfTheirNames) {
  EXPECT_EQ(__half2float(CUDART_INF_FP16), INFINITY);
  EXPECT_EQ(BitsOf(CUDART_NAN_FP16), 0x7fff);
  EXPECT_EQ(__half2float(CUDART_MIN_DENORM_FP16), 0x1p-24f);
  EXPECT_EQ(__half2float(CUDART_MAX_NORMAL_FP16), 65504.0f);
  EXPECT_EQ(__half2float(CUDART_ONE_FP16), 1.0f);
  EXPECT_EQ(BitsOf(CUDART_ZERO_FP16), BitsOf(__half(0.0f)));
  EXPECT_EQ(BitsOf(CUDART_NEG_ZERO_FP16), BitsOf(__half(-0.0f)));
  EXPECT_EQ(__bfloat162float(CUDART_INF_BF16), INFINITY);
  EXPECT_EQ(BitsOf(CUDART_NAN_BF16), 0x7fff);
  EXPECT_EQ(__bfloat162float(CUDART_MIN_DENORM_BF16), 0x1p-133f);
  EXPECT_EQ(__bfloat162float(CUDART_MAX_NORMAL_BF16), 0x1.fep127f);
  EXPECT_EQ(__bfloat162float(CUDART_ONE_BF16), 1.0f);
  EXPECT_EQ(BitsOf(CUDART_ZERO_BF16), BitsOf(__nv_bfloat16(0.0f)));
  EXPECT_EQ(BitsOf(CUDART_NEG_ZERO_BF16), BitsOf(__nv_bfloat16(-0.0f)));
}

}  // namespace
}  // namespace padproof
