// Arithmetic of float and double: CUDA's functions with a rounding mode, and its approximations.
//
// Functions with a rounding mode are exact and never contracted. Approximations (__expf and what
// -use_fast_math selects) are the C library's: a host has no special function unit, and bit
// equality with a device is not the aim. Where an approximation's definition gives another value
// altogether (__powf of a negative base, __fdividef by a huge divisor) that value is returned.

#pragma once

#include <math.h>  // NOLINT(modernize-deprecated-headers): CUDA's names are global

#include <numbers>

#include "harness/simt/intrinsics/exact_arithmetic.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {
inline namespace toolkit_names {

// ---- with a rounding mode -----------------------------------------------------------------------

#define PADPROOF_SIMT_MODE(T, d, fma_name, mode, suffix)                    \
  inline T __##d##add_##suffix(T x, T y) { return AddIn(x, y, mode); }      \
  inline T __##d##sub_##suffix(T x, T y) { return AddIn(x, -y, mode); }     \
  inline T __##d##mul_##suffix(T x, T y) { return MultiplyIn(x, y, mode); } \
  inline T __##d##div_##suffix(T x, T y) { return DivideIn(x, y, mode); }   \
  inline T __##d##rcp_##suffix(T x) { return DivideIn(T{1}, x, mode); }     \
  inline T __##d##sqrt_##suffix(T x) { return SquareRootIn(x, mode); }      \
  inline T fma_name##_##suffix(T x, T y, T z) { return MultiplyAddIn(x, y, z, mode); }
PADPROOF_SIMT_MODE(float, f, __fmaf, Rounding::toward_zero, rz)
PADPROOF_SIMT_MODE(float, f, __fmaf, Rounding::up, ru)
PADPROOF_SIMT_MODE(float, f, __fmaf, Rounding::down, rd)
PADPROOF_SIMT_MODE(double, d, __fma, Rounding::nearest_even, rn)
PADPROOF_SIMT_MODE(double, d, __fma, Rounding::toward_zero, rz)
PADPROOF_SIMT_MODE(double, d, __fma, Rounding::up, ru)
PADPROOF_SIMT_MODE(double, d, __fma, Rounding::down, rd)
#undef PADPROOF_SIMT_MODE

// Through double, which no compiler contracts: rounding twice is rounding once, for a double has
// more than twice the digits of a float and two (Figueroa, "When is double rounding innocuous?",
// SIGNUM 30, 1995). Products are exact, quotients and roots too far from any midpoint.
inline float __fadd_rn(float x, float y) { return static_cast<float>(double{x} + double{y}); }
inline float __fsub_rn(float x, float y) { return static_cast<float>(double{x} - double{y}); }
inline float __fmul_rn(float x, float y) { return static_cast<float>(double{x} * double{y}); }
inline float __fdiv_rn(float x, float y) { return static_cast<float>(double{x} / double{y}); }
inline float __frcp_rn(float x) { return static_cast<float>(1.0 / double{x}); }
inline float __fsqrt_rn(float x) { return static_cast<float>(::sqrt(double{x})); }
inline float __fmaf_rn(float x, float y, float z) { return ::fmaf(x, y, z); }

/// 1 / sqrt(x), rounded to nearest. The double may be wrong in its last place, so the midpoints on
/// both sides of its rounding decide: m is below 1 / sqrt(x) if and only if x * m^2 < 1, and m^2
/// has 50 bits.
inline float __frsqrt_rn(float x) {
  const float near = static_cast<float>(1.0 / ::sqrt(double{x}));
  if (!(near > 0.0f) || !IsFinite(near)) return near;
  const float below = ::nextafterf(near, 0.0f);
  const float above = ::nextafterf(near, INFINITY);
  const double low = (double{below} + double{near}) / 2;
  const double high = (double{near} + double{above}) / 2;
  if (::fma(double{x}, low * low, -1.0) > 0) return below;
  return ::fma(double{x}, high * high, -1.0) < 0 ? above : near;
}

/// Clamped to [+0, 1]; NaN gives +0.
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }

// ---- approximations -----------------------------------------------------------------------------

/// For 2^126 < |y| < 2^128 a device gives 0, or NaN if x is infinite.
inline float __fdividef(float x, float y) {
  const float magnitude = ::fabsf(y);
  if (magnitude > 0x1p126f && IsFinite(y)) return __builtin_isinf(x) ? NAN : 0.0f * (x / y);
  return x / y;
}
inline float fdividef(float x, float y) { return x / y; }

inline float FastPower(float x, float y) {
  return static_cast<float>(::exp2(double{y} * ::log2(double{x})));
}

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt

