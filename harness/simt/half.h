// 16-bit floating point of the SIMT layer: what cuda_fp16.h and cuda_bf16.h give to device code,
// but shuffles (collectives.h), atomics (atomics.h) and cached loads (math_functions.h).
//
// The types are in intrinsics/half_types.h, the functions in intrinsics/half_functions.inc, which
// is read once for each type, the conversions in intrinsics/half_conversions.h.

#pragma once

#include <math.h>  // NOLINT(modernize-deprecated-headers): glibc's names as CUDA's are global

#include <bit>
#include <cstdint>
#include <type_traits>

#include "harness/simt/intrinsics/half_conversions.h"
#include "harness/simt/intrinsics/half_types.h"
#include "harness/simt/intrinsics/rounding.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

template <class T>
concept SixteenBits = std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16>;

template <SixteenBits T>
constexpr double Widen(T value) {
  return static_cast<float>(value);
}
template <SixteenBits T>
constexpr uint16_t BitsOf(T value) {
  return std::bit_cast<uint16_t>(value);
}
template <SixteenBits T>
constexpr T FromBits(uint16_t bits) {
  return std::bit_cast<T>(bits);
}
template <SixteenBits T>
constexpr bool IsNan(T value) {
  return (BitsOf(value) & 0x7fff) > T::kNumberFormat.infinity;
}
/// Ascending with the number, -0 below +0.
template <SixteenBits T>
constexpr int OrderOf(T value) {
  const int magnitude = BitsOf(value) & 0x7fff;
  return BitsOf(value) >> 15 != 0 ? -1 - magnitude : magnitude;
}
/// Clamped to [+0, 1]; NaN becomes +0.
template <SixteenBits T>
constexpr T Saturated(T value) {
  if (!(Widen(value) > 0.0)) return FromBits<T>(0);
  return Widen(value) < 1.0 ? value : T(1.0f);
}

inline namespace toolkit_names {

#define PADPROOF_NUMBER __half
#define PADPROOF_PAIR __half2
#include "harness/simt/intrinsics/half_functions.inc"
#undef PADPROOF_PAIR
#undef PADPROOF_NUMBER
#define PADPROOF_NUMBER __nv_bfloat16
#define PADPROOF_PAIR __nv_bfloat162
#include "harness/simt/intrinsics/half_functions.inc"
#undef PADPROOF_PAIR
#undef PADPROOF_NUMBER

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop

// The toolkit's constants of the same names.
#define CUDART_INF_FP16 __ushort_as_half(0x7c00)
#define CUDART_NAN_FP16 __ushort_as_half(0x7fff)
#define CUDART_MIN_DENORM_FP16 __ushort_as_half(0x0001)
#define CUDART_MAX_NORMAL_FP16 __ushort_as_half(0x7bff)
#define CUDART_NEG_ZERO_FP16 __ushort_as_half(0x8000)
#define CUDART_ZERO_FP16 __ushort_as_half(0x0000)
#define CUDART_ONE_FP16 __ushort_as_half(0x3c00)
#define CUDART_INF_BF16 __ushort_as_bfloat16(0x7f80)
#define CUDART_NAN_BF16 __ushort_as_bfloat16(0x7fff)
#define CUDART_MIN_DENORM_BF16 __ushort_as_bfloat16(0x0001)
#define CUDART_MAX_NORMAL_BF16 __ushort_as_bfloat16(0x7f7f)
#define CUDART_NEG_ZERO_BF16 __ushort_as_bfloat16(0x8000)
#define CUDART_ZERO_BF16 __ushort_as_bfloat16(0x0000)
#define CUDART_ONE_BF16 __ushort_as_bfloat16(0x3f80)
