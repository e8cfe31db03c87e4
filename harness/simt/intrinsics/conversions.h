// Conversions between float, double and integers in CUDA's rounding modes, and casts of bits.
//
// To an integer they clamp to its range. NaN gives 0, but 2^(width - 1) if it comes from a double
// or is to have 64 bits (PTX ISA, cvt). A plain cast, `(int)x`, clamps on a device too; on the host
// it is undefined out of range, as in C++.

#pragma once

#include <bit>
#include <cstdint>

#include "harness/simt/intrinsics/rounding.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

template <class Integer>
constexpr Integer IntegerOf(float value, Rounding mode) {
  return RoundToInteger<Integer>(value, mode, NanAsInteger<Integer>(false));
}
template <class Integer>
constexpr Integer IntegerOf(double value, Rounding mode) {
  return RoundToInteger<Integer>(value, mode, NanAsInteger<Integer>(true));
}
constexpr float RoundToFloat(double value, Rounding mode) {
  return std::bit_cast<float>(static_cast<uint32_t>(RoundDouble(value, kFloatFormat, mode)));
}
template <class Wide>
constexpr float IntegerToFloat(Wide value, Rounding mode) {
  return std::bit_cast<float>(static_cast<uint32_t>(RoundInteger(value, kFloatFormat, mode)));
}
template <class Wide>
constexpr double IntegerToDouble(Wide value, Rounding mode) {
  return std::bit_cast<double>(RoundInteger(value, kDoubleFormat, mode));
}

inline namespace toolkit_names {

#define PADPROOF_SIMT_TO_INTEGER(Integer, name, mode, suffix)                                  \
  constexpr Integer __float2##name##_##suffix(float x) { return IntegerOf<Integer>(x, mode); } \
  constexpr Integer __double2##name##_##suffix(double x) { return IntegerOf<Integer>(x, mode); }
#define PADPROOF_SIMT_TO_FLOAT(Integer, Wide, name, mode, suffix) \
  constexpr float __##name##2float_##suffix(Integer x) {          \
    return IntegerToFloat(static_cast<Wide>(x), mode);            \
  }
#define PADPROOF_SIMT_TO_DOUBLE(Wide, name, mode, suffix) \
  constexpr double __##name##2double_##suffix(Wide x) { return IntegerToDouble(x, mode); }
#define PADPROOF_SIMT_MODE(mode, suffix)                                            \
  PADPROOF_SIMT_TO_INTEGER(int, int, mode, suffix)                                  \
  PADPROOF_SIMT_TO_INTEGER(unsigned, uint, mode, suffix)                            \
  PADPROOF_SIMT_TO_INTEGER(long long, ll, mode, suffix)                             \
  PADPROOF_SIMT_TO_INTEGER(unsigned long long, ull, mode, suffix)                   \
  PADPROOF_SIMT_TO_FLOAT(int, long long, int, mode, suffix)                         \
  PADPROOF_SIMT_TO_FLOAT(unsigned, unsigned long long, uint, mode, suffix)          \
  PADPROOF_SIMT_TO_FLOAT(long long, long long, ll, mode, suffix)                    \
  PADPROOF_SIMT_TO_FLOAT(unsigned long long, unsigned long long, ull, mode, suffix) \
  PADPROOF_SIMT_TO_DOUBLE(long long, ll, mode, suffix)                              \
  PADPROOF_SIMT_TO_DOUBLE(unsigned long long, ull, mode, suffix)                    \
  constexpr float __double2float_##suffix(double x) { return RoundToFloat(x, mode); }
PADPROOF_SIMT_MODE(Rounding::nearest_even, rn)
PADPROOF_SIMT_MODE(Rounding::toward_zero, rz)
PADPROOF_SIMT_MODE(Rounding::up, ru)
PADPROOF_SIMT_MODE(Rounding::down, rd)
#undef PADPROOF_SIMT_MODE
#undef PADPROOF_SIMT_TO_DOUBLE
#undef PADPROOF_SIMT_TO_FLOAT
#undef PADPROOF_SIMT_TO_INTEGER
constexpr double __int2double_rn(int x) { return x; }
constexpr double __uint2double_rn(unsigned x) { return x; }

// ---- bits ---------------------------------------------------------------------------------------

constexpr int __float_as_int(float x) { return std::bit_cast<int>(x); }
constexpr unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
constexpr float __int_as_float(int x) { return std::bit_cast<float>(x); }
constexpr float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
constexpr long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
constexpr double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
constexpr int __double2hiint(double x) {
  return static_cast<int>(std::bit_cast<uint64_t>(x) >> 32);
}
constexpr int __double2loint(double x) { return static_cast<int>(std::bit_cast<uint64_t>(x)); }
constexpr double __hiloint2double(int high, int low) {
  return std::bit_cast<double>(static_cast<uint64_t>(static_cast<uint32_t>(high)) << 32 |
                               static_cast<uint32_t>(low));
}

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
