// For tests: 16-bit numbers by IEEE 754's definition and by search, sharing nothing with half.h.

#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace padproof {

__extension__ typedef __int128 Int128;

struct SixteenBitFormat {
  int exponent_bits;
  int fraction_bits;

  int Infinity() const { return ((1 << exponent_bits) - 1) << fraction_bits; }
  int Bias() const { return (1 << (exponent_bits - 1)) - 1; }
  /// A non-negative pattern's number is Significand * 2^Exponent. Infinity's is what it would be if
  /// exponents went on: from there to the largest number, halfway is where rounding overflows.
  int Significand(int pattern) const {
    const int fraction = pattern & ((1 << fraction_bits) - 1);
    return pattern >> fraction_bits == 0 ? fraction : fraction + (1 << fraction_bits);
  }
  int Exponent(int pattern) const {
    const int exponent = pattern >> fraction_bits;
    return (exponent == 0 ? 1 : exponent) - Bias() - fraction_bits;
  }
  long double ValueOf(int pattern) const {
    return std::ldexp(static_cast<long double>(Significand(pattern)), Exponent(pattern));
  }
};
inline constexpr SixteenBitFormat kHalf16{5, 10};
inline constexpr SixteenBitFormat kBfloat16{8, 7};

enum class Direction { nearest, zero, up, down };

/// The pattern for an exact value of any type: `value_of(pattern)` gives those of patterns, which
/// it is compared to. The only arithmetic is the sum of two neighbours and a doubling.
template <class Value, class ValueOf>
uint16_t PatternFor(const SixteenBitFormat& f, Value value, bool negative, Direction direction,
                    ValueOf value_of) {
  int low = 0, high = f.Infinity();  // value_of(low) <= value < value_of(high)
  const int sign = negative ? 0x8000 : 0;
  const bool away =
      (direction == Direction::up && !negative) || (direction == Direction::down && negative);
  if (value >= value_of(high)) {
    const bool overflows = direction == Direction::nearest || away;
    return static_cast<uint16_t>(sign | (overflows ? high : high - 1));
  }
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (value_of(middle) <= value ? low : high) = middle;
  }
  const Value below = value_of(low), above = value_of(high);
  bool up = value != below && away;
  if (direction == Direction::nearest) {
    const Value twice = value + value, both = below + above;
    up = twice > both || (twice == both && low % 2 != 0);
  }
  return static_cast<uint16_t>(sign | (up ? high : low));
}

/// The same for a real number that a long double holds well enough. NaN gives 0x7fff.
inline uint16_t PatternFor(const SixteenBitFormat& f, long double value,
                           Direction direction = Direction::nearest) {
  if (std::isnan(value)) return 0x7fff;
  if (std::isinf(value)) {
    return static_cast<uint16_t>(f.Infinity() | (value < 0 ? 0x8000 : 0));
  }
  static const auto values_of = [](const SixteenBitFormat& format) {
    std::vector<long double> values;
    for (int i = 0; i <= format.Infinity(); i++) values.push_back(format.ValueOf(i));
    return values;
  };
  static const std::vector<long double> half = values_of(kHalf16), bfloat16 = values_of(kBfloat16);
  const std::vector<long double>& values = f.fraction_bits == 10 ? half : bfloat16;
  return PatternFor(f, std::fabs(value), std::signbit(value), direction,
                    [&](int pattern) { return values[static_cast<size_t>(pattern)]; });
}

}  // namespace padproof
