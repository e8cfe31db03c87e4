// Decides how an exact value becomes a binary floating-point number: one rounding, in any of
// CUDA's four modes, to any of its four formats. Everything is integer arithmetic, so the host's
// rounding mode and contraction cannot change a result.
//
// An exact value is significand * 2^exponent. Where a value has more digits than fit, its last bit
// is "sticky": set if anything nonzero lies below it. Rounding is right all the same as long as
// two bits or more remain below the last one kept.

#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

/// The suffixes _rn, _rz, _ru, _rd of CUDA's functions.
enum class Rounding { nearest_even, toward_zero, up, down };

/// An IEEE 754 binary interchange format, or one of its shape.
struct Format {
  int fraction_bits;
  int min_exponent;  // of normal numbers
  uint64_t infinity;
  uint64_t nan;  // what a device returns
};
inline constexpr Format kHalfFormat{10, -14, 0x7c00, 0x7fff};
inline constexpr Format kBfloat16Format{7, -126, 0x7f80, 0x7fff};
inline constexpr Format kFloatFormat{23, -126, 0x7f800000, 0x7fffffff};
inline constexpr Format kDoubleFormat{52, -1022, 0x7ff0000000000000, 0xfff8000000000000};

__extension__ typedef unsigned __int128 Uint128;

template <class Word>
constexpr int BitWidth(Word word) {
  if constexpr (sizeof(Word) == 16) {
    const auto high = static_cast<uint64_t>(word >> 64);
    return high != 0 ? 128 - std::countl_zero(high)
                     : 64 - std::countl_zero(static_cast<uint64_t>(word));
  } else {
    return static_cast<int>(std::bit_width(word));
  }
}

/// Shifts right; what falls out is remembered in the last bit.
template <class Word>
constexpr Word ShiftRightSticky(Word word, int count) {
  if (count <= 0) return word;
  if (count >= static_cast<int>(8 * sizeof(Word))) return word != 0;
  const Word kept = word >> count;
  return kept | static_cast<Word>((kept << count) != word);
}

constexpr bool RoundsAwayFromZero(bool negative, Rounding mode) {
  return (mode == Rounding::up && !negative) || (mode == Rounding::down && negative);
}

/// The pattern, without its sign, of the number nearest to significand * 2^exponent in `mode`.
template <class Word>
constexpr uint64_t RoundMagnitude(Word significand, int exponent, const Format& format,
                                  Rounding mode, bool negative) {
  if (significand == 0) return 0;
  const int smallest = format.min_exponent - format.fraction_bits;  // exponent of one unit there
  const int leading = exponent + BitWidth(significand) - 1 - format.fraction_bits;
  const int unit = leading > smallest ? leading : smallest;
  const bool nearest = mode == Rounding::nearest_even;
  uint64_t kept = 0;
  bool up = false;
  const int dropped = unit - exponent;
  if (dropped <= 0) {
    kept = static_cast<uint64_t>(significand << -dropped);
  } else if (dropped > BitWidth(significand)) {
    up = RoundsAwayFromZero(negative, mode);  // below half a unit
  } else {
    const Word half = Word{1} << (dropped - 1);
    const Word rest = significand & ((half << 1) - 1);
    kept = dropped < static_cast<int>(8 * sizeof(Word))
               ? static_cast<uint64_t>(significand >> dropped)
               : 0;
    up = nearest ? rest > half || (rest == half && (kept & 1) != 0)
                 : rest != 0 && RoundsAwayFromZero(negative, mode);
  }
  // A carry out of the fraction runs into the exponent, which is what it means.
  const uint64_t bits =
      kept + up + (static_cast<uint64_t>(unit - smallest) << format.fraction_bits);
  if (unit - smallest <= 0x7ff && bits < format.infinity) return bits;
  return nearest || RoundsAwayFromZero(negative, mode) ? format.infinity : format.infinity - 1;
}

/// A finite number taken apart: |value| = significand * 2^exponent.
struct Unpacked {
  uint64_t significand;
  int exponent;
  bool negative;
};

constexpr Unpacked Unpack(uint64_t bits, const Format& format) {
  const uint64_t hidden = uint64_t{1} << format.fraction_bits;
  const uint64_t magnitude = bits & ((format.infinity | (hidden - 1)));
  const auto field = static_cast<int>(magnitude >> format.fraction_bits);
  const uint64_t fraction = magnitude & (hidden - 1);
  const int smallest = format.min_exponent - format.fraction_bits;
  return {field == 0 ? fraction : fraction | hidden, smallest + (field == 0 ? 0 : field - 1),
          bits > (format.infinity | (hidden - 1))};
}

