// What is left of the SIMT layer's math API: functions beside the C library's, approximations where
// their definition differs, constants, loads and stores with cache hints, traps, assertions,
// clocks.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "harness/simt/launch_test_util.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

// ---- in a kernel --------------------------------------------------------------------------------

__constant__ float constant_table[2] = {2.0f, 3.0f};

__global__ void Arithmetic(const float* x, float* out) {
  int n = 0;
  out[n++] = __expf(*x);
  out[n++] = exp2f(*x);
  out[n++] = __fdividef(*x, 4.0f);
  out[n++] = rsqrtf(16.0f);
  out[n++] = __ldg(x);
  out[n++] = fmaxf(*x, -INFINITY);
  out[n++] = min(7, 3) + max(2u, 5u);
  out[n++] = min(*x, max(0.5f, constant_table[1]));
  out[n++] = __popc(0xf0f0u) + __clz(1) + __ffs(8);
  out[n++] = __fmaf_rn(*x, 2.0f, 1.0f);
  out[n++] = __logf(*x);
  float sine = 0, cosine = 0;
  __sincosf(*x, &sine, &cosine);
  out[n++] = sine;
  out[n++] = cosine;
  out[n++] = static_cast<float>(__float2half(*x) * __half(2));
}

TEST(MathFunctions, InAKernel) {
  const float x = 1.5f;
  const std::vector<float> expected = {std::exp(x), std::exp2(x), 0.375f,      0.25f,      x,
                                       x,           8.0f,         x,           8 + 31 + 4, 4.0f,
                                       std::log(x), std::sin(x),  std::cos(x), 3.0f};
  std::vector<float> out(expected.size());
  EXPECT_LAUNCHES(Arithmetic, 1, 1, 0, nullptr, &x, out.data());
  EXPECT_EQ(out, expected);
}

/// Philox's round, as dropout has it: the generator's published first words for key and counter 0
/// (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", known-answer tests of Random123).
__global__ void Philox(uint4* out) {
  uint4 counter = make_uint4(0, 0, 0, 0);
  uint2 key = make_uint2(0, 0);
  for (int round = 0; round < 10; round++) {
    const unsigned high0 = __umulhi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
    const unsigned high1 = __umulhi(0xCD9E8D57u, counter.z), low1 = 0xCD9E8D57u * counter.z;
    counter = make_uint4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key = make_uint2(key.x + 0x9E3779B9u, key.y + 0xBB67AE85u);
  }
  *out = counter;
}

TEST(MathFunctions, PhiloxsKnownAnswer) {
  uint4 out{};
  EXPECT_LAUNCHES(Philox, 1, 1, 0, nullptr, &out);
  EXPECT_EQ(out.x, 0x6627e8d5u);
  EXPECT_EQ(out.y, 0xe169c58du);
  EXPECT_EQ(out.z, 0xbc57ac4cu);
  EXPECT_EQ(out.w, 0x9b00dbd8u);
}

// ---- functions ----------------------------------------------------------------------------------

/// To single precision, or nearly: `ulps` units of the last place of the exact value's rounding.
void ExpectClose(const char* name, double x, float got, long double exact, int ulps = 1) {
  const auto rounded = static_cast<float>(exact);
  if (std::isnan(exact) || std::isinf(rounded) || rounded == 0) {
    EXPECT_TRUE(got == rounded || (std::isnan(got) && std::isnan(rounded))) << name << " " << x;
    return;
  }
  const float unit = std::fabs(std::nextafter(rounded, INFINITY) - rounded);
  EXPECT_LE(std::fabs(static_cast<double>(got) - rounded), ulps * double{unit}) << name << " " << x;
}

