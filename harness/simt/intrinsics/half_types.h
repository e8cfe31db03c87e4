// __half and __nv_bfloat16, alone and in pairs: what they are made of and which conversions are
// implicit. These are exactly the toolkit's, so that a call is ambiguous here if it is for nvcc.

#pragma once

#include <bit>
#include <cstdint>

#include "harness/simt/intrinsics/rounding.h"
#include "harness/simt/types.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

// ---- float to and from 16 bits: kernels do this all the time, so not by rounding.h --------------

constexpr uint16_t RoundToEven(uint32_t bits, uint32_t dropped) {
  const uint32_t kept = bits >> dropped;
  const uint32_t rest = bits & ((1u << dropped) - 1);
  const uint32_t half = 1u << (dropped - 1);
  return static_cast<uint16_t>(kept + (rest > half || (rest == half && (kept & 1))));
}

constexpr uint16_t HalfBitsOf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffff;
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  if (magnitude > 0x7f800000) return 0x7fff;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // 65520 and above: infinity
  if (magnitude >= 0x38800000) {                      // 2^-14 and above: normal
    return sign | RoundToEven(magnitude - (112u << 23), 13);
  }
  if (magnitude <= 0x33000000) return sign;  // 2^-25 and below: zero
  const uint32_t significand = (magnitude & 0x7fffff) | 0x800000;
  return sign | RoundToEven(significand, 126 - (magnitude >> 23));
}

constexpr float FloatOfHalfBits(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = bits >> 10 & 31;
  const uint32_t fraction = bits & 0x3ff;
  if (exponent == 31) {
    return std::bit_cast<float>(fraction != 0 ? 0x7fffffffu : sign | 0x7f800000u);
  }
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float value = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -value : value;
}

constexpr uint16_t Bfloat16BitsOf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
  return RoundToEven(bits, 16);
}

constexpr float FloatOfBfloat16Bits(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// ---- one number ---------------------------------------------------------------------------------

inline namespace toolkit_names {
struct __half_raw {
  unsigned short x;
};
struct __nv_bfloat16_raw {
  unsigned short x;
};
}  // namespace toolkit_names

/// What the two types have in common.
template <Format kFormat, class Raw>
class Number16 {
 public:
  static constexpr Format kNumberFormat = kFormat;

  /// For nobody's use: public because g++ warns of memset and memcpy of what has private members.
  uint16_t padproof_bits;

  Number16() = default;
  // NOLINTBEGIN(google-explicit-constructor)
  constexpr Number16(const Raw& raw) : padproof_bits(raw.x) {}
  constexpr Number16(float v) : padproof_bits(kIsHalf ? HalfBitsOf(v) : Bfloat16BitsOf(v)) {}
  constexpr Number16(double v) : padproof_bits(static_cast<uint16_t>(RoundDouble(v, kFormat))) {}
  constexpr Number16(short v) : Number16(static_cast<long long>(v)) {}
  constexpr Number16(unsigned short v) : Number16(static_cast<unsigned long long>(v)) {}
  constexpr Number16(int v) : Number16(static_cast<long long>(v)) {}
  constexpr Number16(unsigned v) : Number16(static_cast<unsigned long long>(v)) {}
  constexpr Number16(long v) : Number16(static_cast<long long>(v)) {}
  constexpr Number16(unsigned long v) : Number16(static_cast<unsigned long long>(v)) {}
  constexpr Number16(long long v) : padproof_bits(Rounded(v)) {}
  constexpr Number16(unsigned long long v) : padproof_bits(Rounded(v)) {}

  constexpr operator Raw() const { return {padproof_bits}; }
  constexpr operator float() const {
    return kIsHalf ? FloatOfHalfBits(padproof_bits) : FloatOfBfloat16Bits(padproof_bits);
  }
  constexpr operator bool() const { return (padproof_bits & 0x7fff) != 0; }
  constexpr operator char() const { return Truncated<char>(); }
  constexpr operator signed char() const { return Truncated<signed char>(); }
  constexpr operator unsigned char() const { return Truncated<unsigned char>(); }
  constexpr operator short() const { return Truncated<short>(); }
  constexpr operator unsigned short() const { return Truncated<unsigned short>(); }
  constexpr operator int() const { return Truncated<int>(); }
  constexpr operator unsigned() const { return Truncated<unsigned>(); }
  constexpr operator long() const { return Truncated<long>(); }
  constexpr operator unsigned long() const { return Truncated<unsigned long>(); }
  constexpr operator long long() const { return Truncated<long long>(); }
  constexpr operator unsigned long long() const { return Truncated<unsigned long long>(); }
  // NOLINTEND(google-explicit-constructor)

 private:
  static constexpr bool kIsHalf = kFormat.fraction_bits == 10;

  template <class Wide>
  static constexpr uint16_t Rounded(Wide v) {
    return static_cast<uint16_t>(RoundInteger(v, kFormat, Rounding::nearest_even));
  }
  template <class Integer>
  constexpr Integer Truncated() const {
    return RoundToInteger<Integer>(static_cast<double>(static_cast<float>(*this)),
                                   Rounding::toward_zero, NanAsInteger<Integer>(false));
  }
};

inline namespace toolkit_names {

struct __half;

struct __nv_bfloat16 : Number16<kBfloat16Format, __nv_bfloat16_raw> {
  using Number16::Number16;
  __nv_bfloat16() = default;
  explicit constexpr __nv_bfloat16(__half v);
};

struct __half : Number16<kHalfFormat, __half_raw> {
  using Number16::Number16;
  __half() = default;
  explicit constexpr __half(__nv_bfloat16 v) : Number16(static_cast<float>(v)) {}
};

constexpr __nv_bfloat16::__nv_bfloat16(__half v) : Number16(static_cast<float>(v)) {}

using half = __half;
using nv_half = __half;
using nv_bfloat16 = __nv_bfloat16;

// ---- pairs --------------------------------------------------------------------------------------

struct alignas(4) __half2_raw {
  unsigned short x, y;
};
struct alignas(4) __nv_bfloat162_raw {
  unsigned short x, y;
};

struct alignas(4) __half2 {
  __half x, y;
  __half2() = default;
  constexpr __half2(const __half& low, const __half& high) : x(low), y(high) {}
  constexpr __half2(const __half2_raw& raw)  // NOLINT(google-explicit-constructor)
      : x(__half_raw{raw.x}), y(__half_raw{raw.y}) {}
  constexpr operator __half2_raw() const {  // NOLINT(google-explicit-constructor)
    return {static_cast<__half_raw>(x).x, static_cast<__half_raw>(y).x};
  }
};

struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
  __nv_bfloat162() = default;
  constexpr __nv_bfloat162(const __nv_bfloat16& low, const __nv_bfloat16& high) : x(low), y(high) {}
  constexpr __nv_bfloat162(const __nv_bfloat162_raw& raw)  // NOLINT(google-explicit-constructor)
      : x(__nv_bfloat16_raw{raw.x}), y(__nv_bfloat16_raw{raw.y}) {}
  constexpr operator __nv_bfloat162_raw() const {  // NOLINT(google-explicit-constructor)
    return {static_cast<__nv_bfloat16_raw>(x).x, static_cast<__nv_bfloat16_raw>(y).x};
  }
};

using half2 = __half2;
using nv_half2 = __half2;
using nv_bfloat162 = __nv_bfloat162;

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
