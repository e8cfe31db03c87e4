// + * / sqrt and fused multiply-add of float and double in any of CUDA's rounding modes, as integer
// arithmetic. The alternative, to switch the processor's rounding mode, is wrong as soon as the
// compiler moves or folds an operation across the switch.
//
// The sign of an exact zero is IEEE 754's: a sum of opposite numbers is -0 if rounded down and +0
// otherwise.

#pragma once

#include <math.h>  // NOLINT(modernize-deprecated-headers): CUDA's names are global

#include <bit>
#include <cstdint>
#include <type_traits>

#include "harness/simt/intrinsics/rounding.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

/// A number, or its digits down to a sticky one (see rounding.h).
struct Exact {
  Uint128 significand;
  int exponent;
  bool negative;
};

template <class T>
inline constexpr const Format& kFormatOf = sizeof(T) == 4 ? kFloatFormat : kDoubleFormat;
template <class T>
using PatternOf = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

template <class T>
constexpr bool IsFinite(T value) {
  const uint64_t infinity = kFormatOf<T>.infinity;
  return (std::bit_cast<PatternOf<T>>(value) & infinity) != infinity;
}

template <class T>
constexpr Exact ExactOf(T value) {
  const Unpacked v = Unpack(std::bit_cast<PatternOf<T>>(value), kFormatOf<T>);
  return {v.significand, v.exponent, v.negative};
}

template <class T>
constexpr T RoundExact(const Exact& v, Rounding mode) {
  const Format& format = kFormatOf<T>;
  const uint64_t magnitude = RoundMagnitude(v.significand, v.exponent, format, mode, v.negative);
  return std::bit_cast<T>(static_cast<PatternOf<T>>(magnitude | (v.negative ? SignOf(format) : 0)));
}

/// The same number with bit `top` as its highest one; not zero, and not wider before.
constexpr Exact WithTopBit(const Exact& v, int top) {
  const int shift = top - (BitWidth(v.significand) - 1);
  return {v.significand << shift, v.exponent - shift, v.negative};
}

/// Of a subtraction, digits get lost to the sticky one only if the exponents differ by two or more:
/// then at most one leading digit cancels, and 124 are left.
constexpr Exact ExactSum(const Exact& x, const Exact& y, Rounding mode) {
  if (x.significand == 0 && y.significand == 0) {
    const bool same = x.negative == y.negative;
    return {0, 0, same ? x.negative : mode == Rounding::down};
  }
  if (x.significand == 0) return y;
  if (y.significand == 0) return x;
  Exact high = WithTopBit(x, 125);
  Exact low = WithTopBit(y, 125);
  if (high.exponent < low.exponent ||
      (high.exponent == low.exponent && high.significand < low.significand)) {
    const Exact swapped = high;
    high = low;
    low = swapped;
  }
  low.significand = ShiftRightSticky(low.significand, high.exponent - low.exponent);
  if (high.negative == low.negative) {
    high.significand += low.significand;
  } else {
    high.significand -= low.significand;
    if (high.significand == 0) high.negative = mode == Rounding::down;
  }
  return high;
}

constexpr Exact ExactProduct(const Exact& x, const Exact& y) {
  return {x.significand * y.significand, x.exponent + y.exponent, x.negative != y.negative};
}

/// y is not zero.
constexpr Exact ExactQuotient(const Exact& x, const Exact& y) {
  const bool negative = x.negative != y.negative;
  if (x.significand == 0) return {0, 0, negative};
  const Exact above = WithTopBit(x, 126);
  const Uint128 quotient = above.significand / y.significand;
  const bool rest = quotient * y.significand != above.significand;
  return {quotient << 1 | Uint128{rest}, above.exponent - y.exponent - 1, negative};
}

/// x is not negative.
constexpr Exact ExactSquareRoot(const Exact& x) {
  if (x.significand == 0) return x;
  Exact v = WithTopBit(x, 125);
  if (v.exponent % 2 != 0) v = WithTopBit(x, 124);
  Uint128 root = 0;
  for (Uint128 bit = Uint128{1} << 62; bit != 0; bit >>= 1) {
    if ((root | bit) * (root | bit) <= v.significand) root |= bit;
  }
  const bool rest = root * root != v.significand;
  return {root << 1 | Uint128{rest}, v.exponent / 2 - 1, false};
}

// ---- the operations; what is not finite has no rounding -----------------------------------------

template <class T>
constexpr T AddIn(T x, T y, Rounding mode) {
  if (!IsFinite(x) || !IsFinite(y)) return x + y;
  return RoundExact<T>(ExactSum(ExactOf(x), ExactOf(y), mode), mode);
}
template <class T>
constexpr T MultiplyIn(T x, T y, Rounding mode) {
  if (!IsFinite(x) || !IsFinite(y)) return x * y;
  return RoundExact<T>(ExactProduct(ExactOf(x), ExactOf(y)), mode);
}
template <class T>
constexpr T DivideIn(T x, T y, Rounding mode) {
  if (!IsFinite(x) || !IsFinite(y) || y == 0) return x / y;
  return RoundExact<T>(ExactQuotient(ExactOf(x), ExactOf(y)), mode);
}
template <class T>
T SquareRootIn(T x, Rounding mode) {
  if (!IsFinite(x) || !(x >= 0)) return ::sqrt(x);
  return RoundExact<T>(ExactSquareRoot(ExactOf(x)), mode);
}
template <class T>
constexpr T MultiplyAddIn(T x, T y, T z, Rounding mode) {
  if (!IsFinite(x) || !IsFinite(y)) return x * y + z;
  if (!IsFinite(z)) return z;
  return RoundExact<T>(ExactSum(ExactProduct(ExactOf(x), ExactOf(y)), ExactOf(z), mode), mode);
}

}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
