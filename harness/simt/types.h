// The CUDA types a kernel names, without the toolkit. On the host these are always used, even where
// the toolkit is installed, so that a result never depends on what a machine has.
//
// They live in padproof::simt and are aliased into the global namespace: a binary may also contain
// objects made by nvcc, whose types of the same spelling are other types.
//
// __half and __nv_bfloat16 convert explicitly only and have no arithmetic: nvcc's operators round
// to 16 bits, an implicit detour over float would not, and a kernel must not silently differ.

#pragma once

#if defined(__DRIVER_TYPES_H__) || defined(__VECTOR_TYPES_H__) || defined(__CUDA_FP16_H__)
#error "on the host, include harness/simt/simt.h instead of the CUDA Toolkit's headers"
#endif

#include <bit>
#include <cstdint>

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

// ---- conversions, round to nearest even; any NaN becomes the device's canonical NaN -------------

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

// ---- types --------------------------------------------------------------------------------------

struct __half {
  uint16_t bits;
  __half() = default;
  explicit constexpr __half(float value) : bits(HalfBitsOf(value)) {}
  explicit constexpr operator float() const { return FloatOfHalfBits(bits); }
};

struct __nv_bfloat16 {
  uint16_t bits;
  __nv_bfloat16() = default;
  explicit constexpr __nv_bfloat16(float value) : bits(Bfloat16BitsOf(value)) {}
  explicit constexpr operator float() const { return FloatOfBfloat16Bits(bits); }
};

struct alignas(4) __half2 {
  __half x, y;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

#define PADPROOF_SIMT_VECTOR(scalar, name, size)                                       \
  struct alignas(2 * sizeof(scalar)) name##2 { scalar x, y; };                         \
  struct name##3 { scalar x, y, z; };                                                  \
  struct alignas(size) name##4 { scalar x, y, z, w; };                                 \
  constexpr name##2 make_##name##2(scalar x, scalar y) { return {x, y}; }              \
  constexpr name##3 make_##name##3(scalar x, scalar y, scalar z) { return {x, y, z}; } \
  constexpr name##4 make_##name##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }
PADPROOF_SIMT_VECTOR(float, float, 16)
PADPROOF_SIMT_VECTOR(double, double, 16)
PADPROOF_SIMT_VECTOR(int, int, 16)
PADPROOF_SIMT_VECTOR(unsigned, uint, 16)
#undef PADPROOF_SIMT_VECTOR

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}  // NOLINT(google-explicit-constructor)
};

/// Streams do not exist here: a launch returns when its last thread has left the kernel.
using cudaStream_t = struct CUstream_st*;

/// The toolkit's codes for what a launch refuses.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
};

// ---- conversions under their CUDA names ---------------------------------------------------------

inline __half __float2half(float value) { return __half(value); }
inline __half __float2half_rn(float value) { return __half(value); }
inline float __half2float(__half value) { return static_cast<float>(value); }
inline unsigned short __half_as_ushort(__half value) { return value.bits; }
inline __half __ushort_as_half(unsigned short bits) { return std::bit_cast<__half>(bits); }
inline __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
inline __half2 __float22half2_rn(float2 v) { return {__half(v.x), __half(v.y)}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline float2 __half22float2(__half2 v) { return {__half2float(v.x), __half2float(v.y)}; }
inline float __low2float(__half2 v) { return __half2float(v.x); }
inline float __high2float(__half2 v) { return __half2float(v.y); }

inline __nv_bfloat16 __float2bfloat16(float value) { return __nv_bfloat16(value); }
inline __nv_bfloat16 __float2bfloat16_rn(float value) { return __nv_bfloat16(value); }
inline float __bfloat162float(__nv_bfloat16 value) { return static_cast<float>(value); }
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 value) { return value.bits; }
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
  return std::bit_cast<__nv_bfloat16>(bits);
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__nv_bfloat16(x), __nv_bfloat16(y)};
}
inline float2 __bfloat1622float2(__nv_bfloat162 v) {
  return {__bfloat162float(v.x), __bfloat162float(v.y)};
}
inline float __low2float(__nv_bfloat162 v) { return __bfloat162float(v.x); }
inline float __high2float(__nv_bfloat162 v) { return __bfloat162float(v.y); }

}  // namespace host_build
}  // namespace padproof::simt

using padproof::simt::__half;
using padproof::simt::__half2;
using padproof::simt::__nv_bfloat16;
using padproof::simt::__nv_bfloat162;
using half = padproof::simt::__half;
using half2 = padproof::simt::__half2;
using nv_bfloat16 = padproof::simt::__nv_bfloat16;
using nv_bfloat162 = padproof::simt::__nv_bfloat162;
using padproof::simt::cudaError_t;
using padproof::simt::cudaErrorInvalidConfiguration;
using padproof::simt::cudaErrorInvalidValue;
using padproof::simt::cudaErrorMemoryAllocation;
using padproof::simt::cudaStream_t;
using padproof::simt::cudaSuccess;
using padproof::simt::dim3;

using padproof::simt::double2, padproof::simt::double3, padproof::simt::double4;
using padproof::simt::float2, padproof::simt::float3, padproof::simt::float4;
using padproof::simt::int2, padproof::simt::int3, padproof::simt::int4;
using padproof::simt::make_double2, padproof::simt::make_double3, padproof::simt::make_double4;
using padproof::simt::make_float2, padproof::simt::make_float3, padproof::simt::make_float4;
using padproof::simt::make_int2, padproof::simt::make_int3, padproof::simt::make_int4;
using padproof::simt::make_uint2, padproof::simt::make_uint3, padproof::simt::make_uint4;
using padproof::simt::uint2, padproof::simt::uint3, padproof::simt::uint4;

// Qualified: the arguments of some are plain numbers, which argument-dependent lookup cannot find.
using padproof::simt::__bfloat1622float2, padproof::simt::__floats2bfloat162_rn;
using padproof::simt::__bfloat162float, padproof::simt::__float2bfloat16;
using padproof::simt::__bfloat16_as_ushort, padproof::simt::__ushort_as_bfloat16;
using padproof::simt::__float22half2_rn, padproof::simt::__floats2half2_rn;
using padproof::simt::__float2bfloat16_rn, padproof::simt::__float2half_rn;
using padproof::simt::__float2half, padproof::simt::__half2float;
using padproof::simt::__half22float2, padproof::simt::__halves2half2;
using padproof::simt::__half_as_ushort, padproof::simt::__ushort_as_half;
using padproof::simt::__low2float, padproof::simt::__high2float;
#pragma GCC visibility pop
