// What a comparison of bits takes for the same, and what pads hold in both of its runs.

#include <gtest/gtest.h>

#include "properties/support/run.h"

namespace padproof {
namespace {

constexpr uint32_t kOne = 0x3f800000, kPlusZero = 0, kMinusZero = 0x80000000;
constexpr uint32_t kNan = 0x7fc00000, kOtherNan = 0xffc00001;

bool Same(uint32_t a, uint32_t b, ZeroSign zero_sign = ZeroSign::exact) {
  EXPECT_EQ(SameBits(Dtype::f32, a, b, zero_sign), SameBits(Dtype::f32, b, a, zero_sign));
  return SameBits(Dtype::f32, a, b, zero_sign);
}

TEST(SameBits, TellsZerosAndNumbersFromNan) {
  EXPECT_TRUE(Same(kOne, kOne));
  EXPECT_FALSE(Same(kOne, kOne + 1));
  EXPECT_TRUE(Same(kNan, kOtherNan)) << "all NaNs are one value";
  EXPECT_FALSE(Same(kNan, kOne));
  EXPECT_FALSE(Same(kNan, kPlusZero, ZeroSign::any));
  EXPECT_FALSE(Same(kPlusZero, kMinusZero));
  EXPECT_TRUE(Same(kPlusZero, kMinusZero, ZeroSign::any));
  EXPECT_FALSE(Same(kPlusZero, 1, ZeroSign::any)) << "a subnormal is no zero";
}

TEST(AllowedFill, IsMilderOnlyWhereTheRowSaysSo) {
  for (Fill fill : {Fill::zero, Fill::noise, Fill::huge, Fill::nan, Fill::inf, Fill::bits}) {
    EXPECT_EQ(AllowedFill(PadContent::any_bits, fill), fill);
    EXPECT_EQ(AllowedFill(PadContent::finite, fill), IsFinite(fill) ? fill : Fill::huge);
    EXPECT_EQ(AllowedFill(PadContent::zero, fill), Fill::zero);
  }
  EXPECT_EQ(AllowedFill(PadContent::finite_scores, Fill::noise), Fill::noise);
  EXPECT_EQ(AllowedFill(PadContent::finite_scores, Fill::nan), Fill::hot);
}

}  // namespace
}  // namespace padproof
