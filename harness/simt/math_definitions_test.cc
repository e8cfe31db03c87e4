// Math functions of the SIMT layer beside the C library's, each under all its names, in float and
// double: against long double over a spread of arguments, and where the definition fixes more than
// accuracy: zeros, infinity, NaN, exact multiples. Every constant against its formula. Casts of
// bits for every pattern of a half of a word.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

const long double kPi = std::acos(-1.0L);

/// Within `ulps` units in the last place of the exact value's rounding to T, as CUDA's tables of
/// errors count them.
template <class T>
void ExpectNear(const char* name, T got, long double exact, int ulps) {
  const auto rounded = static_cast<T>(exact);
  if (std::isnan(rounded) || std::isinf(rounded)) {
    ASSERT_TRUE(got == rounded || (std::isnan(got) && std::isnan(rounded))) << name << " " << got;
    return;
  }
  const T above = std::nextafter(std::fabs(rounded), std::numeric_limits<T>::infinity());
  const long double unit = static_cast<long double>(above) - std::fabs(rounded);
  ASSERT_LE(std::fabs(static_cast<long double>(got) - rounded), ulps * unit)
      << name << " " << got << ", exactly " << static_cast<double>(exact);
}

/// Of every size, and of both signs.
template <class T>
std::vector<T> Arguments(int least_exponent, int most_exponent) {
  std::vector<T> arguments;
  Random random(9);
  for (int n = 0; n < 3000; n++) {
    const T fraction = std::ldexp(static_cast<T>(random.Next() >> 11), -53);
    const T x = std::ldexp(1 + fraction, random.Between(least_exponent, most_exponent));
    arguments.push_back(n % 2 == 0 ? x : -x);
  }
  return arguments;
}

// ---- functions ----------------------------------------------------------------------------------

