// float and double functions of the SIMT layer: those with a rounding mode against the processor in
// that mode, conversions against their definition, approximations against the C library.

#include <gtest/gtest.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

// ---- rounding modes -----------------------------------------------------------------------------

/// The operation as the processor does it in the mode. Volatile operands and results tie it between
/// the two changes of the mode: it needs what is read after the first, and is written before the
/// second.
template <class T, class Operation>
T InMode(int mode, Operation operation, T a, T b, T c) {
  volatile T x = a, y = b, z = c, result;
  std::fesetround(mode);
  {
    const T p = x, q = y, r = z;
    result = operation(p, q, r);
  }
  std::fesetround(FE_TONEAREST);
  return result;
}

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

template <class T>
bool Same(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return std::bit_cast<BitsOf<T>>(a) == std::bit_cast<BitsOf<T>>(b);
}

template <class T>
std::vector<T> SpecialNumbers() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> numbers;
  for (T v : {T{0}, Limits::denorm_min(), 3 * Limits::denorm_min(), Limits::min(),
              std::nextafter(Limits::min(), T{0}), T{1}, std::nextafter(T{1}, T{2}),
              std::nextafter(T{1}, T{0}), T{3}, T{1} / 3, T{0.5}, Limits::max(),
              std::nextafter(Limits::max(), T{0}), Limits::max() / 2, 1 / Limits::epsilon(),
              Limits::infinity(), Limits::quiet_NaN()}) {
    numbers.push_back(v);
    numbers.push_back(-v);
  }
  return numbers;
}

template <class T>
struct Operands {
  T x, y, z;
};

/// Any bits; numbers of like size, whose sums round and cancel; sums that only just do not tie.
template <class T>
std::vector<Operands<T>> RandomOperands() {
  Random random(1);
  std::vector<Operands<T>> operands;
  const auto any = [&] { return std::bit_cast<T>(static_cast<BitsOf<T>>(random.Next())); };
  const auto near_one = [&](int spread) {
    const T fraction = std::ldexp(static_cast<T>(random.Next() >> 11), -53);
    const int shift = static_cast<int>(random.Next() % static_cast<unsigned>(spread)) - spread / 2;
    return std::ldexp(random.Chance(50) ? 1 + fraction : -1 - fraction, shift);
  };
  for (int n = 0; n < 20000; n++) {
    operands.push_back({any(), any(), any()});
    operands.push_back({near_one(4), near_one(4), near_one(4)});
    operands.push_back({near_one(4), near_one(120), near_one(240)});
    const T x = near_one(4), y = near_one(4);
    operands.push_back({x, y, -x * y});
    operands.push_back({std::ldexp(x, std::numeric_limits<T>::min_exponent / 2),
                        std::ldexp(y, std::numeric_limits<T>::min_exponent / 2), near_one(40)});
    operands.push_back({x, std::numeric_limits<T>::denorm_min(), T{1}});
  }
  for (T x : SpecialNumbers<T>()) {
    for (T y : SpecialNumbers<T>()) {
      for (T z : SpecialNumbers<T>()) operands.push_back({x, y, z});
    }
  }
  return operands;
}

template <class T, class Function, class Operation>
void ExpectInMode(const char* name, int mode, Function function, Operation operation) {
  static const std::vector<Operands<T>> all = RandomOperands<T>();
  for (const auto& [x, y, z] : all) {
    const T expected = InMode<T>(mode, operation, x, y, z);
    const T got = function(x, y, z);
    ASSERT_TRUE(Same(got, expected)) << name << std::hexfloat << " " << x << " " << y << " " << z
                                     << ": " << got << ", expected " << expected;
  }
}

#define EXPECT_IN_MODE(T, mode, call, operation)                                             \
  ExpectInMode<T>(                                                                           \
      #call, mode,                                                                           \
      []([[maybe_unused]] T x, [[maybe_unused]] T y, [[maybe_unused]] T z) { return call; }, \
      []([[maybe_unused]] T x, [[maybe_unused]] T y, [[maybe_unused]] T z) -> T {            \
        return operation;                                                                    \
      })
