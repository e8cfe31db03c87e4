// The 16-bit types of the SIMT layer: every pattern of each function of one operand against the
// long double function rounded by search, every gap between neighbours, and which conversions are
// implicit. Functions of two and three operands are in half_arithmetic_test.cc.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "harness/base/random.h"
#include "harness/simt/half_test_util.h"

namespace padproof {
namespace {

template <class T>
class HalfOfEachType : public testing::Test {};
TYPED_TEST_SUITE(HalfOfEachType, SixteenBitTypes);

// ---- types --------------------------------------------------------------------------------------

template <class T>
concept AddsFloat = requires(T value) { value + 1.0f; };
template <class T>
concept AddsInt = requires(T value) { value + 1; };

TYPED_TEST(HalfOfEachType, ConvertsAsTheToolkitsType) {
  using T = TypeParam;
  static_assert(sizeof(T) == 2 && alignof(T) == 2 && std::is_trivially_copyable_v<T>);
  static_assert(std::is_trivially_default_constructible_v<T>);
  static_assert(std::is_convertible_v<float, T> && std::is_convertible_v<double, T>);
  static_assert(std::is_convertible_v<int, T> && std::is_convertible_v<unsigned long long, T>);
  static_assert(std::is_convertible_v<T, float> && std::is_convertible_v<T, double>);
  static_assert(std::is_convertible_v<T, int> && std::is_convertible_v<T, size_t>);
  static_assert(std::is_convertible_v<T, bool>);
  // nvcc too: between operator+ of two numbers and the built-in ones.
  static_assert(!AddsFloat<T> && !AddsInt<T>);
  static_assert(!std::is_convertible_v<__half, __nv_bfloat16>);
  static_assert(!std::is_convertible_v<__nv_bfloat16, __half>);
  static_assert(std::is_constructible_v<__half, __nv_bfloat16>);
  static_assert(std::is_constructible_v<__nv_bfloat16, __half>);
  static_assert(sizeof(__half2) == 4 && alignof(__half2) == 4 && alignof(__nv_bfloat162) == 4);

  T h = 1.5f;
  h = 2;
  h = 0.25;
  h += T(1);
  const float f = h;
  const double d = h;
  EXPECT_EQ(f, 1.25f);
  EXPECT_EQ(d, 1.25);
  if (h) h = -h;
  EXPECT_EQ(static_cast<int>(h), -1);
}

// ---- float to and from 16 bits ------------------------------------------------------------------

TYPED_TEST(HalfOfEachType, EveryPatternRoundTrips) {
  using T = TypeParam;
  for (int pattern = 0; pattern < 0x10000; pattern++) {
    const float value = Pattern<T>(pattern);
    const long double real = RealOf<T>(pattern);
    if (std::isnan(real)) {
      ASSERT_TRUE(std::isnan(value)) << std::hex << pattern;
      ASSERT_EQ(BitsOf(T(value)), 0x7fff) << std::hex << pattern;
      continue;
    }
    ASSERT_EQ(value, real) << std::hex << pattern;
    ASSERT_EQ(std::signbit(value), pattern > 0x7fff) << std::hex << pattern;
    ASSERT_EQ(BitsOf(T(value)), pattern) << std::hex << pattern;
  }
}

template <class T>
void ExpectRounded(double value) {
  const auto expect = [&](T got, Direction direction) {
    ASSERT_EQ(BitsOf(got), PatternFor(kFormat<T>, static_cast<long double>(value), direction))
        << std::hexfloat << value << " direction " << static_cast<int>(direction);
  };
  expect(T(value), Direction::nearest);
  const auto f = static_cast<float>(value);
  if (f != value) return;
  expect(T(f), Direction::nearest);
  if constexpr (std::is_same_v<T, __half>) {
    expect(__float2half_rz(f), Direction::zero);
    expect(__float2half_ru(f), Direction::up);
    expect(__float2half_rd(f), Direction::down);
  } else {
    expect(__float2bfloat16_rz(f), Direction::zero);
    expect(__float2bfloat16_ru(f), Direction::up);
    expect(__float2bfloat16_rd(f), Direction::down);
  }
}

TYPED_TEST(HalfOfEachType, EveryGapRoundsInEveryMode) {
  using T = TypeParam;
  const SixteenBitFormat& f = kFormat<T>;
  for (int lower = 0; lower < f.Infinity(); lower++) {
    const auto low = static_cast<double>(f.ValueOf(lower));
    const auto middle = static_cast<double>((f.ValueOf(lower) + f.ValueOf(lower + 1)) / 2);
    const auto as_float = static_cast<float>(middle);
    for (double value : {low, middle, std::nextafter(middle, 0.0), std::nextafter(middle, 1e300),
                         double{std::nextafterf(as_float, 0.0f)}, std::nextafter(low, 1e300),
                         double{std::nextafterf(as_float, INFINITY)}}) {
      ExpectRounded<T>(value);
      ExpectRounded<T>(-value);
    }
  }
  ExpectRounded<T>(1e300);
  ExpectRounded<T>(-1e300);
  ExpectRounded<T>(0x1p-1074);
  ExpectRounded<T>(-0x1p-149);
}

TYPED_TEST(HalfOfEachType, RandomFloatsAndDoublesRound) {
  using T = TypeParam;
  Random random(1);
  for (int n = 0; n < 100000; n++) {
    const uint64_t bits = random.Next();
    const auto f = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (!std::isnan(f)) ExpectRounded<T>(f);
    const double near = std::ldexp(std::bit_cast<double>(bits >> 12 | 0x3ff0000000000000),
                                   static_cast<int>(bits % 50) - 30);
    ExpectRounded<T>(n % 2 == 0 ? near : -near);
  }
  EXPECT_EQ(BitsOf(T(std::numeric_limits<float>::quiet_NaN())), 0x7fff);
  EXPECT_EQ(BitsOf(T(-std::numeric_limits<double>::quiet_NaN())), 0x7fff);
}

TEST(Half, KnownRoundings) {
  EXPECT_EQ(BitsOf(__half(1.0f)), 0x3c00);
  EXPECT_EQ(BitsOf(__half(65519.996f)), 0x7bff);
  EXPECT_EQ(BitsOf(__half(65520.0f)), 0x7c00);
  EXPECT_EQ(BitsOf(__half(0x1p-25f)), 0x0000);
  EXPECT_EQ(BitsOf(__half(0x1.000002p-25f)), 0x0001);
  EXPECT_EQ(BitsOf(__half(1.0f + 0x3p-11f)), 0x3c02);
  EXPECT_EQ(BitsOf(__nv_bfloat16(1.0f + 0x1p-8f)), 0x3f80);
  EXPECT_EQ(BitsOf(__nv_bfloat16(1.0f + 0x3p-8f)), 0x3f82);
  EXPECT_EQ(BitsOf(__nv_bfloat16(std::numeric_limits<float>::max())), 0x7f80);
  // By way of float this would be rounded twice, to 0x3c00.
  EXPECT_EQ(BitsOf(__half(1.0 + 0x1p-11 + 0x1p-40)), 0x3c01);
}

// ---- functions of one number --------------------------------------------------------------------

/// `real(x)` is the mathematical function. Where it is not exact, its error must not matter: the
/// result has to be clear of the midpoint it is rounded at.
template <class T, class Function, class Real>
void EveryPatternIsRoundedOnce(const char* name, Function function, Real real) {
  for (int pattern = 0; pattern < 0x10000; pattern++) {
    const long double exact = real(RealOf<T>(pattern));
    const int expected = PatternFor(kFormat<T>, exact);
    ASSERT_EQ(BitsOf(function(Pattern<T>(pattern))), expected)
        << name << " of " << std::hex << pattern;
    int exponent = 0;
    if (std::frexp(exact, &exponent) == 0.5L) continue;  // exp2 of an integer: it may be a midpoint
    const long double margin = 0x1p-58L;
    ASSERT_EQ(PatternFor(kFormat<T>, exact * (1 - margin)), expected) << name << " " << pattern;
    ASSERT_EQ(PatternFor(kFormat<T>, exact * (1 + margin)), expected) << name << " " << pattern;
  }
}

template <class T, class OfPair, class Function>
void PairsAreTwoNumbers(const char* name, OfPair of_pair, Function function) {
  for (int pattern = 0; pattern < 0x10000; pattern++) {
    const T x = Pattern<T>(pattern), y = Pattern<T>(0xffff - pattern);
    const auto pair = of_pair({x, y});
    ASSERT_EQ(BitsOf(pair.x), BitsOf(function(x))) << name << " of " << std::hex << pattern;
    ASSERT_EQ(BitsOf(pair.y), BitsOf(function(y))) << name << " of " << std::hex << pattern;
  }
}

#define EXPECT_ROUNDED_ONCE(name, expression)                   \
  EveryPatternIsRoundedOnce<TypeParam>(                         \
      #name, [](TypeParam h) { return h##name(h); },            \
      [](long double x) -> long double { return expression; }); \
  PairsAreTwoNumbers<TypeParam>(                                \
      #name, [](PairOf<TypeParam> h) { return h2##name(h); },   \
      [](TypeParam h) { return h##name(h); })

TYPED_TEST(HalfOfEachType, AlgebraicFunctionsAreRoundedOnce) {
  EXPECT_ROUNDED_ONCE(sqrt, std::sqrt(x));
  EXPECT_ROUNDED_ONCE(rsqrt, 1 / std::sqrt(x));
  EXPECT_ROUNDED_ONCE(rcp, 1 / x);
  EXPECT_ROUNDED_ONCE(trunc, std::trunc(x));
  EXPECT_ROUNDED_ONCE(ceil, std::ceil(x));
  EXPECT_ROUNDED_ONCE(floor, std::floor(x));
  EXPECT_ROUNDED_ONCE(rint, std::nearbyint(x));
}

TYPED_TEST(HalfOfEachType, ExponentialsAndLogarithmsAreRoundedOnce) {
  EXPECT_ROUNDED_ONCE(exp, std::exp(x));
  EXPECT_ROUNDED_ONCE(exp2, std::exp2(x));
  EXPECT_ROUNDED_ONCE(exp10, std::pow(10.0L, x));
  EXPECT_ROUNDED_ONCE(log, std::log(x));
  EXPECT_ROUNDED_ONCE(log2, std::log2(x));
  EXPECT_ROUNDED_ONCE(log10, std::log10(x));
}

TYPED_TEST(HalfOfEachType, TrigonometricFunctionsAreRoundedOnce) {
  EXPECT_ROUNDED_ONCE(sin, std::sin(x));
  EXPECT_ROUNDED_ONCE(cos, std::cos(x));
  EXPECT_ROUNDED_ONCE(tanh, std::tanh(x));
  EXPECT_ROUNDED_ONCE(tanh_approx, std::tanh(x));
}

TYPED_TEST(HalfOfEachType, SignsAndClasses) {
  using T = TypeParam;
  for (int pattern = 0; pattern < 0x10000; pattern++) {
    const T h = Pattern<T>(pattern);
    const bool nan = IsNan<T>(pattern);
    ASSERT_EQ(BitsOf(__hneg(h)), nan ? 0x7fff : pattern ^ 0x8000);
    ASSERT_EQ(BitsOf(-h), nan ? 0x7fff : pattern ^ 0x8000);
    ASSERT_EQ(BitsOf(__habs(h)), nan ? 0x7fff : pattern & 0x7fff);
    ASSERT_EQ(__hisnan(h), nan);
    const bool infinite = (pattern & 0x7fff) == kFormat<T>.Infinity();
    ASSERT_EQ(__hisinf(h), infinite ? (pattern > 0x7fff ? -1 : 1) : 0);
    ASSERT_EQ(static_cast<bool>(h), (pattern & 0x7fff) != 0);
    const auto pair = Pair<T>(pattern, 0xffff - pattern), abs = __habs2(pair),
               nans = __hisnan2(pair);
    for (const PairOf<T>& negative : {__hneg2(pair), -pair}) {
      ASSERT_EQ(BitsOf(negative.x), BitsOf(__hneg(pair.x)));
      ASSERT_EQ(BitsOf(negative.y), BitsOf(__hneg(pair.y)));
    }
    ASSERT_TRUE(BitsOf(abs.x) == BitsOf(__habs(pair.x)) && BitsOf(abs.y) == BitsOf(__habs(pair.y)));
    ASSERT_EQ(BitsOf(nans.x), BitsOf(T(nan ? 1.0f : 0.0f)));
    ASSERT_EQ(BitsOf(nans.y), BitsOf(T(IsNan<T>(0xffff - pattern) ? 1.0f : 0.0f)));
  }
}

// ---- integers -----------------------------------------------------------------------------------

long double RoundedTo(long double x, Direction direction) {
  switch (direction) {
    case Direction::nearest:
      return std::nearbyint(x);
    case Direction::zero:
      return std::trunc(x);
    case Direction::up:
      return std::ceil(x);
    case Direction::down:
      return std::floor(x);
  }
  return x;
}

/// PTX ISA, cvt: clamped; NaN is 0, or the top bit alone if there are 64.
template <class Integer>
Integer IntegerFor(long double x, Direction direction) {
  using Limits = std::numeric_limits<Integer>;
  if (std::isnan(x)) {
    return sizeof(Integer) == 8 ? static_cast<Integer>(uint64_t{1} << 63) : Integer{0};
  }
  const long double rounded = RoundedTo(x, direction);
  if (rounded <= static_cast<long double>(Limits::min())) return Limits::min();
  if (rounded >= static_cast<long double>(Limits::max())) return Limits::max();
  return static_cast<Integer>(rounded);
}

template <class T, class Integer>
void IntegersConvert(Integer (*from)(T), T (*to)(Integer), Direction direction) {
  for (int pattern = 0; pattern < 0x10000; pattern++) {
    ASSERT_EQ(from(Pattern<T>(pattern)), IntegerFor<Integer>(RealOf<T>(pattern), direction))
        << std::hex << pattern << " direction " << static_cast<int>(direction);
  }
  Random random(2);
  for (int n = 0; n < kPatterns; n++) {  // every value of 16 bits; of more, small ones and random
    const bool all = sizeof(Integer) == 2 || n < 256;
    const auto value =
        static_cast<Integer>(all ? uint64_t(n) - 128 : random.Next() >> random.Next() % 64);
    ASSERT_EQ(BitsOf(to(value)), PatternFor(kFormat<T>, static_cast<long double>(value), direction))
        << value << " direction " << static_cast<int>(direction);
  }
}

#define EXPECT_INTEGERS(T, name, Integer, integer)                                  \
  IntegersConvert<T, Integer>(__##name##2##integer##_rn, __##integer##2##name##_rn, \
                              Direction::nearest);                                  \
  IntegersConvert<T, Integer>(__##name##2##integer##_rz, __##integer##2##name##_rz, \
                              Direction::zero);                                     \
  IntegersConvert<T, Integer>(__##name##2##integer##_ru, __##integer##2##name##_ru, \
                              Direction::up);                                       \
  IntegersConvert<T, Integer>(__##name##2##integer##_rd, __##integer##2##name##_rd, Direction::down)

TEST(Half, IntegersConvertInEveryMode) {
  EXPECT_INTEGERS(__half, half, short, short);
  EXPECT_INTEGERS(__half, half, unsigned short, ushort);
  EXPECT_INTEGERS(__half, half, int, int);
  EXPECT_INTEGERS(__half, half, unsigned, uint);
  EXPECT_INTEGERS(__half, half, long long, ll);
  EXPECT_INTEGERS(__half, half, unsigned long long, ull);
}

TEST(Bfloat16, IntegersConvertInEveryMode) {
  EXPECT_INTEGERS(__nv_bfloat16, bfloat16, short, short);
  EXPECT_INTEGERS(__nv_bfloat16, bfloat16, unsigned short, ushort);
  EXPECT_INTEGERS(__nv_bfloat16, bfloat16, int, int);
  EXPECT_INTEGERS(__nv_bfloat16, bfloat16, unsigned, uint);
  EXPECT_INTEGERS(__nv_bfloat16, bfloat16, long long, ll);
  EXPECT_INTEGERS(__nv_bfloat16, bfloat16, unsigned long long, ull);
}

}  // namespace
}  // namespace padproof