constexpr uint64_t SignOf(const Format& format) {
  return (format.infinity | ((uint64_t{1} << format.fraction_bits) - 1)) + 1;
}

#if defined(SIMT_MSAN)
// clang takes the upper half of a widened float for written, where a NaN is recognised. Parameters
// are checked whole, so an unwritten number is reported at the call.
#define PADPROOF_SIMT_CHECKS_PARAMETERS __attribute__((noinline))
#else
#define PADPROOF_SIMT_CHECKS_PARAMETERS
#endif

/// A double, rounded once to a narrower format.
PADPROOF_SIMT_CHECKS_PARAMETERS constexpr uint64_t RoundDouble(
    double value, const Format& format, Rounding mode = Rounding::nearest_even) {
  const auto bits = std::bit_cast<uint64_t>(value);
  const uint64_t magnitude = bits & 0x7fffffffffffffff;
  if (magnitude > kDoubleFormat.infinity) return format.nan;
  const bool negative = magnitude != bits;
  const uint64_t sign = negative ? SignOf(format) : 0;
  if (magnitude == kDoubleFormat.infinity) return sign | format.infinity;
  const Unpacked v = Unpack(bits, kDoubleFormat);
  return sign | RoundMagnitude(v.significand, v.exponent, format, mode, negative);
}

/// An integer, rounded once.
constexpr uint64_t RoundInteger(bool negative, uint64_t magnitude, const Format& format,
                                Rounding mode) {
  return (negative ? SignOf(format) : 0) | RoundMagnitude(magnitude, 0, format, mode, negative);
}

constexpr uint64_t RoundInteger(long long value, const Format& format, Rounding mode) {
  const auto bits = static_cast<uint64_t>(value);
  return RoundInteger(value < 0, value < 0 ? 0 - bits : bits, format, mode);
}

constexpr uint64_t RoundInteger(unsigned long long value, const Format& format, Rounding mode) {
  return RoundInteger(false, value, format, mode);
}

/// A number rounded to an integer, clamped to the integer's range.
template <class Integer>
constexpr Integer RoundToInteger(double value, Rounding mode, Integer of_nan) {
  using Limits = std::numeric_limits<Integer>;
  const auto bits = std::bit_cast<uint64_t>(value);
  const uint64_t magnitude = bits & 0x7fffffffffffffff;
  if (magnitude > kDoubleFormat.infinity) return of_nan;
  const bool negative = magnitude != bits;
  const Unpacked v = Unpack(bits, kDoubleFormat);
  // Of the most negative integer too: the one above the largest if signed, 0 if not.
  const uint64_t limit = static_cast<uint64_t>(Limits::max()) + (negative && Limits::is_signed);
  const bool clamped_to_zero = negative && !Limits::is_signed;
  uint64_t result = 0;
  if (v.exponent > 11) {  // 2^64 and above, and infinity
    result = UINT64_MAX;
  } else if (v.exponent >= 0) {
    result = v.significand << v.exponent;
  } else {
    // As a number of so many fraction bits that one unit of the last is 1.
    constexpr Format kIntegers{62, 62, uint64_t{1} << 63, 0};
    result = RoundMagnitude(v.significand, v.exponent, kIntegers, mode, negative);
  }
  if (clamped_to_zero) return 0;
  if (result >= limit) return negative ? Limits::min() : Limits::max();
  return static_cast<Integer>(negative ? 0 - result : result);
}

/// What a device makes of NaN: 0, but 2^(width - 1) if it comes from a double or is to have 64
/// bits (PTX ISA, cvt).
template <class Integer>
constexpr Integer NanAsInteger(bool from_double) {
  constexpr auto kTop = static_cast<Integer>(uint64_t{1} << (8 * sizeof(Integer) - 1));
  return from_double || sizeof(Integer) == 8 ? kTop : Integer{0};
}

/// x + y of doubles, rounded to odd: whatever is rounded from it to half the digits or fewer is
/// rounded as if once (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved
/// algorithms using rounding to odd", IEEE Transactions on Computers 57, 2008).
inline double AddToOdd(double x, double y) {
  const double sum = x + y;
  const double part = sum - x;
  const double error = (x - (sum - part)) + (y - part);  // exact (Knuth's two-sum)
  const auto bits = std::bit_cast<uint64_t>(sum);
  const bool finite = (bits & kDoubleFormat.infinity) != kDoubleFormat.infinity;
  if (!finite || error == 0 || (bits & 1) != 0) return sum;
  // Towards the error by one unit; an even pattern that is not exact is never zero.
  return std::bit_cast<double>((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
}

}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