TEST(MathFunctions, ApproximationsAreTheCLibrarys) {
  for (float x : {-3.0f, -0.5f, 0.0f, 0.1f, 1.0f, 2.5f, 30.0f}) {
    const long double w = x;
    ExpectClose("__expf", x, __expf(x), std::exp(w));
    ExpectClose("__exp10f", x, __exp10f(x), std::pow(10.0L, w));
    ExpectClose("exp10f", x, exp10f(x), std::pow(10.0L, w));
    ExpectClose("__logf", x, __logf(x), std::log(w));
    ExpectClose("__log2f", x, __log2f(x), std::log2(w));
    ExpectClose("__log10f", x, __log10f(x), std::log10(w), 2);
    ExpectClose("__sinf", x, __sinf(x), std::sin(w));
    ExpectClose("__cosf", x, __cosf(x), std::cos(w));
    ExpectClose("__tanf", x, __tanf(x), std::tan(w));
    ExpectClose("rsqrtf", x, rsqrtf(x), 1 / std::sqrt(w), 2);
    ExpectClose("rcbrtf", x, rcbrtf(x), 1 / std::cbrt(w), 2);
    ExpectClose("fdividef", x, fdividef(x, 3.0f), w / 3);
    ExpectClose("normcdff", x, normcdff(x), 0.5L * std::erfc(-w / std::sqrt(2.0L)));
    EXPECT_NEAR(rsqrt(double{x} + 4) * std::sqrt(double{x} + 4), 1, 1e-15);
    EXPECT_NEAR(rcbrt(double{x} + 4) * std::cbrt(double{x} + 4), 1, 1e-15);
  }
}

TEST(MathFunctions, ScaledErrorFunction) {
  for (float x = -9.0f; x < 60.0f; x += 0.37f) {
    const long double w = x;
    ExpectClose("erfcxf", x, erfcxf(x), std::exp(w * w) * std::erfc(w), 2);
  }
  // Beyond long double's erfc: between the bounds 2 / (x + sqrt(x^2 + 2)) and ... + 4 / pi).
  for (float x : {100.0f, 1e4f, 1e30f}) {
    const double w = x, scale = 2 / std::sqrt(M_PI);
    EXPECT_GE(erfcxf(x), scale / (w + std::sqrt(w * w + 2)) * (1 - 1e-7));
    EXPECT_LE(erfcxf(x), scale / (w + std::sqrt(w * w + 4 / M_PI)) * (1 + 1e-7));
  }
}

TEST(MathFunctions, MultiplesOfPi) {
  for (float x : {-2.75f, -1.25f, 0.125f, 0.3f, 0.75f, 1.6f, 7.3f, 1000.25f}) {
    const long double turn = std::acos(-1.0L) * std::fmod(static_cast<long double>(x), 2.0L);
    ExpectClose("sinpif", x, sinpif(x), std::sin(turn));
    ExpectClose("cospif", x, cospif(x), std::cos(turn));
    double sine = 0, cosine = 0;
    sincospi(x, &sine, &cosine);
    EXPECT_NEAR(sine, static_cast<double>(std::sin(turn)), 1e-15);
    EXPECT_NEAR(cosine, static_cast<double>(std::cos(turn)), 1e-15);
  }
  // Exactly, where a product with pi would miss.
  for (int n = -5; n <= 5; n++) {
    EXPECT_EQ(sinpif(static_cast<float>(n)), 0.0f);
    EXPECT_EQ(cospif(static_cast<float>(n)), n % 2 == 0 ? 1.0f : -1.0f);
    EXPECT_EQ(cospi(n + 0.5), 0.0);
    EXPECT_EQ(sinpi(n + 0.5), n % 2 == 0 ? 1.0 : -1.0);
  }
}

TEST(MathFunctions, Norms) {
  EXPECT_EQ(norm3d(2, 3, 6), 7.0);
  EXPECT_EQ(norm3df(2, 3, 6), 7.0f);
  EXPECT_EQ(norm4df(1, 1, 1, 1), 2.0f);
  EXPECT_EQ(rnorm3df(2, -3, 6), 1.0f / 7);
  EXPECT_EQ(rnorm4d(1, -1, 1, 1), 0.5);
  EXPECT_EQ(rhypotf(3, 4), 0.2f);
  EXPECT_EQ(rhypot(3, 4), 0.2);
  EXPECT_NEAR(norm3df(3e30f, 4e30f, 0), 5e30, 1e24);  // no overflow on the way
}

