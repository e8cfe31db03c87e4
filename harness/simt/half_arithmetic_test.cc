// 16-bit arithmetic of the SIMT layer against exact integers: sums, products and fused operations
// of every magnitude that 128 bits of fixed point hold, quotients by cross-multiplication, and the
// cases in which rounding twice would show. All patterns are in half_exhaustive_test.cc.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/half_test_util.h"

namespace padproof {
namespace {

/// Numbers in units of 2^-kUnit, for patterns whose exponent allows it: all of half; of bfloat16
/// those from 2^-15 to 2^20 and zero.
template <class T>
struct FixedPoint;
template <>
struct FixedPoint<__half> {
  static constexpr SixteenBitFormat kFormat = kHalf16;
  static constexpr int kUnit = 48;
  static constexpr int kLeast = 0, kMost = 0x7bff;
  /// Results may overflow: the table of results is all of them.
  static constexpr int kLeastResult = 0;
};
template <>
struct FixedPoint<__nv_bfloat16> {
  static constexpr SixteenBitFormat kFormat = kBfloat16;
  static constexpr int kUnit = 60;
  static constexpr int kLeast = (127 - 15) << 7, kMost = (127 + 20) << 7;
  static constexpr int kLeastResult = (127 - 45) << 7;  // 2^-45 has 7 bits down to 2^-52
};

template <class T>
Int128 Fixed(int pattern, int unit = FixedPoint<T>::kUnit) {
  const SixteenBitFormat& f = FixedPoint<T>::kFormat;
  const int magnitude = pattern & 0x7fff;
  if (magnitude == 0) return 0;
  const int shift = f.Exponent(magnitude) + unit;
  const Int128 value = static_cast<Int128>(f.Significand(magnitude)) << shift;
  return pattern > 0x7fff ? -value : value;
}

/// The pattern nearest to an exact value in units of 2^-kUnit; `zero` if it is 0.
template <class T>
int NearestTo(Int128 value, int zero) {
  if (value == 0) return zero;
  const SixteenBitFormat& f = FixedPoint<T>::kFormat;
  // Above and below what fixed point holds, neighbours of infinity and zero take part as bounds.
  const auto value_of = [&](int pattern) -> Int128 {
    if (pattern < FixedPoint<T>::kLeastResult) return 0;
    const int shift = f.Exponent(pattern) + FixedPoint<T>::kUnit;
    if (shift > 110) return static_cast<Int128>(1) << 118;
    return static_cast<Int128>(f.Significand(pattern)) << shift;
  };
  return PatternFor(f, value < 0 ? -value : value, value < 0, Direction::nearest, value_of);
}

template <class T>
class HalfArithmetic : public testing::Test {
 public:
  /// Operands that crowd around powers of two and each other.
  static int RandomOperand(Random& random) {
    constexpr int kLeast = FixedPoint<T>::kLeast, kMost = FixedPoint<T>::kMost;
    const auto span = static_cast<uint64_t>(kMost - kLeast + 1);
    int pattern = kLeast + static_cast<int>(random.Next() % span);
    if (random.Chance(25)) pattern &= ~0x3f;
    if (random.Chance(10)) pattern |= 0x3f;
    if (random.Chance(3)) pattern = 0;
    if (pattern > kMost) pattern = kMost;
    return pattern | (random.Chance(50) ? 0x8000 : 0);
  }
};
TYPED_TEST_SUITE(HalfArithmetic, SixteenBitTypes);

int ZeroOfSum(int a, int b) { return (a & 0x8000) != 0 && (b & 0x8000) != 0 ? 0x8000 : 0; }

template <class T>
void ExpectSumsAndProducts(int a, int b) {
  const T x = Pattern<T>(a), y = Pattern<T>(b);
  const int sum = NearestTo<T>(Fixed<T>(a) + Fixed<T>(b), ZeroOfSum(a, b));
  const int difference = NearestTo<T>(Fixed<T>(a) - Fixed<T>(b), ZeroOfSum(a, b ^ 0x8000));
  const Int128 exact =
      Fixed<T>(a, FixedPoint<T>::kUnit / 2) * Fixed<T>(b, FixedPoint<T>::kUnit / 2);
  const int product = NearestTo<T>(exact, (a ^ b) & 0x8000);
  ASSERT_EQ(BitsOf(x + y), sum) << std::hex << a << " " << b;
  ASSERT_EQ(BitsOf(__hadd(x, y)), sum) << std::hex << a << " " << b;
  ASSERT_EQ(BitsOf(__hadd_rn(x, y)), sum) << std::hex << a << " " << b;
  ASSERT_EQ(BitsOf(x - y), difference) << std::hex << a << " " << b;
  ASSERT_EQ(BitsOf(__hsub_rn(x, y)), difference) << std::hex << a << " " << b;
  ASSERT_EQ(BitsOf(x * y), product) << std::hex << a << " " << b;
  ASSERT_EQ(BitsOf(__hmul_rn(x, y)), product) << std::hex << a << " " << b;
}

TYPED_TEST(HalfArithmetic, SumsAndProductsAreRoundedOnce) {
  Random random(1);
  for (int n = 0; n < 100000; n++) {
    ExpectSumsAndProducts<TypeParam>(this->RandomOperand(random), this->RandomOperand(random));
  }
}

TYPED_TEST(HalfArithmetic, FusedOperationsAreRoundedOnce) {
  using T = TypeParam;
  Random random(2);
  for (int n = 0; n < 200000; n++) {
    const int a = this->RandomOperand(random), b = this->RandomOperand(random);
    int c = this->RandomOperand(random);
    const Int128 product =
        Fixed<T>(a, FixedPoint<T>::kUnit / 2) * Fixed<T>(b, FixedPoint<T>::kUnit / 2);
    if (n % 4 == 0) c = NearestTo<T>(product, 0) ^ 0x8000;  // cancels
    const int magnitude = c & 0x7fff;
    if (magnitude != 0 && (magnitude < FixedPoint<T>::kLeast || magnitude > FixedPoint<T>::kMost)) {
      continue;
    }
    const int expected = NearestTo<T>(product + Fixed<T>(c), ZeroOfSum((a ^ b) & 0x8000, c));
    ASSERT_EQ(BitsOf(__hfma(Pattern<T>(a), Pattern<T>(b), Pattern<T>(c))), expected)
        << std::hex << a << " " << b << " " << c;
    const bool nan = (expected & 0x7fff) > FixedPoint<T>::kFormat.Infinity();
    const int relu = nan ? 0x7fff : expected > 0x7fff ? 0 : expected;
    ASSERT_EQ(BitsOf(__hfma_relu(Pattern<T>(a), Pattern<T>(b), Pattern<T>(c))), relu);
  }
}

/// The product lies midway between two numbers, and the addend is too small for a double beside it:
/// it decides all the same.
TEST(Bfloat16Arithmetic, AFusedAddendDecidesATieFromAnyDistance) {
  int ties = 0;
  for (int a = 0x3f80; a < 0x4000; a++) {
    for (int b = 0x3f80; b < 0x4000; b++) {
      const int product = (0x80 | (a & 0x7f)) * (0x80 | (b & 0x7f));
      const int dropped = product >= 1 << 15 ? 8 : 7;
      const int unit = 1 << dropped;
      if (product % unit != unit / 2) continue;
      ties++;
      const int low = (dropped == 8 ? 0x4000 : 0x3f80) + (product >> dropped) - 0x80;
      for (int tiny : {0x0001, 0x0080, 0x1000, 0x2f80}) {
        const auto fma = [&](int sign_of_product, int c) {
          return BitsOf(__hfma(Pattern<__nv_bfloat16>(a | sign_of_product),
                               Pattern<__nv_bfloat16>(b), Pattern<__nv_bfloat16>(c)));
        };
        ASSERT_EQ(fma(0, tiny), low + 1) << std::hex << a << " " << b << " " << tiny;
        ASSERT_EQ(fma(0, tiny | 0x8000), low) << std::hex << a << " " << b << " " << tiny;
        ASSERT_EQ(fma(0x8000, tiny | 0x8000), (low + 1) | 0x8000);
        ASSERT_EQ(fma(0x8000, tiny), low | 0x8000);
      }
      ASSERT_EQ(BitsOf(__hmul(Pattern<__nv_bfloat16>(a), Pattern<__nv_bfloat16>(b))),
                low % 2 == 0 ? low : low + 1);
    }
  }
  EXPECT_GT(ties, 50);
}

TEST(Bfloat16Arithmetic, TheEndsOfTheRange) {
  using T = __nv_bfloat16;
  const auto fma = [](float a, float b, float c) { return BitsOf(__hfma(T(a), T(b), T(c))); };
  EXPECT_EQ(BitsOf(T(0x1.fep127f) + T(0x1.fep127f)), 0x7f80);
  EXPECT_EQ(BitsOf(T(0x1.fep127f) + T(0x1p118f)), 0x7f7f);  // less than half a unit
  EXPECT_EQ(BitsOf(T(0x1.fep127f) + T(0x1p119f)), 0x7f80);  // half a unit: to even
  EXPECT_EQ(BitsOf(T(0x1p-133f) - T(0x1p-132f)), 0x8001);   // exact below the normal numbers
  EXPECT_EQ(BitsOf(T(0x1p-126f) * T(0.5f)), 0x0040);
  EXPECT_EQ(BitsOf(T(0x1p-133f) * T(0.5f)), 0x0000);  // half a unit: to even
  EXPECT_EQ(BitsOf(T(0x1p-133f) * T(0.75f)), 0x0001);
  EXPECT_EQ(BitsOf(T(0x1p-133f) * T(-0x1p-133f)), 0x8000);
  EXPECT_EQ(fma(0x1.fep127f, 2.0f, -0x1.fep127f), 0x7f7f);  // no overflow on the way
  EXPECT_EQ(fma(0x1p-100f, 0x1p-100f, 0x1p-133f), 0x0001);
  EXPECT_EQ(fma(0x1p-67f, 0x1p-67f, 0x1p-133f), 0x0002);     // 1.5 units: to even
  EXPECT_EQ(fma(0x1p-67f, 0x1.fep-68f, 0x1p-133f), 0x0001);  // less
}

/// |a| = m |b| + r with 0 <= r decides by integers what the quotient's neighbours are.
template <class T>
void ExpectQuotient(int a, int b) {
  const SixteenBitFormat& f = FixedPoint<T>::kFormat;
  const int p = a & 0x7fff, q = b & 0x7fff;
  // (a / b) * 2^s as an integer with a sticky last bit: 40 digits or more.
  const int s = 60;
  const Int128 numerator = static_cast<Int128>(f.Significand(p)) << s;
  const Int128 quotient = numerator / f.Significand(q);
  const long double scaled =
      std::ldexp(static_cast<long double>(static_cast<uint64_t>(quotient >> 9)) +
                     (numerator % f.Significand(q) != 0 || (quotient & 0x1ff) != 0 ? 0.5L : 0.0L),
                 f.Exponent(p) - f.Exponent(q) - s + 9);
  const int expected = PatternFor(f, ((a ^ b) & 0x8000) != 0 ? -scaled : scaled);
  ASSERT_EQ(BitsOf(Pattern<T>(a) / Pattern<T>(b)), expected) << std::hex << a << " " << b;
  ASSERT_EQ(BitsOf(__hdiv(Pattern<T>(a), Pattern<T>(b))), expected) << std::hex << a << " " << b;
}

TYPED_TEST(HalfArithmetic, QuotientsAreRoundedOnce) {
  using T = TypeParam;
  Random random(3);
  const int infinity = FixedPoint<T>::kFormat.Infinity();
  for (int n = 0; n < 200000; n++) {
    const auto a = static_cast<int>(random.Next() % static_cast<unsigned>(infinity));
    const auto b = 1 + static_cast<int>(random.Next() % static_cast<unsigned>(infinity - 1));
    ExpectQuotient<T>(a | (random.Chance(50) ? 0x8000 : 0), b);
  }
  for (int a = 0; a < 0x100; a++) {
    for (int b = 0x3c00; b < 0x4200; b += 7) ExpectQuotient<T>(a, b);
  }
}

// ---- NaN, infinity, zero ------------------------------------------------------------------------

template <class T>
std::vector<int> SpecialPatterns() {
  const int infinity = FixedPoint<T>::kFormat.Infinity();
  std::vector<int> patterns;
  for (int pattern : {0, 1, 2, 0x3c00, 0x3f80, infinity - 1, infinity, infinity + 1, 0x7fff}) {
    patterns.push_back(pattern);
    patterns.push_back(pattern | 0x8000);
  }
  return patterns;
}

TYPED_TEST(HalfArithmetic, EveryNanResultIsTheDevices) {
  using T = TypeParam;
  int nans = 0;
  const auto expect = [&](T got, double exact) {
    if (!std::isnan(exact)) return;
    nans++;
    EXPECT_EQ(BitsOf(got), 0x7fff);
  };
  for (int a : SpecialPatterns<T>()) {
    for (int b : SpecialPatterns<T>()) {
      const T x = Pattern<T>(a), y = Pattern<T>(b);
      const double p = x, q = y;
      expect(x + y, p + q);
      expect(x - y, p - q);
      expect(x * y, p * q);
      expect(x / y, p / q);
      expect(__hfma(x, y, T(1.0f)), p * q + 1);
      expect(__hfma(T(1.0f), x, y), p + q);
    }
  }
  EXPECT_GT(nans, 500);
  const T infinity = Pattern<T>(FixedPoint<T>::kFormat.Infinity());
  EXPECT_EQ(BitsOf(T(1.0f) / T(0.0f)), BitsOf(infinity));
  EXPECT_EQ(BitsOf(T(-1.0f) / T(0.0f)), BitsOf(infinity) | 0x8000);
  EXPECT_EQ(BitsOf(__hfma(infinity, T(1.0f), T(-1.0f))), BitsOf(infinity));
}

TYPED_TEST(HalfArithmetic, SaturationClampsToZeroAndOne) {
  using T = TypeParam;
  const auto add = [](float a, float b) { return BitsOf(__hadd_sat(T(a), T(b))); };
  const int one = BitsOf(T(1.0f));
  EXPECT_EQ(add(0.75f, 0.5f), one);
  EXPECT_EQ(add(0.25f, 0.5f), BitsOf(T(0.75f)));
  EXPECT_EQ(add(0.25f, -0.5f), 0);
  EXPECT_EQ(add(-0.0f, -0.0f), 0);
  EXPECT_EQ(add(INFINITY, 1.0f), one);
  EXPECT_EQ(add(INFINITY, -INFINITY), 0);
  EXPECT_EQ(BitsOf(__hsub_sat(T(0.0f), T(3.0f))), 0);
  EXPECT_EQ(BitsOf(__hmul_sat(T(3.0f), T(3.0f))), one);
  EXPECT_EQ(BitsOf(__hfma_sat(T(3.0f), T(3.0f), T(-8.5f))), BitsOf(T(0.5f)));
  EXPECT_EQ(BitsOf(__hfma_sat(T(NAN), T(3.0f), T(1.0f))), 0);
  EXPECT_EQ(BitsOf(__hfma_relu(T(NAN), T(3.0f), T(1.0f))), 0x7fff);
  EXPECT_EQ(BitsOf(__hfma_relu(T(-1.0f), T(3.0f), T(1.0f))), 0);
}

// ---- pairs: each half for itself ----------------------------------------------------------------

TEST(HalfPairs, EachHalfForItself) {
  const __half2 a = __floats2half2_rn(1.5f, -2.0f), b = __floats2half2_rn(0.5f, 4.0f);
  const __half2 c = __float2half2_rn(1.0f);
  const auto is = [](__half2 v, float x, float y) {
    return __low2float(v) == x && __high2float(v) == y;
  };
  EXPECT_TRUE(is(a + b, 2.0f, 2.0f) && is(__hadd2(a, b), 2.0f, 2.0f));
  EXPECT_TRUE(is(a - b, 1.0f, -6.0f) && is(a * b, 0.75f, -8.0f) && is(a / b, 3.0f, -0.5f));
  EXPECT_TRUE(is(__hfma2(a, b, c), 1.75f, -7.0f) && is(__hfma2_relu(a, b, c), 1.75f, 0.0f));
  EXPECT_TRUE(is(__hfma2_sat(a, b, c), 1.0f, 0.0f));
  EXPECT_TRUE(is(__hmax2(a, b), 1.5f, 4.0f) && is(__hmin2(a, b), 0.5f, -2.0f));
  EXPECT_TRUE(is(-a, -1.5f, 2.0f) && is(__habs2(a), 1.5f, 2.0f));
  EXPECT_TRUE(is(__hlt2(a, b), 0.0f, 1.0f) && is(__hge2(a, b), 1.0f, 0.0f));
  EXPECT_EQ(__hlt2_mask(a, b), 0xffff0000u);
  EXPECT_EQ(__hge2_mask(a, b), 0x0000ffffu);
  EXPECT_FALSE(__hblt2(a, b) || __hbge2(a, b) || a == b);
  EXPECT_TRUE(__hbne2(a, b) && a != b && a == a);
  EXPECT_TRUE(is(__lowhigh2highlow(a), -2.0f, 1.5f) && is(__low2half2(a), 1.5f, 1.5f));
  EXPECT_TRUE(is(__lows2half2(a, b), 1.5f, 0.5f) && is(__highs2half2(a, b), -2.0f, 4.0f));
  // (1.5 - 2i)(0.5 + 4i) + (1 + i) = (0.75 + 8 + 1) + (6 - 1 + 1)i
  EXPECT_TRUE(is(__hcmadd(a, b, c), 9.75f, 6.0f));
  EXPECT_TRUE(is(__hisnan2(__halves2half2(CUDART_NAN_FP16, CUDART_ONE_FP16)), 1.0f, 0.0f));
}

}  // namespace
}  // namespace padproof
