// The conversions of cuda_fp16.h and cuda_bf16.h under their names: rounded once, in the mode of
// the suffix. To an integer they clamp; NaN gives 0, or 2^63 where the integer has 64 bits.

#pragma once

#include <bit>
#include <cstdint>

#include "harness/simt/intrinsics/half_types.h"
#include "harness/simt/intrinsics/rounding.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

template <class T>
constexpr T RoundTo16(double value, Rounding mode) {
  return std::bit_cast<T>(static_cast<uint16_t>(RoundDouble(value, T::kNumberFormat, mode)));
}
template <class T, class Wide>
constexpr T RoundIntegerTo16(Wide value, Rounding mode) {
  return std::bit_cast<T>(static_cast<uint16_t>(RoundInteger(value, T::kNumberFormat, mode)));
}
template <class Integer, class T>
constexpr Integer IntegerOf16(T value, Rounding mode) {
  return RoundToInteger<Integer>(static_cast<float>(value), mode, NanAsInteger<Integer>(false));
}

inline namespace toolkit_names {

// ---- from and to float and double ---------------------------------------------------------------

#define PADPROOF_SIMT_CONVERSIONS(T, T2, name)                                                    \
  constexpr T __double2##name(double v) { return T(v); }                                          \
  constexpr T __float2##name(float v) { return T(v); }                                            \
  constexpr T __float2##name##_rn(float v) { return T(v); }                                       \
  constexpr T __float2##name##_rz(float v) { return RoundTo16<T>(v, Rounding::toward_zero); }     \
  constexpr T __float2##name##_rd(float v) { return RoundTo16<T>(v, Rounding::down); }            \
  constexpr T __float2##name##_ru(float v) { return RoundTo16<T>(v, Rounding::up); }              \
  constexpr float __##name##2float(T v) { return static_cast<float>(v); }                         \
  constexpr T2 __float2##name##2_rn(float v) { return {T(v), T(v)}; }                             \
  constexpr T2 __floats2##name##2_rn(float x, float y) { return {T(x), T(y)}; }                   \
  constexpr T2 __float22##name##2_rn(float2 v) { return {T(v.x), T(v.y)}; }                       \
  constexpr float2 __##name##22float2(T2 v) {                                                     \
    return {static_cast<float>(v.x), static_cast<float>(v.y)};                                    \
  }                                                                                               \
  constexpr float __low2float(T2 v) { return static_cast<float>(v.x); }                           \
  constexpr float __high2float(T2 v) { return static_cast<float>(v.y); }                          \
  constexpr signed char __##name##2char_rz(T v) { return static_cast<signed char>(v); }           \
  constexpr unsigned char __##name##2uchar_rz(T v) { return static_cast<unsigned char>(v); }      \
  /* ---- parts, and bits ---- */                                                                 \
  constexpr T2 __##name##2##name##2(T v) { return {v, v}; }                                       \
  constexpr T2 make_##name##2(T x, T y) { return {x, y}; }                                        \
  constexpr T2 __halves2##name##2(T x, T y) { return {x, y}; }                                    \
  constexpr T2 __lows2##name##2(T2 a, T2 b) { return {a.x, b.x}; }                                \
  constexpr T2 __highs2##name##2(T2 a, T2 b) { return {a.y, b.y}; }                               \
  constexpr T __low2##name(T2 v) { return v.x; }                                                  \
  constexpr T __high2##name(T2 v) { return v.y; }                                                 \
  constexpr T2 __low2##name##2(T2 v) { return {v.x, v.x}; }                                       \
  constexpr T2 __high2##name##2(T2 v) { return {v.y, v.y}; }                                      \
  constexpr T2 __lowhigh2highlow(T2 v) { return {v.y, v.x}; }                                     \
  constexpr short __##name##_as_short(T v) { return std::bit_cast<short>(v); }                    \
  constexpr unsigned short __##name##_as_ushort(T v) { return std::bit_cast<unsigned short>(v); } \
  constexpr T __short_as_##name(short bits) { return std::bit_cast<T>(bits); }                    \
  constexpr T __ushort_as_##name(unsigned short bits) { return std::bit_cast<T>(bits); }

// The toolkit writes bfloat16 where it has half, but make_bfloat162 where it has make_half2: the
// scheme above gives both.
PADPROOF_SIMT_CONVERSIONS(__half, __half2, half)
PADPROOF_SIMT_CONVERSIONS(__nv_bfloat16, __nv_bfloat162, bfloat16)
#undef PADPROOF_SIMT_CONVERSIONS

// ---- from and to integers -----------------------------------------------------------------------

#define PADPROOF_SIMT_INTEGER(T, name, Integer, Wide, integer, mode, suffix)                       \
  constexpr Integer __##name##2##integer##_##suffix(T v) { return IntegerOf16<Integer>(v, mode); } \
  constexpr T __##integer##2##name##_##suffix(Integer v) {                                         \
    return RoundIntegerTo16<T>(static_cast<Wide>(v), mode);                                        \
  }
#define PADPROOF_SIMT_MODES(T, name, Integer, Wide, integer)                         \
  PADPROOF_SIMT_INTEGER(T, name, Integer, Wide, integer, Rounding::nearest_even, rn) \
  PADPROOF_SIMT_INTEGER(T, name, Integer, Wide, integer, Rounding::toward_zero, rz)  \
  PADPROOF_SIMT_INTEGER(T, name, Integer, Wide, integer, Rounding::down, rd)         \
  PADPROOF_SIMT_INTEGER(T, name, Integer, Wide, integer, Rounding::up, ru)
#define PADPROOF_SIMT_INTEGERS(T, name)                                    \
  PADPROOF_SIMT_MODES(T, name, short, long long, short)                    \
  PADPROOF_SIMT_MODES(T, name, unsigned short, unsigned long long, ushort) \
  PADPROOF_SIMT_MODES(T, name, int, long long, int)                        \
  PADPROOF_SIMT_MODES(T, name, unsigned, unsigned long long, uint)         \
  PADPROOF_SIMT_MODES(T, name, long long, long long, ll)                   \
  PADPROOF_SIMT_MODES(T, name, unsigned long long, unsigned long long, ull)
PADPROOF_SIMT_INTEGERS(__half, half)
PADPROOF_SIMT_INTEGERS(__nv_bfloat16, bfloat16)
#undef PADPROOF_SIMT_INTEGERS
#undef PADPROOF_SIMT_MODES
#undef PADPROOF_SIMT_INTEGER

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