TEST(MathFunctions, DefinitionsThatTheCLibraryDoesNotShare) {
  // exp2f(y * __log2f(x))
  EXPECT_EQ(__powf(2.0f, 10.0f), 1024.0f);
  EXPECT_TRUE(std::isnan(__powf(-2.0f, 2.0f)));
  EXPECT_TRUE(std::isnan(__powf(0.0f, 0.0f)));
  EXPECT_EQ(__powf(0.0f, 2.0f), 0.0f);
  // 0 by a divisor above 2^126, NaN for infinity.
  EXPECT_EQ(__fdividef(0x1p127f, 0x1p126f), 2.0f);
  EXPECT_EQ(__fdividef(0x1p127f, 0x1p127f), 0.0f);
  EXPECT_EQ(__fdividef(1.0f, -0x1.8p126f), 0.0f);
  EXPECT_TRUE(std::isnan(__fdividef(INFINITY, 0x1p127f)));
  EXPECT_EQ(__fdividef(1.0f, INFINITY), 0.0f);
  EXPECT_EQ(__saturatef(NAN), 0.0f);
  EXPECT_EQ(__saturatef(1.5f), 1.0f);
  EXPECT_EQ(__saturatef(0.5f), 0.5f);
  EXPECT_FALSE(std::signbit(__saturatef(-0.0f)));
  EXPECT_EQ(__saturatef(-1.0f), 0.0f);
}

