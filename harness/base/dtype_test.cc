#include "harness/base/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "harness/base/random.h"

namespace padproof {
namespace {

TEST(Dtype, KnownPatterns) {
  EXPECT_EQ(Encode(Dtype::f32, 1.0), 0x3F800000u);
  EXPECT_EQ(Encode(Dtype::f32, -2.5), 0xC0200000u);
  EXPECT_EQ(Encode(Dtype::f32, 0.1), 0x3DCCCCCDu);
  EXPECT_EQ(Encode(Dtype::f16, 1.0), 0x3C00u);
  EXPECT_EQ(Encode(Dtype::f16, 65504.0), 0x7BFFu);
  EXPECT_EQ(Encode(Dtype::f16, 0x1p-24), 0x0001u);
  EXPECT_EQ(Encode(Dtype::f16, -0.0), 0x8000u);
  EXPECT_EQ(Encode(Dtype::bf16, 1.0), 0x3F80u);
  EXPECT_EQ(Encode(Dtype::bf16, 3.140625), 0x4049u);
  EXPECT_EQ(Encode(Dtype::bf16, 0x1p-133), 0x0001u);
}

TEST(Dtype, RoundsToNearestEven) {
  EXPECT_EQ(Encode(Dtype::f16, 1 + 0x1p-11), 0x3C00u);            // tie, down to even
  EXPECT_EQ(Encode(Dtype::f16, 1 + 3 * 0x1p-11), 0x3C02u);        // tie, up to even
  EXPECT_EQ(Encode(Dtype::f16, 0x1p-25), 0x0000u);                // half the smallest subnormal
  EXPECT_EQ(Encode(Dtype::f16, 0x1.8p-24), 0x0002u);              // tie between subnormals 1 and 2
  EXPECT_EQ(Encode(Dtype::f16, 0x1.FFCp-15 + 0x1p-26), 0x0400u);  // up into the normal range
  EXPECT_EQ(Encode(Dtype::bf16, 1 + 0x1p-8), 0x3F80u);
  EXPECT_EQ(Encode(Dtype::bf16, 1 + 3 * 0x1p-8), 0x3F82u);
}

// Through float these would land on a tie and then round the other way.
TEST(Dtype, RoundsOnce) {
  EXPECT_EQ(Encode(Dtype::f16, 1 + 0x1p-11 + 0x1p-40), 0x3C01u);
  EXPECT_EQ(Encode(Dtype::f16, 1 + 3 * 0x1p-11 - 0x1p-40), 0x3C01u);
  EXPECT_EQ(Encode(Dtype::bf16, 1 + 0x1p-8 + 0x1p-40), 0x3F81u);
}

TEST(Dtype, Overflow) {
  EXPECT_EQ(Encode(Dtype::f16, 65519.999), 0x7BFFu);
  EXPECT_EQ(Encode(Dtype::f16, 65520.0), 0x7C00u);
  EXPECT_EQ(Encode(Dtype::f16, -1e300), 0xFC00u);
  EXPECT_EQ(Encode(Dtype::f32, 3.5e38), 0x7F800000u);
  EXPECT_EQ(Encode(Dtype::bf16, 3.4e38), 0x7F80u);
  EXPECT_EQ(Encode(Dtype::bf16, -std::numeric_limits<double>::infinity()), 0xFF80u);
}

TEST(Dtype, NansStayNans) {
  for (Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    const uint32_t smallest = dtype == Dtype::f32   ? 0x7F800001u
                              : dtype == Dtype::f16 ? 0x7C01u
                                                    : 0x7F81u;
    EXPECT_TRUE(IsNan(dtype, smallest));
    EXPECT_FALSE(IsFinite(dtype, smallest));
    EXPECT_TRUE(std::isnan(Decode(dtype, smallest)));
    EXPECT_TRUE(IsNan(dtype, Encode(dtype, std::numeric_limits<double>::quiet_NaN())));
    EXPECT_TRUE(IsNan(dtype, Encode(dtype, std::bit_cast<double>(0x7FF0000000000001ull))));
  }
}

TEST(Dtype, EverySixteenBitPatternRoundTrips) {
  for (Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    const uint32_t quiet = dtype == Dtype::f16 ? 0x0200u : 0x0040u;
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      const uint32_t expected = IsNan(dtype, bits) ? bits | quiet : bits;
      ASSERT_EQ(Encode(dtype, Decode(dtype, bits)), expected) << bits;
    }
  }
}

// The middle of two neighbours goes to the even one, anything beyond it to the nearer one.
TEST(Dtype, EverySixteenBitNeighbourRoundsToNearest) {
  for (Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    const uint32_t infinity = dtype == Dtype::f16 ? 0x7C00u : 0x7F80u;
    for (uint32_t bits = 0; bits + 1 < infinity; ++bits) {
      const double low = Decode(dtype, bits), high = Decode(dtype, bits + 1);
      const double middle = (low + high) / 2;
      ASSERT_EQ(Encode(dtype, middle), bits + (bits & 1)) << bits;
      ASSERT_EQ(Encode(dtype, std::nextafter(middle, low)), bits);
      ASSERT_EQ(Encode(dtype, std::nextafter(middle, high)), bits + 1);
    }
  }
}

// The hardware's conversion rounds to nearest even too.
TEST(Dtype, AgreesWithFloat) {
  Random random(1);
  for (int n = 0; n < 200000; ++n) {
    const auto bits = static_cast<uint32_t>(random.Next());
    const auto single = std::bit_cast<float>(bits);
    if (!std::isnan(single)) {
      ASSERT_EQ(std::bit_cast<uint64_t>(Decode(Dtype::f32, bits)),
                std::bit_cast<uint64_t>(static_cast<double>(single)));
    }
    // Exponents around the whole range of float, subnormals and overflow included.
    const uint64_t exponent = 1023 - 155 + random.Below(290);
    const double wide = std::bit_cast<double>((random.Next() >> 12) | (exponent << 52));
    ASSERT_EQ(Encode(Dtype::f32, wide), std::bit_cast<uint32_t>(static_cast<float>(wide)));
  }
}

TEST(Dtype, Facts) {
  EXPECT_EQ(FactsOf(Dtype::f32).unit_roundoff, 0x1p-24);
  EXPECT_EQ(FactsOf(Dtype::f32).eta, 0x1p-150);
  EXPECT_EQ(FactsOf(Dtype::f32).min_normal, 0x1p-126);
  EXPECT_EQ(FactsOf(Dtype::f32).max_finite, std::numeric_limits<float>::max());
  EXPECT_EQ(FactsOf(Dtype::f16).unit_roundoff, 0x1p-11);
  EXPECT_EQ(FactsOf(Dtype::f16).eta, 0x1p-25);
  EXPECT_EQ(FactsOf(Dtype::f16).min_normal, 0x1p-14);
  EXPECT_EQ(FactsOf(Dtype::f16).max_finite, 65504.0);
  EXPECT_EQ(FactsOf(Dtype::bf16).unit_roundoff, 0x1p-8);
  EXPECT_EQ(FactsOf(Dtype::bf16).eta, 0x1p-134);
  EXPECT_EQ(FactsOf(Dtype::bf16).min_normal, 0x1p-126);
  EXPECT_EQ(FactsOf(Dtype::bf16).max_finite, 0x1.FEp127);
}

}  // namespace
}  // namespace padproof
