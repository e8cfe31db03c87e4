// Functions of two 16-bit numbers, alone and in pairs, for every pattern of the first: sums,
// products and quotients against the long double result rounded by search, comparisons against
// those of the numbers, minimum and maximum by definition. Fused operations for every pattern of
// one factor.
//
// A long double holds every product. It holds a sum unless one number is 2^55 times the other, and
// then the larger is the nearest number either way; a quotient of so few digits lies too far from
// every midpoint to reach it by rounding to 64.

#include <gtest/gtest.h>

#include <compare>
#include <initializer_list>
#include <tuple>
#include <utility>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/half_test_util.h"

namespace padproof {
namespace {

template <class T>
class HalfOperations : public testing::Test {};
TYPED_TEST_SUITE(HalfOperations, SixteenBitTypes);

/// The numbers of a use, and the pairs whose lower halves they are.
template <class T>
struct Operands {
  Operands(const Use& low, const Use& high)
      : x(Pattern<T>(low.a)),
        y(Pattern<T>(low.b)),
        p{Pattern<T>(low.a), Pattern<T>(high.a)},
        q{Pattern<T>(low.b), Pattern<T>(high.b)} {}
  T x, y;
  PairOf<T> p, q;
};

/// Whether all forms of an operation on numbers give `low`, all on pairs `low` and `high`.
template <class T>
bool Give(int low, int high, std::initializer_list<T> numbers,
          std::initializer_list<PairOf<T>> pairs) {
  bool all = true;
  for (T number : numbers) all &= BitsOf(number) == low;
  for (const PairOf<T>& pair : pairs) all &= BitsOf(pair.x) == low && BitsOf(pair.y) == high;
  return all;
}

// ---- arithmetic ---------------------------------------------------------------------------------

/// Clamped to [+0, 1]; NaN gives +0.
template <class T>
int Saturated(int pattern) {
  const int one = kFormat<T>.Bias() << kFormat<T>.fraction_bits;
  if (IsNan<T>(pattern) || pattern > 0x7fff) return 0;
  return pattern < one ? pattern : one;
}

/// The pattern of real(a, b).
template <class T, class Real>
auto Rounded(Real real) {
  return [real](int a, int b) -> int {
    return PatternFor(kFormat<T>, real(RealOf<T>(a), RealOf<T>(b)));
  };
}

TYPED_TEST(HalfOperations, Sums) {
  using T = TypeParam;
  const auto sum = Rounded<T>([](long double a, long double b) { return a + b; });
  ForEveryPattern<T>("sum", sum, [](const Use& low, const Use& high) {
    const Operands<T> o(low, high);
    T z = o.x;
    PairOf<T> r = o.p;
    z += o.y, r += o.q;
    return Give<T>(low.expected, high.expected,
                   {__hadd(o.x, o.y), __hadd_rn(o.x, o.y), o.x + o.y, z},
                   {__hadd2(o.p, o.q), __hadd2_rn(o.p, o.q), o.p + o.q, r}) &&
           Give<T>(Saturated<T>(low.expected), Saturated<T>(high.expected), {__hadd_sat(o.x, o.y)},
                   {__hadd2_sat(o.p, o.q)});
  });
}

TYPED_TEST(HalfOperations, Differences) {
  using T = TypeParam;
  const auto difference = Rounded<T>([](long double a, long double b) { return a - b; });
  ForEveryPattern<T>("difference", difference, [](const Use& low, const Use& high) {
    const Operands<T> o(low, high);
    T z = o.x;
    PairOf<T> r = o.p;
    z -= o.y, r -= o.q;
    return Give<T>(low.expected, high.expected,
                   {__hsub(o.x, o.y), __hsub_rn(o.x, o.y), o.x - o.y, z},
                   {__hsub2(o.p, o.q), __hsub2_rn(o.p, o.q), o.p - o.q, r}) &&
           Give<T>(Saturated<T>(low.expected), Saturated<T>(high.expected), {__hsub_sat(o.x, o.y)},
                   {__hsub2_sat(o.p, o.q)});
  });
}

TYPED_TEST(HalfOperations, Products) {
  using T = TypeParam;
  const auto product = Rounded<T>([](long double a, long double b) { return a * b; });
  ForEveryPattern<T>("product", product, [](const Use& low, const Use& high) {
    const Operands<T> o(low, high);
    T z = o.x;
    PairOf<T> r = o.p;
    z *= o.y, r *= o.q;
    return Give<T>(low.expected, high.expected,
                   {__hmul(o.x, o.y), __hmul_rn(o.x, o.y), o.x * o.y, z},
                   {__hmul2(o.p, o.q), __hmul2_rn(o.p, o.q), o.p * o.q, r}) &&
           Give<T>(Saturated<T>(low.expected), Saturated<T>(high.expected), {__hmul_sat(o.x, o.y)},
                   {__hmul2_sat(o.p, o.q)});
  });
}

TYPED_TEST(HalfOperations, Quotients) {
  using T = TypeParam;
  const auto quotient = Rounded<T>([](long double a, long double b) { return a / b; });
  ForEveryPattern<T>("quotient", quotient, [](const Use& low, const Use& high) {
    const Operands<T> o(low, high);
    T z = o.x;
    PairOf<T> r = o.p;
    z /= o.y, r /= o.q;
    return Give<T>(low.expected, high.expected, {__hdiv(o.x, o.y), o.x / o.y, z},
                   {__h2div(o.p, o.q), o.p / o.q, r});
  });
}

// ---- fused operations ---------------------------------------------------------------------------

/// high + low exactly, with low at most half a unit in the last place of high: ordered by high
/// first, also among 16-bit numbers and their midpoints, which have few digits and low = 0.
struct TwoPart {
  long double high, low;
  friend auto operator<=>(const TwoPart&, const TwoPart&) = default;
  friend TwoPart operator+(TwoPart x, TwoPart y) { return {x.high + y.high, x.low + y.low}; }
};

/// The pattern of a * b + c, rounded once.
template <class T>
int FusedPattern(int a, int b, int c) {
  const long double product = RealOf<T>(a) * RealOf<T>(b), addend = RealOf<T>(c);
  const long double sum = product + addend;
  if (!std::isfinite(sum) || sum == 0) return PatternFor(kFormat<T>, sum);
  const long double part = sum - product;  // Knuth's two-sum
  TwoPart exact{sum, (product - (sum - part)) + (addend - part)};
  if (sum < 0) exact = {-exact.high, -exact.low};
  return PatternFor(kFormat<T>, exact, sum < 0, Direction::nearest,
                    [](int pattern) { return TwoPart{kFormat<T>.ValueOf(pattern), 0}; });
}

/// A negative result becomes +0; NaN stays.
template <class T>
int Rectified(int pattern) {
  return !IsNan<T>(pattern) && pattern > 0x7fff ? 0 : pattern;
}

TYPED_TEST(HalfOperations, FusedOperations) {
  using T = TypeParam;
  const std::vector<int> spread = SpreadPatterns<T>();
  Random random(6);
  int b2 = 0x3c01, c2 = 0;
  std::vector<int> others(kPatterns);
  for (int a = 0; a < kPatterns; a++) others[a] = FusedPattern<T>(a, b2, c2);
  for (size_t n = 0; n < spread.size(); n++) {
    const int b = spread[n], c = spread[random.Below(static_cast<uint32_t>(spread.size()))];
    std::vector<int> expected(kPatterns);
    for (int a = 0; a < kPatterns; a++) expected[a] = FusedPattern<T>(a, b, c);
    for (int a = 0; a < kPatterns; a++) {
      const int a2 = 0xffff - a, low = expected[a], high = others[a2];
      const T x = Pattern<T>(a), y = Pattern<T>(b), z = Pattern<T>(c);
      const PairOf<T> p = Pair<T>(a, a2), q = Pair<T>(b, b2), r = Pair<T>(c, c2);
      const bool right = Give<T>(low, high, {__hfma(x, y, z)}, {__hfma2(p, q, r)}) &&
                         Give<T>(Saturated<T>(low), Saturated<T>(high), {__hfma_sat(x, y, z)},
                                 {__hfma2_sat(p, q, r)}) &&
                         Give<T>(Rectified<T>(low), Rectified<T>(high), {__hfma_relu(x, y, z)},
                                 {__hfma2_relu(p, q, r)});
      if (!right) FAIL() << std::hex << a << " " << b << " " << c << ", or " << a2;
    }
    others = expected, b2 = b, c2 = c;
  }
}

/// (a + bi)(c + di) + (e + fi): re = fma(-b, d, fma(a, c, e)), im = fma(b, c, fma(a, d, f)).
TYPED_TEST(HalfOperations, ComplexProducts) {
  using T = TypeParam;
  Random random(7);
  const auto draw = [&] {  // about 1, so that sums cancel and round
    const int magnitude = (kFormat<T>.Bias() - 2 + random.Between(0, 4))
                          << kFormat<T>.fraction_bits;
    return (magnitude | static_cast<int>(random.Below(1u << kFormat<T>.fraction_bits))) ^
           (random.Chance(50) ? 0x8000 : 0);
  };
  for (int n = 0; n < 20000; n++) {
    const int a = draw(), b = draw(), c = draw(), d = draw(), e = draw(), f = draw();
    const PairOf<T> got = __hcmadd(Pair<T>(a, b), Pair<T>(c, d), Pair<T>(e, f));
    ASSERT_EQ(BitsOf(got.x), FusedPattern<T>(b ^ 0x8000, d, FusedPattern<T>(a, c, e)));
    ASSERT_EQ(BitsOf(got.y), FusedPattern<T>(b, c, FusedPattern<T>(a, d, f)));
  }
}

TYPED_TEST(HalfOperations, StepsOfOne) {
  using T = TypeParam;
  for (int a = 0; a < kPatterns; a++) {
    const int b = a ^ 0x5a5a;
    const auto plus = [](int pattern, int by) -> int {
      return PatternFor(kFormat<T>, RealOf<T>(pattern) + by);
    };
    const auto start = [&] { return std::pair{Pattern<T>(a), Pair<T>(a, b)}; };
    auto [x, p] = start();
    ASSERT_TRUE(Give<T>(a, b, {x++, +Pattern<T>(a)}, {p++, +Pair<T>(a, b)})) << a;
    ASSERT_TRUE(Give<T>(plus(a, 1), plus(b, 1), {x}, {p})) << a;
    std::tie(x, p) = start();
    ASSERT_TRUE(Give<T>(a, b, {x--}, {p--})) << a;
    ASSERT_TRUE(Give<T>(plus(a, -1), plus(b, -1), {x}, {p})) << a;
    std::tie(x, p) = start();
    ASSERT_TRUE(Give<T>(plus(a, 1), plus(b, 1), {++x, x}, {++p, p})) << a;
    std::tie(x, p) = start();
    ASSERT_TRUE(Give<T>(plus(a, -1), plus(b, -1), {--x, x}, {--p, p})) << a;
  }
}

// ---- comparisons, minimum and maximum -----------------------------------------------------------

/// Of numbers; of pairs as 1 or 0, as all bits or none, and as whether both.
#define PADPROOF_EXPECT_RELATION(name, relation)                                  \
  ForEveryPattern<T>(                                                             \
      #name,                                                                      \
      [](int pattern_a, int pattern_b) -> int {                                   \
        const auto a = static_cast<float>(RealOf<T>(pattern_a));                  \
        const auto b = static_cast<float>(RealOf<T>(pattern_b));                  \
        const bool unordered [[maybe_unused]] = std::isnan(a) || std::isnan(b);   \
        return relation;                                                          \
      },                                                                          \
      [](const Use& low, const Use& high) {                                       \
        const Operands<T> o(low, high);                                           \
        const bool l = low.expected != 0, h = high.expected != 0;                 \
        const int one = kFormat<T>.Bias() << kFormat<T>.fraction_bits;            \
        const unsigned mask = (l ? 0xffffu : 0u) | (h ? 0xffff0000u : 0u);        \
        return __h##name(o.x, o.y) == l && __hb##name##2(o.p, o.q) == (l && h) && \
               __h##name##2_mask(o.p, o.q) == mask &&                             \
               Give<T>(l ? one : 0, h ? one : 0, {}, {__h##name##2(o.p, o.q)});   \
      })
#define PADPROOF_EXPECT_OPERATOR(sign)                                           \
  ForEveryPattern<T>(                                                            \
      #sign, [](int a, int b) -> int { return RealOf<T>(a) sign RealOf<T>(b); }, \
      [](const Use& low, const Use& high) {                                      \
        const Operands<T> o(low, high);                                          \
        const bool l = low.expected != 0, h = high.expected != 0;                \
        return (o.x sign o.y) == l && (o.p sign o.q) == (l && h);                \
      })

TYPED_TEST(HalfOperations, RelationsThatNanFails) {
  using T = TypeParam;
  PADPROOF_EXPECT_RELATION(eq, a == b);
  PADPROOF_EXPECT_RELATION(ne, !unordered && a != b);
  PADPROOF_EXPECT_RELATION(lt, a < b);
  PADPROOF_EXPECT_RELATION(le, a <= b);
  PADPROOF_EXPECT_RELATION(gt, a > b);
  PADPROOF_EXPECT_RELATION(ge, a >= b);
}

TYPED_TEST(HalfOperations, RelationsThatNanPasses) {
  using T = TypeParam;
  PADPROOF_EXPECT_RELATION(equ, unordered || a == b);
  PADPROOF_EXPECT_RELATION(neu, unordered || a != b);
  PADPROOF_EXPECT_RELATION(ltu, unordered || a < b);
  PADPROOF_EXPECT_RELATION(leu, unordered || a <= b);
  PADPROOF_EXPECT_RELATION(gtu, unordered || a > b);
  PADPROOF_EXPECT_RELATION(geu, unordered || a >= b);
}

/// Those of pairs are whether both halves are related.
TYPED_TEST(HalfOperations, ComparisonOperators) {
  using T = TypeParam;
  PADPROOF_EXPECT_OPERATOR(==);
  PADPROOF_EXPECT_OPERATOR(!=);
  PADPROOF_EXPECT_OPERATOR(<);
  PADPROOF_EXPECT_OPERATOR(<=);
  PADPROOF_EXPECT_OPERATOR(>);
  PADPROOF_EXPECT_OPERATOR(>=);
}

/// PTX ISA, min and max: +0 is above -0; of a number and NaN the number; of two NaN the device's.
template <class T>
int Extreme(int a, int b, bool largest) {
  if (IsNan<T>(a)) return IsNan<T>(b) ? 0x7fff : b;
  if (IsNan<T>(b)) return a;
  const long double x = RealOf<T>(a), y = RealOf<T>(b);
  const bool a_is_larger = x > y || (x == y && a < b);  // of two zeros
  return a_is_larger == largest ? a : b;
}

TYPED_TEST(HalfOperations, MinimumAndMaximum) {
  using T = TypeParam;
  const auto either_nan = [](const Use& use) { return IsNan<T>(use.a) || IsNan<T>(use.b); };
  for (const bool largest : {false, true}) {
    ForEveryPattern<T>(
        largest ? "maximum" : "minimum", [&](int a, int b) { return Extreme<T>(a, b, largest); },
        [&](const Use& low, const Use& high) {
          const Operands<T> o(low, high);
          return Give<T>(low.expected, high.expected,
                         {largest ? __hmax(o.x, o.y) : __hmin(o.x, o.y)},
                         {largest ? __hmax2(o.p, o.q) : __hmin2(o.p, o.q)}) &&
                 Give<T>(either_nan(low) ? 0x7fff : low.expected,
                         either_nan(high) ? 0x7fff : high.expected,
                         {largest ? __hmax_nan(o.x, o.y) : __hmin_nan(o.x, o.y)},
                         {largest ? __hmax2_nan(o.p, o.q) : __hmin2_nan(o.p, o.q)});
        });
  }
}

}  // namespace
}  // namespace padproof
