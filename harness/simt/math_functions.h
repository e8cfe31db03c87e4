// Host side of CUDA's arithmetic intrinsics, casts and integer functions. Approximate intrinsics
// are exact to libm: a host has no special function unit, and bit equality with a device is not the
// aim.

#pragma once

#include <math.h>  // NOLINT(modernize-deprecated-headers): CUDA's names are global

#include <bit>
#include <cstdint>

#include "harness/simt/runtime.h"

#pragma GCC visibility push(hidden)
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float fdividef(float x, float y) { return x / y; }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }  // NaN gives 0

// Macros, because glibc's <math.h> declares functions of these names and defines none.
#define __expf(x) (::expf(x))
#define __logf(x) (::logf(x))
#define __log2f(x) (::log2f(x))
#define __sinf(x) (::sinf(x))
#define __cosf(x) (::cosf(x))
#define __powf(x, y) (::powf(x, y))

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }

template <class T>
PADPROOF_SIMT_INLINE T __ldg(const T* address) {
  return *address;
}

// Plain overloads, so that `using namespace std` makes none of these calls ambiguous.
#define PADPROOF_SIMT_MIN_MAX(T, A, B)                    \
  constexpr T min(A a, B b) {                             \
    const T x = static_cast<T>(a), y = static_cast<T>(b); \
    return y < x ? y : x;                                 \
  }                                                       \
  constexpr T max(A a, B b) {                             \
    const T x = static_cast<T>(a), y = static_cast<T>(b); \
    return x < y ? y : x;                                 \
  }
PADPROOF_SIMT_MIN_MAX(int, int, int)
PADPROOF_SIMT_MIN_MAX(unsigned, unsigned, unsigned)
PADPROOF_SIMT_MIN_MAX(unsigned, int, unsigned)
PADPROOF_SIMT_MIN_MAX(unsigned, unsigned, int)
PADPROOF_SIMT_MIN_MAX(long, long, long)
PADPROOF_SIMT_MIN_MAX(unsigned long, unsigned long, unsigned long)
PADPROOF_SIMT_MIN_MAX(long long, long long, long long)
PADPROOF_SIMT_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
#undef PADPROOF_SIMT_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
#pragma GCC visibility pop