// Macros, because glibc's <math.h> declares functions of these names and defines none.
#define __expf(x) (::expf(x))
#define __exp10f(x) (::exp10f(x))
#define __logf(x) (::logf(x))
#define __log2f(x) (::log2f(x))
#define __log10f(x) (::log10f(x))
#define __sinf(x) (::sinf(x))
#define __cosf(x) (::cosf(x))
#define __tanf(x) (::tanf(x))
#define __sincosf(x, sine, cosine) (::sincosf(x, sine, cosine))
#define __powf(x, y) (::padproof::simt::FastPower(x, y))  // defined as exp2f(y * __log2f(x))

// ---- functions that CUDA has beside the C library's ---------------------------------------------

#if !defined(__GLIBC_PREREQ)
#define PADPROOF_SIMT_LIBC(major, minor) 0
#else
#define PADPROOF_SIMT_LIBC(major, minor) __GLIBC_PREREQ(major, minor)
#endif

namespace padproof::simt {
inline namespace host_build {
inline namespace toolkit_names {

#if !PADPROOF_SIMT_LIBC(2, 42)
inline float rsqrtf(float x) { return 1.0f / ::sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
#endif
// In wider arithmetic, for CUDA states one unit in the last place: cbrt alone may be off by more.
inline float rcbrtf(float x) { return static_cast<float>(1.0 / ::cbrt(double{x})); }
inline double rcbrt(double x) {
  return static_cast<double>(1.0L / ::cbrtl(static_cast<long double>(x)));
}

#if !PADPROOF_SIMT_LIBC(2, 41)
/// Exact at multiples of 1/2: what is handed to sin is reduced to [-1/2, 1/2] without error.
inline double sinpi(double x) {
  double turn = ::remainder(x, 2.0);
  if (::fabs(turn) > 0.5) turn = ::copysign(1.0, turn) - turn;
  return turn == 0 ? ::copysign(0.0, x) : ::sin(M_PI * turn);
}
inline double cospi(double x) { return ::sin(M_PI * (0.5 - ::fabs(::remainder(x, 2.0)))); }
inline float sinpif(float x) { return static_cast<float>(sinpi(x)); }
inline float cospif(float x) { return static_cast<float>(cospi(x)); }
#endif
inline void sincospi(double x, double* sine, double* cosine) {
  *sine = ::sinpi(x);
  *cosine = ::cospi(x);
}
inline void sincospif(float x, float* sine, float* cosine) {
  *sine = ::sinpif(x);
  *cosine = ::cospif(x);
}

/// The standard normal distribution, in wider arithmetic: far below zero the result loses x^2 times
/// what the argument of erfc does, and CUDA states five units in the last place.
inline double normcdf(double x) {
  constexpr long double kRootOfHalf = std::numbers::sqrt2_v<long double> / 2;
  return static_cast<double>(0.5L * ::erfcl(-static_cast<long double>(x) * kRootOfHalf));
}
inline float normcdff(float x) { return static_cast<float>(0.5 * ::erfc(-double{x} * M_SQRT1_2)); }

/// exp(x^2) * erfc(x); from 10 on by its asymptotic series, whose first term left out is 3e-9.
inline float erfcxf(float x) {
  const double d = x;
  if (d < 10) return static_cast<float>(::exp(d * d) * ::erfc(d));
  const double t = 0.5 / (d * d);
  return static_cast<float>(M_2_SQRTPI / 2 / d * (1 - t * (1 - 3 * t * (1 - 5 * t * (1 - 7 * t)))));
}

inline float rhypotf(float x, float y) { return static_cast<float>(1.0 / ::hypot(x, y)); }
inline double rhypot(double x, double y) { return 1.0 / ::hypot(x, y); }
inline double norm3d(double a, double b, double c) { return ::hypot(::hypot(a, b), c); }
inline double norm4d(double a, double b, double c, double d) {
  return ::hypot(::hypot(a, b), ::hypot(c, d));
}
inline float norm3df(float a, float b, float c) { return static_cast<float>(norm3d(a, b, c)); }
inline float norm4df(float a, float b, float c, float d) {
  return static_cast<float>(norm4d(a, b, c, d));
}
inline double rnorm3d(double a, double b, double c) { return 1.0 / norm3d(a, b, c); }
inline double rnorm4d(double a, double b, double c, double d) { return 1.0 / norm4d(a, b, c, d); }
inline float rnorm3df(float a, float b, float c) { return static_cast<float>(rnorm3d(a, b, c)); }
inline float rnorm4df(float a, float b, float c, float d) {
  return static_cast<float>(rnorm4d(a, b, c, d));
}

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#undef PADPROOF_SIMT_LIBC
#pragma GCC visibility pop
