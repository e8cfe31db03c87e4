// Decides the bits of a number in each storage type. Integer arithmetic only, straight from the 64
// bits of a double: going through float first would round f16 and bf16 twice.

#include "harness/base/dtype.h"

#include <bit>

namespace padproof {
namespace {

constexpr int kDoubleMantissa = 52;
constexpr int kDoubleBias = 1023;

struct Format {
  int mantissa;  // stored bits
  int bias;
  uint32_t exponent_mask;  // of the field, right-aligned: the value of infinity and NaN
  int width;
};

constexpr Format FormatOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::f16:
      return {.mantissa = 10, .bias = 15, .exponent_mask = 31, .width = 16};
    case Dtype::bf16:
      return {.mantissa = 7, .bias = 127, .exponent_mask = 255, .width = 16};
    case Dtype::f32:
      break;
  }
  return {.mantissa = 23, .bias = 127, .exponent_mask = 255, .width = 32};
}

/// 2^exponent, for normal doubles.
constexpr double PowerOfTwo(int exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(exponent + kDoubleBias) << kDoubleMantissa);
}

uint32_t Exponent(const Format& format, uint32_t bits) {
  return (bits >> format.mantissa) & format.exponent_mask;
}

uint32_t Mantissa(const Format& format, uint32_t bits) {
  return bits & ((1u << format.mantissa) - 1u);
}

}  // namespace

uint32_t Encode(Dtype dtype, double x) {
  const Format format = FormatOf(dtype);
  const auto bits = std::bit_cast<uint64_t>(x);
  const uint32_t sign = static_cast<uint32_t>(bits >> 63) << (format.width - 1);
  const uint32_t infinity = format.exponent_mask << format.mantissa;
  const int exponent = static_cast<int>((bits >> kDoubleMantissa) & 0x7FF);
  uint64_t mantissa = bits & ((uint64_t{1} << kDoubleMantissa) - 1);

  if (exponent == 0x7FF) {
    if (mantissa == 0) return sign | infinity;
    const auto payload = static_cast<uint32_t>(mantissa >> (kDoubleMantissa - format.mantissa));
    return sign | infinity | payload | (1u << (format.mantissa - 1));
  }
  // Zero, or a subnormal double: far below half of every storage type's smallest subnormal.
  if (exponent == 0) return sign;

  mantissa |= uint64_t{1} << kDoubleMantissa;
  const int field = exponent - kDoubleBias + format.bias;  // below 1: subnormal in the format
  if (field >= static_cast<int>(format.exponent_mask)) return sign | infinity;
  const int shift = kDoubleMantissa - format.mantissa + (field < 1 ? 1 - field : 0);
  if (shift > kDoubleMantissa + 1) return sign;

  uint64_t kept = mantissa >> shift;
  const uint64_t rest = mantissa & ((uint64_t{1} << shift) - 1);
  const uint64_t half = uint64_t{1} << (shift - 1);
  if (rest > half || (rest == half && (kept & 1) != 0)) ++kept;
  // `kept` has its leading bit at `mantissa` when normal, which adds 1 to the exponent field; a
  // carry out of the rounding moves into the field by itself, up to infinity.
  const uint32_t base = field < 1 ? 0 : static_cast<uint32_t>(field - 1) << format.mantissa;
  return sign | (base + static_cast<uint32_t>(kept));
}

double Decode(Dtype dtype, uint32_t bits) {
  const Format format = FormatOf(dtype);
  const uint64_t sign = static_cast<uint64_t>((bits >> (format.width - 1)) & 1u) << 63;
  const uint32_t exponent = Exponent(format, bits);
  const uint32_t mantissa = Mantissa(format, bits);
  if (exponent == format.exponent_mask) {
    uint64_t special = sign | (uint64_t{0x7FF} << kDoubleMantissa);
    special |= static_cast<uint64_t>(mantissa) << (kDoubleMantissa - format.mantissa);
    if (mantissa != 0) special |= uint64_t{1} << (kDoubleMantissa - 1);
    return std::bit_cast<double>(special);
  }
  const uint32_t whole = exponent == 0 ? mantissa : mantissa | (1u << format.mantissa);
  const int scale = (exponent == 0 ? 1 : static_cast<int>(exponent)) - format.bias;
  const double magnitude = static_cast<double>(whole) * PowerOfTwo(scale - format.mantissa);
  return std::bit_cast<double>(std::bit_cast<uint64_t>(magnitude) | sign);
}

bool IsNan(Dtype dtype, uint32_t bits) {
  const Format format = FormatOf(dtype);
  return Exponent(format, bits) == format.exponent_mask && Mantissa(format, bits) != 0;
}

bool IsFinite(Dtype dtype, uint32_t bits) {
  const Format format = FormatOf(dtype);
  return Exponent(format, bits) != format.exponent_mask;
}

DtypeFacts FactsOf(Dtype dtype) {
  const Format format = FormatOf(dtype);
  const uint32_t largest = (format.exponent_mask << format.mantissa) - 1u;
  return {.unit_roundoff = PowerOfTwo(-format.mantissa - 1),
          .eta = PowerOfTwo(-format.bias - format.mantissa),
          .min_normal = PowerOfTwo(1 - format.bias),
          .max_finite = Decode(dtype, largest)};
}

}  // namespace padproof