TEST(MathFunctions, Constants) {
  EXPECT_EQ(CUDART_INF_F, INFINITY);
  EXPECT_EQ(__float_as_uint(CUDART_NAN_F), 0x7fffffffu);
  EXPECT_EQ(CUDART_MAX_NORMAL_F, std::numeric_limits<float>::max());
  EXPECT_EQ(CUDART_MIN_DENORM_F, std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(CUDART_PI_F, static_cast<float>(M_PI));
  EXPECT_EQ(CUDART_3PIO4_F, static_cast<float>(3 * M_PI / 4));
  EXPECT_EQ(CUDART_SQRT_HALF_F, static_cast<float>(M_SQRT1_2));
  EXPECT_EQ(CUDART_L2T_F, static_cast<float>(std::log2(10.0L)));
  EXPECT_EQ(CUDART_LNPI_F, static_cast<float>(std::log(M_PI)));
  EXPECT_EQ(CUDART_L2E, M_LOG2E);
  EXPECT_EQ(CUDART_LG2, std::log10(2.0));
  EXPECT_EQ(CUDART_2_OVER_PI, M_2_PI);
  EXPECT_EQ(CUDART_SQRT_2OPI, static_cast<double>(std::sqrt(2 / std::acos(-1.0L))));
  EXPECT_EQ(CUDART_SQRT_2PI, static_cast<double>(std::sqrt(2 * std::acos(-1.0L))));
  EXPECT_EQ(CUDART_3PIO4, static_cast<double>(3 * std::acos(-1.0L) / 4));
  EXPECT_EQ(CUDART_LNPI, static_cast<double>(std::log(std::acos(-1.0L))));
  EXPECT_EQ(CUDART_L2T, static_cast<double>(std::log2(10.0L)));
  EXPECT_TRUE(std::isnan(CUDART_NAN) && std::isinf(CUDART_INF) && std::signbit(CUDART_NEG_ZERO));
}

// ---- memory -------------------------------------------------------------------------------------

template <class T>
void LoadsAndStores() {
  T from, to;
  std::memset(static_cast<void*>(&from), 0x35, sizeof from);
  const auto same = [&](const T& got) {
    return std::memcmp(static_cast<const void*>(&got), static_cast<const void*>(&from),
                       sizeof from) == 0;
  };
  EXPECT_TRUE(same(__ldg(&from)) && same(__ldca(&from)) && same(__ldcg(&from)));
  EXPECT_TRUE(same(__ldcs(&from)) && same(__ldlu(&from)) && same(__ldcv(&from)));
  for (void (*store)(T*, T) : {__stwb<T>, __stcg<T>, __stcs<T>, __stwt<T>}) {
    std::memset(static_cast<void*>(&to), 0, sizeof to);
    store(&to, from);
    EXPECT_TRUE(same(to));
  }
}

template <class... Types>
void EachLoadsAndStores() {
  (LoadsAndStores<Types>(), ...);
}

template <class T>
concept HasLoad = requires(const T* address) { __ldg(address); };

TEST(MathFunctions, LoadsAndStoresWithACacheHint) {
  EachLoadsAndStores<char, signed char, unsigned char, short, unsigned short, int, unsigned, long,
                     unsigned long, long long, unsigned long long, float, double>();
  EachLoadsAndStores<char2, char4, uchar2, uchar4, short2, short4, ushort2, ushort4, int2, int4,
                     uint2, uint4, longlong2, ulonglong2, float2, float4, double2>();
  EachLoadsAndStores<__half, __half2, __nv_bfloat16, __nv_bfloat162>();
  static_assert(!HasLoad<float3> && !HasLoad<bool> && !HasLoad<dim3>);
  float f = 0;
  __stcs(&f, 2);  // converted, as for an overload
  EXPECT_EQ(f, 2.0f);
}

// ---- control ------------------------------------------------------------------------------------

__global__ void Checks(int x) {
  assert(x > 0);
  __builtin_assume(x > 1);
  __assume(x > 2);
  if (x == 3) __trap();
  if (x == 4) __brkpt();
  __nanosleep(100);
}

TEST(ControlFunctionsDeathTest, WhatMustNotHappenIsReported) {
  EXPECT_LAUNCHES(Checks, 1, 1, 0, nullptr, 5);
  const auto launch = [](int x) { simt::launch(Checks, 1, 1, 0, nullptr, x); };
  EXPECT_DEATH(launch(0), "assertion failed: x > 0(.|\n)*math_functions_test.cc");
  EXPECT_DEATH(launch(1), "false __builtin_assume: x > 1(.|\n)*math_functions_test.cc");
  EXPECT_DEATH(launch(2), "false __assume: x > 2(.|\n)*math_functions_test.cc");
  EXPECT_DEATH(launch(3), "__trap was called(.|\n)*math_functions_test.cc");
  EXPECT_DEATH(launch(4), "__brkpt was called(.|\n)*math_functions_test.cc");
}

__global__ void Clocks(long long* out) {
  const long long start = clock64();
  const clock_t c = clock();
  while (clock64() - start < 100000) {
  }
  out[0] = clock64() - start;
  out[1] = clock() >= c;
}

TEST(ControlFunctions, ClocksGoForwardAndRepeat) {
  long long first[2] = {}, second[2] = {};
  EXPECT_LAUNCHES(Clocks, 1, 1, 0, nullptr, first);
  EXPECT_LAUNCHES(Clocks, 1, 1, 0, nullptr, second);
  EXPECT_GT(first[0], 100000);
  EXPECT_EQ(first[0], second[0]);
  EXPECT_EQ(first[1], 1);
}

__global__ void Prints() { printf("thread %u of %u\n", threadIdx.x, blockDim.x); }

TEST(ControlFunctions, KernelsPrint) {
  testing::internal::CaptureStdout();
  EXPECT_LAUNCHES(Prints, 1, 2, 0, nullptr);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "thread 0 of 2\nthread 1 of 2\n");
}

}  // namespace
}  // namespace padproof