TEST(MathDefinitions, RootsReciprocal) {
  for (float x : Arguments<float>(-126, 126)) {
    const long double w = x;
    ExpectNear("rsqrtf", rsqrtf(x), 1 / std::sqrt(w), 2);
    ExpectNear("rcbrtf", rcbrtf(x), 1 / std::cbrt(w), 1);
  }
  for (double x : Arguments<double>(-1022, 1022)) {
    const long double w = x;
    ExpectNear("rsqrt", rsqrt(x), 1 / std::sqrt(w), 1);
    ExpectNear("rcbrt", rcbrt(x), 1 / std::cbrt(w), 1);
  }
  EXPECT_EQ(rsqrtf(0.0f), INFINITY);
  EXPECT_EQ(rsqrt(-0.0), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(rsqrtf(INFINITY), 0.0f);
  EXPECT_TRUE(std::isnan(rsqrt(-1.0)));
  EXPECT_EQ(rcbrt(-0.0), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(rcbrtf(-INFINITY), 0.0f);
}

template <class T>
void ExpectTurn(T x, T sine, T cosine, T both_sine, T both_cosine) {
  const long double turn = kPi * std::remainder(static_cast<long double>(x), 2.0L);
  // About zeros, where a relative bound would ask for more digits of pi than there are.
  const long double unit = std::numeric_limits<T>::epsilon();
  ASSERT_LE(std::fabs(sine - std::sin(turn)), 2 * unit) << x;
  ASSERT_LE(std::fabs(cosine - std::cos(turn)), 2 * unit) << x;
  ASSERT_TRUE(both_sine == sine && both_cosine == cosine) << x;
}

TEST(MathDefinitions, SinesAndCosinesOfMultiplesOfPi) {
  for (float x : Arguments<float>(-10, 20)) {
    float sine = 0, cosine = 0;
    sincospif(x, &sine, &cosine);
    ExpectTurn(x, sinpif(x), cospif(x), sine, cosine);
  }
  for (double x : Arguments<double>(-10, 40)) {
    double sine = 0, cosine = 0;
    sincospi(x, &sine, &cosine);
    ExpectTurn(x, sinpi(x), cospi(x), sine, cosine);
  }
  for (int n = -40; n <= 40; n++) {  // exactly, at multiples of a half
    const int quarter = ((n % 4) + 4) % 4;
    const double expected_sine[] = {0, 1, 0, -1}, expected_cosine[] = {1, 0, -1, 0};
    EXPECT_EQ(sinpi(n / 2.0), expected_sine[quarter]) << n;
    EXPECT_EQ(cospi(n / 2.0), expected_cosine[quarter]) << n;
    EXPECT_EQ(sinpif(static_cast<float>(n) / 2), expected_sine[quarter]) << n;
    EXPECT_EQ(cospif(static_cast<float>(n) / 2), expected_cosine[quarter]) << n;
  }
  EXPECT_TRUE(std::signbit(sinpi(-0.0)) && !std::signbit(sinpif(0.0f)));
  EXPECT_TRUE(std::isnan(sinpif(INFINITY)) && std::isnan(cospi(NAN)));
}

TEST(MathDefinitions, NormalDistributionAndScaledError) {
  for (float x : Arguments<float>(-20, 3)) {
    ExpectNear("normcdff", normcdff(x),
               std::erfc(-static_cast<long double>(x) / std::sqrt(2.0L)) / 2,
               5);  // CUDA: 5
  }
  for (double x : Arguments<double>(-20, 4)) {
    const long double exact = std::erfc(-static_cast<long double>(x) / std::sqrt(2.0L)) / 2;
    ExpectNear("normcdf", normcdf(x), exact, 5);  // CUDA: 5
  }
  EXPECT_EQ(normcdf(0.0), 0.5);
  EXPECT_EQ(normcdff(INFINITY), 1.0f);
  EXPECT_EQ(normcdf(-std::numeric_limits<double>::infinity()), 0.0);
  EXPECT_EQ(erfcxf(0.0f), 1.0f);
  EXPECT_EQ(erfcxf(INFINITY), 0.0f);
  EXPECT_EQ(erfcxf(-INFINITY), INFINITY);
}

TEST(MathDefinitions, Norms) {
  Random random(10);
  const auto draw = [&] { return std::ldexp(random.Between(-1000, 1000), random.Between(-9, 9)); };
  for (int n = 0; n < 3000; n++) {
    const double a = draw(), b = draw(), c = draw(), d = draw();
    const auto f = [](double v) { return static_cast<float>(v); };
    const long double two = std::hypot(static_cast<long double>(a), b);
    const long double three = std::hypot(two, c), four = std::hypot(three, d);
    ExpectNear("rhypot", rhypot(a, b), 1 / two, 4);
    ExpectNear("rhypotf", rhypotf(f(a), f(b)), 1 / two, 2);
    ExpectNear("norm3d", norm3d(a, b, c), three, 4);
    ExpectNear("norm3df", norm3df(f(a), f(b), f(c)), three, 2);
    ExpectNear("rnorm3d", rnorm3d(a, b, c), 1 / three, 4);
    ExpectNear("rnorm3df", rnorm3df(f(a), f(b), f(c)), 1 / three, 2);
    ExpectNear("norm4d", norm4d(a, b, c, d), four, 4);
    ExpectNear("norm4df", norm4df(f(a), f(b), f(c), f(d)), four, 2);
    ExpectNear("rnorm4d", rnorm4d(a, b, c, d), 1 / four, 4);
    ExpectNear("rnorm4df", rnorm4df(f(a), f(b), f(c), f(d)), 1 / four, 2);
  }
  EXPECT_EQ(norm4d(3e300, 0, 0, 4e300), 5e300);  // no overflow on the way
  EXPECT_EQ(rnorm3d(0, 0, 0), INFINITY);
}

TEST(MathDefinitions, QuotientsAndPowersOfApproximations) {
  const std::vector<float> numbers = Arguments<float>(-60, 60);
  for (size_t i = 1; i < numbers.size(); i++) {
    const float x = numbers[i], y = numbers[i - 1];
    const long double exact = static_cast<long double>(x) / y;
    ExpectNear("fdividef", fdividef(x, y), exact, 2);
    ExpectNear("__fdividef", __fdividef(x, y), exact, 2);
    const float base = std::fabs(x), power = std::fmod(y, 2.0f);
    ExpectNear("__powf", __powf(base, power), std::pow(static_cast<long double>(base), power), 2);
  }
  for (float sign : {1.0f, -1.0f}) {  // 2^126 < |y| < 2^128: 0, or NaN for an infinite dividend
    for (float y : {0x1.000002p126f, 0x1p127f, 0x1.fffffep127f}) {
      EXPECT_EQ(__fdividef(0x1.8p127f, sign * y), 0.0f);
      EXPECT_TRUE(std::isnan(__fdividef(INFINITY, sign * y)));
    }
    EXPECT_EQ(__fdividef(0x1p126f, sign * 0x1p126f), sign);
  }
}

// ---- constants ----------------------------------------------------------------------------------

TEST(MathDefinitions, ConstantsOfSinglePrecision) {
  const auto f = [](long double v) { return static_cast<float>(v); };
  EXPECT_EQ(CUDART_SQRT_TWO_F, f(std::sqrt(2.0L)));
  EXPECT_EQ(CUDART_SQRT_HALF_F, f(std::sqrt(0.5L)));
  EXPECT_EQ(CUDART_THIRD_F, f(1.0L / 3));
  EXPECT_EQ(CUDART_PI_F, f(kPi));
  EXPECT_EQ(CUDART_PIO4_F, f(kPi / 4));
  EXPECT_EQ(CUDART_PIO2_F, f(kPi / 2));
  EXPECT_EQ(CUDART_3PIO4_F, f(3 * kPi / 4));
  EXPECT_EQ(CUDART_2_OVER_PI_F, f(2 / kPi));
  EXPECT_EQ(CUDART_SQRT_2_OVER_PI_F, f(std::sqrt(2 / kPi)));
  EXPECT_EQ(CUDART_L2E_F, f(std::log2(std::exp(1.0L))));
  EXPECT_EQ(CUDART_L2T_F, f(std::log2(10.0L)));
  EXPECT_EQ(CUDART_LG2_F, f(std::log10(2.0L)));
  EXPECT_EQ(CUDART_LGE_F, f(std::log10(std::exp(1.0L))));
  EXPECT_EQ(CUDART_LN2_F, f(std::log(2.0L)));
  EXPECT_EQ(CUDART_LNT_F, f(std::log(10.0L)));
  EXPECT_EQ(CUDART_LNPI_F, f(std::log(kPi)));
  EXPECT_EQ(CUDART_TWO_TO_M126_F, std::ldexp(1.0f, -126));
  EXPECT_EQ(CUDART_TWO_TO_126_F, std::ldexp(1.0f, 126));
  EXPECT_EQ(CUDART_NORM_HUGE_F, std::numeric_limits<float>::max());
  EXPECT_EQ(CUDART_TWO_TO_23_F, std::ldexp(1.0f, 23));
  EXPECT_EQ(CUDART_TWO_TO_24_F, std::ldexp(1.0f, 24));
  EXPECT_EQ(CUDART_TWO_TO_31_F, std::ldexp(1.0f, 31));
  EXPECT_EQ(CUDART_TWO_TO_32_F, std::ldexp(1.0f, 32));
  EXPECT_EQ(__float_as_uint(CUDART_NEG_ZERO_F), 0x80000000u);
  EXPECT_EQ(__float_as_uint(CUDART_ZERO_F), 0u);
  EXPECT_EQ(CUDART_ONE_F, std::exp2(0.0f));
}

TEST(MathDefinitions, ConstantsOfDoublePrecision) {
  const auto d = [](long double v) { return static_cast<double>(v); };
  EXPECT_EQ(CUDART_SQRT_TWO, d(std::sqrt(2.0L)));
  EXPECT_EQ(CUDART_SQRT_HALF, d(std::sqrt(0.5L)));
  EXPECT_EQ(CUDART_THIRD, d(1.0L / 3));
  EXPECT_EQ(CUDART_TWOTHIRD, d(2.0L / 3));
  EXPECT_EQ(CUDART_PI, d(kPi));
  EXPECT_EQ(CUDART_PIO4, d(kPi / 4));
  EXPECT_EQ(CUDART_PIO2, d(kPi / 2));
  EXPECT_EQ(CUDART_L2E, d(std::log2(std::exp(1.0L))));
  EXPECT_EQ(CUDART_LGE, d(std::log10(std::exp(1.0L))));
  EXPECT_EQ(CUDART_LN2, d(std::log(2.0L)));
  EXPECT_EQ(CUDART_LNT, d(std::log(10.0L)));
  EXPECT_EQ(CUDART_MIN_DENORM, std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(CUDART_TWO_TO_23, std::ldexp(1.0, 23));
  EXPECT_EQ(CUDART_TWO_TO_52, std::ldexp(1.0, 52));
  EXPECT_EQ(CUDART_TWO_TO_53, std::ldexp(1.0, 53));
  EXPECT_EQ(CUDART_TWO_TO_54, std::ldexp(1.0, 54));
  EXPECT_EQ(CUDART_TWO_TO_M54, std::ldexp(1.0, -54));
  EXPECT_EQ(CUDART_TWO_TO_M1022, std::numeric_limits<double>::min());
  EXPECT_TRUE(CUDART_ZERO == 0 && !std::signbit(CUDART_ZERO));
  EXPECT_EQ(CUDART_ONE, std::exp2(0.0));
}

// ---- bits ---------------------------------------------------------------------------------------

/// By IEEE 754's definition; of a NaN, no number.
double FloatByDefinition(uint32_t bits) {
  const auto field = static_cast<int>(bits >> 23 & 0xff);
  const auto fraction = static_cast<double>(bits & 0x7fffff);
  const double magnitude = field == 255 ? INFINITY
                                        : std::ldexp(field == 0 ? fraction : fraction + 0x1p23,
                                                     std::max(field, 1) - 150);
  return bits >> 31 != 0 ? -magnitude : magnitude;
}

TEST(MathDefinitions, BitsOfEveryUpperAndLowerHalf) {
  for (uint32_t half = 0; half < 0x10000; half++) {
    for (const uint32_t bits : {half << 16, half << 16 | 0x5a5a, 0xc35a0000u | half}) {
      const float f = __uint_as_float(bits);
      const bool nan = (bits & 0x7fffffff) > 0x7f800000;
      ASSERT_TRUE(nan ? std::isnan(f) : f == FloatByDefinition(bits)) << bits;
      ASSERT_EQ(std::signbit(f), bits >> 31 != 0) << bits;
      ASSERT_EQ(__float_as_uint(f), bits);
      ASSERT_EQ(__float_as_int(f), static_cast<int>(bits));
      ASSERT_EQ(__float_as_uint(__int_as_float(static_cast<int>(bits))), bits);
      const auto high = static_cast<int>(bits), low = static_cast<int>(bits * 0x9e3779b9u);
      const double d = __hiloint2double(high, low);
      ASSERT_TRUE(__double2hiint(d) == high && __double2loint(d) == low) << bits;
      const long long word = static_cast<long long>(uint64_t{bits} << 32 | (bits * 0x9e3779b9u));
      ASSERT_EQ(__double_as_longlong(d), word);
      ASSERT_EQ(__double_as_longlong(__longlong_as_double(word)), word);
    }
  }
}

}  // namespace
}  // namespace padproof