#define EXPECT_ALL_IN_MODE(T, d, fma_name, mode, suffix)          \
  EXPECT_IN_MODE(T, mode, __##d##add_##suffix(x, y), x + y);      \
  EXPECT_IN_MODE(T, mode, __##d##sub_##suffix(x, y), x - y);      \
  EXPECT_IN_MODE(T, mode, __##d##mul_##suffix(x, y), x* y);       \
  EXPECT_IN_MODE(T, mode, __##d##div_##suffix(x, y), x / y);      \
  EXPECT_IN_MODE(T, mode, __##d##rcp_##suffix(x), 1 / x);         \
  EXPECT_IN_MODE(T, mode, __##d##sqrt_##suffix(x), std::sqrt(x)); \
  EXPECT_IN_MODE(T, mode, fma_name##_##suffix(x, y, z), std::fma(x, y, z))

TEST(FloatFunctions, ArithmeticRoundsAsTheProcessorInTheMode) {
  EXPECT_ALL_IN_MODE(float, f, __fmaf, FE_TONEAREST, rn);
  EXPECT_ALL_IN_MODE(float, f, __fmaf, FE_TOWARDZERO, rz);
  EXPECT_ALL_IN_MODE(float, f, __fmaf, FE_UPWARD, ru);
  EXPECT_ALL_IN_MODE(float, f, __fmaf, FE_DOWNWARD, rd);
}

TEST(DoubleFunctions, ArithmeticRoundsAsTheProcessorInTheMode) {
  EXPECT_ALL_IN_MODE(double, d, __fma, FE_TONEAREST, rn);
  EXPECT_ALL_IN_MODE(double, d, __fma, FE_TOWARDZERO, rz);
  EXPECT_ALL_IN_MODE(double, d, __fma, FE_UPWARD, ru);
  EXPECT_ALL_IN_MODE(double, d, __fma, FE_DOWNWARD, rd);
}

TEST(FloatFunctions, ReciprocalSquareRootIsRoundedToNearest) {
  Random random(2);
  for (int n = 0; n < 300000; n++) {
    const auto x = std::bit_cast<float>(static_cast<uint32_t>(random.Next() & 0x7fffffff));
    if (!(x > 0) || std::isinf(x)) continue;
    const float got = __frsqrt_rn(x);
    // The midpoints on both sides enclose 1 / sqrt(x): exact in 113 bits, decided in 64.
    const long double low = (static_cast<long double>(got) + std::nextafterf(got, 0.0f)) / 2;
    const long double high = (static_cast<long double>(got) + std::nextafterf(got, 1e38f)) / 2;
    const long double root = 1 / std::sqrt(static_cast<long double>(x));
    ASSERT_TRUE(low <= root && root <= high) << std::hexfloat << x << " " << got;
  }
  EXPECT_EQ(__frsqrt_rn(0.25f), 2.0f);
  EXPECT_EQ(__frsqrt_rn(0.0f), INFINITY);
  EXPECT_EQ(__frsqrt_rn(-0.0f), -INFINITY);
  EXPECT_EQ(__frsqrt_rn(INFINITY), 0.0f);
  EXPECT_TRUE(std::isnan(__frsqrt_rn(-1.0f)));
}

// ---- conversions --------------------------------------------------------------------------------

long double Rounded(long double x, int mode) {
  switch (mode) {
    case FE_UPWARD:
      return std::ceil(x);
    case FE_DOWNWARD:
      return std::floor(x);
    case FE_TOWARDZERO:
      return std::trunc(x);
    default:
      return std::nearbyint(x);
  }
}

/// PTX ISA, cvt: clamped; NaN is 0 from float to 32 bits, else the top bit alone.
template <class Integer, class T>
Integer IntegerFor(T x, int mode) {
  using Limits = std::numeric_limits<Integer>;
  if (std::isnan(x)) {
    const bool zero = sizeof(T) == 4 && sizeof(Integer) == 4;
    return zero ? 0 : static_cast<Integer>(uint64_t{1} << (8 * sizeof(Integer) - 1));
  }
  const long double rounded = Rounded(x, mode);
  if (rounded <= static_cast<long double>(Limits::min())) return Limits::min();
  if (rounded >= static_cast<long double>(Limits::max())) return Limits::max();
  return static_cast<Integer>(rounded);
}

template <class Integer, class T>
void ExpectIntegers(Integer (*function)(T), int mode) {
  Random random(3);
  std::vector<T> numbers = SpecialNumbers<T>();
  for (int n = 0; n < 20000; n++) {
    numbers.push_back(std::bit_cast<T>(static_cast<BitsOf<T>>(random.Next())));
    const int shift = static_cast<int>(random.Next() % 80) - 70;
    numbers.push_back(std::ldexp(static_cast<T>(static_cast<int64_t>(random.Next())), shift));
    numbers.push_back(static_cast<T>(static_cast<int>(random.Next() % 200) - 100) / 2);
  }
  for (int exponent : {31, 32, 63, 64}) {
    for (T sign : {T{1}, T{-1}}) {
      const T power = std::ldexp(sign, exponent);
      for (T v : {power, std::nextafter(power, T{0}), power - sign, power - sign / 2}) {
        numbers.push_back(v);
      }
    }
  }
  for (T x : numbers) {
    ASSERT_EQ(function(x), (IntegerFor<Integer, T>(x, mode))) << std::hexfloat << x;
  }
}

#define EXPECT_INTEGERS(T, name, mode, suffix)                 \
  ExpectIntegers<int, T>(__##name##2int_##suffix, mode);       \
  ExpectIntegers<unsigned, T>(__##name##2uint_##suffix, mode); \
  ExpectIntegers<long long, T>(__##name##2ll_##suffix, mode);  \
  ExpectIntegers<unsigned long long, T>(__##name##2ull_##suffix, mode)

TEST(FloatFunctions, ToIntegersRoundedAndClamped) {
  EXPECT_INTEGERS(float, float, FE_TONEAREST, rn);
  EXPECT_INTEGERS(float, float, FE_TOWARDZERO, rz);
  EXPECT_INTEGERS(float, float, FE_UPWARD, ru);
  EXPECT_INTEGERS(float, float, FE_DOWNWARD, rd);
  EXPECT_INTEGERS(double, double, FE_TONEAREST, rn);
  EXPECT_INTEGERS(double, double, FE_TOWARDZERO, rz);
  EXPECT_INTEGERS(double, double, FE_UPWARD, ru);
  EXPECT_INTEGERS(double, double, FE_DOWNWARD, rd);
  EXPECT_EQ(__float2int_rn(2.5f), 2);
  EXPECT_EQ(__float2int_rn(3e9f), INT32_MAX);
  EXPECT_EQ(__float2uint_rn(-1.0f), 0u);
  EXPECT_EQ(__float2int_rz(NAN), 0);
  EXPECT_EQ(__double2int_rz(NAN), INT32_MIN);
  EXPECT_EQ(__float2ll_rn(NAN), INT64_MIN);
}

/// The neighbours of the rounded value and the mode decide; long double holds the integer.
template <class Integer, class T>
void ExpectFromIntegers(T (*function)(Integer), int mode) {
  Random random(4);
  for (int n = 0; n < 50000; n++) {
    auto value = static_cast<Integer>(random.Next() >> random.Next() % 64);
    if (n < 4)
      value = n < 2 ? std::numeric_limits<Integer>::min() : std::numeric_limits<Integer>::max();
    if (n >= 4 && n < 8) value = static_cast<Integer>(n - 6);
    const T expected = InMode<T>(
        mode,
        [value](T, T, T) {
          volatile Integer v = value;
          return static_cast<T>(v);
        },
        T{0}, T{0}, T{0});
    // Integer to T is one instruction for signed integers; for unsigned ones decide by neighbours.
    const auto exact = static_cast<long double>(value);
    const T got = function(value);
    if (std::is_signed_v<Integer>) {
      ASSERT_EQ(got, expected) << value;
    }
    const long double below = std::nextafter(got, -std::numeric_limits<T>::infinity());
    const long double above = std::nextafter(got, std::numeric_limits<T>::infinity());
    const bool up = mode == FE_UPWARD || (mode == FE_TOWARDZERO && exact < 0);
    if (mode == FE_TONEAREST) {
      ASSERT_LE(std::fabs(got - exact), std::fabs(below - exact)) << value;
      ASSERT_LE(std::fabs(got - exact), std::fabs(above - exact)) << value;
    } else if (up) {
      ASSERT_TRUE(got >= exact && below < exact) << value;
    } else {
      ASSERT_TRUE(got <= exact && exact < above) << value;
    }
  }
}

#define EXPECT_FROM_INTEGERS(mode, suffix)                                   \
  ExpectFromIntegers<int, float>(__int2float_##suffix, mode);                \
  ExpectFromIntegers<unsigned, float>(__uint2float_##suffix, mode);          \
  ExpectFromIntegers<long long, float>(__ll2float_##suffix, mode);           \
  ExpectFromIntegers<unsigned long long, float>(__ull2float_##suffix, mode); \
  ExpectFromIntegers<long long, double>(__ll2double_##suffix, mode);         \
  ExpectFromIntegers<unsigned long long, double>(__ull2double_##suffix, mode)

TEST(FloatFunctions, FromIntegersRounded) {
  EXPECT_FROM_INTEGERS(FE_TONEAREST, rn);
  EXPECT_FROM_INTEGERS(FE_TOWARDZERO, rz);
  EXPECT_FROM_INTEGERS(FE_UPWARD, ru);
  EXPECT_FROM_INTEGERS(FE_DOWNWARD, rd);
  EXPECT_EQ(__int2float_rn((1 << 24) + 1), 0x1p24f);  // ties to even
  EXPECT_EQ(__int2float_rn((1 << 24) + 3), 0x1p24f + 4);
  EXPECT_EQ(__ull2double_rn((1ull << 53) + 3), 0x1p53 + 4);
  EXPECT_EQ(__int2double_rn(INT32_MIN), -0x1p31);
  EXPECT_EQ(__uint2double_rn(UINT32_MAX), 0x1p32 - 1);
}

TEST(FloatFunctions, FromDoubleRounded) {
  static float (*const functions[])(double) = {__double2float_rn, __double2float_rz,
                                               __double2float_ru, __double2float_rd};
  static constexpr int kModes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_UPWARD, FE_DOWNWARD};
  Random random(5);
  std::vector<double> numbers = SpecialNumbers<double>();
  for (int n = 0; n < 100000; n++) {
    const uint64_t bits = random.Next();
    numbers.push_back(std::bit_cast<double>(bits));
    numbers.push_back(static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits))) *
                      (1 + std::ldexp(static_cast<double>(bits >> 40 & 7) - 3, -25)));
  }
  for (int i = 0; i < 4; i++) {
    for (double x : numbers) {
      const auto narrowed = InMode<double>(
          kModes[i], [](double p, double, double) { return double{static_cast<float>(p)}; }, x, 0,
          0);
      ASSERT_TRUE(Same(double{functions[i](x)}, narrowed)) << i << std::hexfloat << " " << x;
    }
  }
}

TEST(FloatFunctions, BitsAreCast) {
  EXPECT_EQ(__float_as_int(-0.0f), INT32_MIN);
  EXPECT_EQ(__float_as_uint(1.0f), 0x3f800000u);
  EXPECT_EQ(__int_as_float(0x40000000), 2.0f);
  EXPECT_EQ(__uint_as_float(0xbf800000u), -1.0f);
  EXPECT_EQ(__double_as_longlong(1.0), 0x3ff0000000000000);
  EXPECT_EQ(__longlong_as_double(0x4000000000000000), 2.0);
  EXPECT_EQ(__double2hiint(-2.0), static_cast<int>(0xc0000000u));
  EXPECT_EQ(__double2loint(std::bit_cast<double>(0x3ff00000fedcba98)),
            static_cast<int>(0xfedcba98u));
  EXPECT_EQ(__hiloint2double(static_cast<int>(0xc0000000u), -1),
            std::bit_cast<double>(0xc0000000ffffffff));
}

}  // namespace
}  // namespace padproof
