// The 16-bit types of the SIMT layer: every bit pattern, and rounding against exact arithmetic.

#include "harness/simt/types.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "harness/base/random.h"

namespace padproof {
namespace {

struct Format {
  int exponent_bits;
  int fraction_bits;
  uint16_t (*encode)(float);
  float (*decode)(uint16_t);
};

const Format kHalf{5, 10, [](float x) { return uint16_t{__half_as_ushort(__float2half(x))}; },
                   [](uint16_t bits) { return __half2float(__ushort_as_half(bits)); }};
const Format kBfloat16{8, 7,
                       [](float x) { return uint16_t{__bfloat16_as_ushort(__float2bfloat16(x))}; },
                       [](uint16_t bits) { return __bfloat162float(__ushort_as_bfloat16(bits)); }};

uint16_t InfinityOf(const Format& f) {
  return static_cast<uint16_t>(((1 << f.exponent_bits) - 1) << f.fraction_bits);
}

/// The value of a non-negative pattern by IEEE 754's definition; one past the largest finite
/// pattern is the value that it would have with a larger exponent range.
double ValueOf(const Format& f, int pattern) {
  const int exponent = pattern >> f.fraction_bits;
  const int fraction = pattern & ((1 << f.fraction_bits) - 1);
  const int bias = (1 << (f.exponent_bits - 1)) - 1;
  const int significand = exponent == 0 ? fraction : fraction + (1 << f.fraction_bits);
  return std::ldexp(significand, (exponent == 0 ? 1 : exponent) - bias - f.fraction_bits);
}

void EveryPatternRoundTrips(const Format& f) {
  for (int pattern = 0; pattern < 0x10000; pattern++) {
    const auto bits = static_cast<uint16_t>(pattern);
    const int magnitude = pattern & 0x7fff;
    const float value = f.decode(bits);
    if (magnitude > InfinityOf(f)) {
      ASSERT_TRUE(std::isnan(value)) << std::hex << pattern;
      ASSERT_EQ(f.encode(value), 0x7fff) << std::hex << pattern;
      continue;
    }
    ASSERT_EQ(f.encode(value), bits) << std::hex << pattern;
    ASSERT_EQ(std::signbit(value), pattern > 0x7fff) << std::hex << pattern;
    if (magnitude == InfinityOf(f)) {
      ASSERT_TRUE(std::isinf(value));
    } else {
      ASSERT_EQ(std::fabs(static_cast<double>(value)), ValueOf(f, magnitude))
          << std::hex << pattern;
    }
  }
}

/// Floats between two neighbouring patterns go to the nearer one; the middle goes to the even one.
void EveryGapRoundsToNearestEven(const Format& f) {
  for (int lower = 0; lower < InfinityOf(f); lower++) {
    const auto even = static_cast<uint16_t>(lower % 2 == 0 ? lower : lower + 1);
    const auto middle = static_cast<float>((ValueOf(f, lower) + ValueOf(f, lower + 1)) / 2);
    const float below = std::nextafterf(middle, 0.0f);
    const float above = std::nextafterf(middle, std::numeric_limits<float>::infinity());
    ASSERT_EQ(f.encode(middle), even) << std::hex << lower;
    ASSERT_EQ(f.encode(below), lower) << std::hex << lower;
    ASSERT_EQ(f.encode(above), lower + 1) << std::hex << lower;
    ASSERT_EQ(f.encode(-middle), even | 0x8000) << std::hex << lower;
    ASSERT_EQ(f.encode(-below), lower | 0x8000) << std::hex << lower;
  }
}

TEST(SimtTypes, EveryHalfRoundTrips) { EveryPatternRoundTrips(kHalf); }
TEST(SimtTypes, EveryBfloat16RoundTrips) { EveryPatternRoundTrips(kBfloat16); }
TEST(SimtTypes, EveryGapOfHalfRoundsToNearestEven) { EveryGapRoundsToNearestEven(kHalf); }
TEST(SimtTypes, EveryGapOfBfloat16RoundsToNearestEven) { EveryGapRoundsToNearestEven(kBfloat16); }

TEST(SimtTypes, RandomFloatsRoundToTheNearestPattern) {
  Random random(1);
  for (const Format* f : {&kHalf, &kBfloat16}) {
    for (int n = 0; n < 200000; n++) {
      const float x = std::bit_cast<float>(static_cast<uint32_t>(random.Next()));
      const uint16_t bits = f->encode(x);
      if (std::isnan(x)) {
        ASSERT_EQ(bits, 0x7fff);
        continue;
      }
      ASSERT_EQ(std::signbit(x), (bits & 0x8000) != 0);
      const int magnitude = bits & 0x7fff;
      ASSERT_LE(magnitude, InfinityOf(*f));
      if (std::isinf(x)) {
        ASSERT_EQ(magnitude, InfinityOf(*f));
        continue;
      }
      const double exact = std::fabs(static_cast<double>(x));
      const double error = std::fabs(exact - ValueOf(*f, magnitude));
      if (magnitude > 0) {
        ASSERT_LE(error, std::fabs(exact - ValueOf(*f, magnitude - 1)));
      }
      if (magnitude < InfinityOf(*f)) {
        ASSERT_LE(error, std::fabs(exact - ValueOf(*f, magnitude + 1)));
      }
    }
  }
}

TEST(SimtTypes, KnownRoundings) {
  EXPECT_EQ(kHalf.encode(1.0f), 0x3c00);
  EXPECT_EQ(kHalf.encode(65504.0f), 0x7bff);
  EXPECT_EQ(kHalf.encode(65519.996f), 0x7bff);
  EXPECT_EQ(kHalf.encode(65520.0f), 0x7c00);
  EXPECT_EQ(kHalf.encode(0x1p-24f), 0x0001);
  EXPECT_EQ(kHalf.encode(0x1p-25f), 0x0000);
  EXPECT_EQ(kHalf.encode(0x1.000002p-25f), 0x0001);
  EXPECT_EQ(kHalf.encode(-0.0f), 0x8000);
  EXPECT_EQ(kHalf.encode(1.0f + 0x1p-11f), 0x3c00);
  EXPECT_EQ(kHalf.encode(1.0f + 0x3p-11f), 0x3c02);
  EXPECT_EQ(kBfloat16.encode(1.0f), 0x3f80);
  EXPECT_EQ(kBfloat16.encode(1.0f + 0x1p-8f), 0x3f80);
  EXPECT_EQ(kBfloat16.encode(1.0f + 0x3p-8f), 0x3f82);
  EXPECT_EQ(kBfloat16.encode(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(kBfloat16.encode(-std::numeric_limits<float>::infinity()), 0xff80);
}

TEST(SimtTypes, PairsAndVectors) {
  const __half2 h = __floats2half2_rn(1.5f, -2.0f);
  EXPECT_EQ(__low2float(h), 1.5f);
  EXPECT_EQ(__high2float(h), -2.0f);
  EXPECT_EQ(__half22float2(h).y, -2.0f);
  const __nv_bfloat162 b = __floats2bfloat162_rn(1.5f, -2.0f);
  EXPECT_EQ(__bfloat1622float2(b).x, 1.5f);
  EXPECT_EQ(__high2float(b), -2.0f);
  EXPECT_EQ(make_float4(1, 2, 3, 4).w, 4.0f);
  EXPECT_EQ(alignof(float4), 16u);
  EXPECT_EQ(sizeof(float3), 12u);
  EXPECT_EQ(alignof(float2), 8u);
  EXPECT_EQ(dim3(3, 4).z, 1u);
}

}  // namespace
}  // namespace padproof
