// The mask tensor of a problem: what it says of each pair, and how it lies.

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "harness/judge/problem.h"
#include "harness/judge/testing/problem_test_util.h"

namespace padproof {
namespace {

TEST(MaskTensor, TellsWhatTheCaseSays) {
  for (const char* form : {"boolean", "additive"}) {
    for (const char* holes : {"", " holes=50"}) {
      Problem problem(Read((std::string("lens_q=3,1 lens_k=4,2 pad_q=1 pad_k=1 pad_side=left "
                                        "heads=2 dim=1 mask=causal:br dtype=bf16 mask_form=") +
                            form + holes)
                               .c_str()));
      const Case& c = problem.c();
      const AttentionArgs args = problem.Args(false);
      const Tensor& mask = args.attn_mask;
      EXPECT_EQ(args.mask, Mask::none);
      EXPECT_EQ(args.seqused_k[1], c.seqlen_k());
      int kept = 0, expected = 0;
      for (int b = 0; b < 2; ++b) {
        for (int h = 0; h < 2; ++h) {
          for (int i = 0; i < c.seqlen_q(); ++i) {
            for (int j = 0; j < c.seqlen_k(); ++j) {
              const int64_t at = b * mask.stride[0] + h * mask.stride[1] + i * mask.stride[2] + j;
              kept += c.mask_form == MaskForm::boolean
                          ? static_cast<uint8_t*>(mask.data)[at] == 1
                          : Decode(c.dtype, static_cast<uint16_t*>(mask.data)[at]) == 0;
            }
          }
          for (int i = 0; i < c.lens_q[static_cast<size_t>(b)]; ++i) {
            for (int j = 0; j < c.lens_k[static_cast<size_t>(b)]; ++j) {
              if (!Sees(c, b, h, i, j)) continue;
              ++expected;
              const int64_t at = b * mask.stride[0] + h * mask.stride[1] +
                                 SlotQ(c, b, i) * mask.stride[2] + SlotK(c, b, j);
              const double value = c.mask_form == MaskForm::boolean
                                       ? 1 - static_cast<uint8_t*>(mask.data)[at]
                                       : Decode(c.dtype, static_cast<uint16_t*>(mask.data)[at]);
              EXPECT_EQ(value, 0) << form << holes;
            }
          }
        }
      }
      EXPECT_EQ(kept, expected) << form << holes;
      EXPECT_GT(expected, 0);
    }
  }
}

TEST(MaskTensor, AnAdditiveOneHoldsTheBias) {
  Problem problem(
      Read("lens_q=3,1 lens_k=4,2 pad_k=1 heads=2 dim=1 mask=causal:br bias=alibi "
           "dtype=bf16 mask_form=additive"));
  const Case& c = problem.c();
  const AttentionArgs args = problem.Args(false);
  EXPECT_EQ(args.alibi_slopes, nullptr);  // told once
  int biased = 0;
  for (int b = 0; b < 2; ++b) {
    for (int h = 0; h < 2; ++h) {
      for (int i = 0; i < c.lens_q[static_cast<size_t>(b)]; ++i) {
        for (int j = 0; j < c.lens_k[static_cast<size_t>(b)]; ++j) {
          const int64_t* stride = args.attn_mask.stride;
          const int64_t at = b * stride[0] + h * stride[1] + i * stride[2] + j * stride[3];
          const double held = Decode(c.dtype, static_cast<uint16_t*>(args.attn_mask.data)[at]);
          EXPECT_EQ(held, Sees(c, b, h, i, j) ? BiasOf(c, b, h, i, j) : -INFINITY);
          EXPECT_EQ(problem.Keeps({b, h, i, 0}, j), Sees(c, b, h, i, j));
          biased += held < 0 && held > -INFINITY;
        }
      }
    }
  }
  EXPECT_GT(biased, 0);
}

TEST(MaskTensor, ABiasInATensorIsRoundedToItsType) {
  const Case far = Read("lens_q=1 lens_k=300 dim=1 bias=alibi dtype=bf16");
  Case held = far;
  held.mask_form = MaskForm::additive;
  EXPECT_EQ(BiasOf(far, 0, 0, 0, 0), -149.5);
  EXPECT_EQ(BiasOf(held, 0, 0, 0, 0), -150);  // bf16 has 8 bits
}

/// Its strides [b, h, sq, sk], 0 for what is shared.
std::vector<int64_t> StridesOfMask(const std::string& rest) {
  Problem problem(Read((rest + " heads=2 dim=1 mask_form=boolean").c_str()));
  const Tensor& mask = problem.Args(false).attn_mask;
  return {mask.stride, mask.stride + 4};
}

TEST(MaskTensor, SharesWhatIsAlike) {
  using Strides = std::vector<int64_t>;
  EXPECT_EQ(StridesOfMask("lens_q=3,3 lens_k=4,2"), (Strides{4, 0, 0, 1})) << "[b, 1, 1, sk]";
  EXPECT_EQ(StridesOfMask("lens_q=3,3 lens_k=4,4"), (Strides{0, 0, 0, 1})) << "[1, 1, 1, sk]";
  EXPECT_EQ(StridesOfMask("lens_q=3,3 lens_k=4,4 mask=causal:br"), (Strides{0, 0, 4, 1}));
  EXPECT_EQ(StridesOfMask("lens_q=3,3 lens_k=4,2 pad_q=1"), (Strides{16, 0, 4, 1}))
      << "a padded query sees nothing";
  EXPECT_EQ(StridesOfMask("lens_q=3,1 lens_k=4,2"), (Strides{12, 0, 4, 1}));
  EXPECT_EQ(StridesOfMask("lens_q=3,3 lens_k=4,4 holes=50"), (Strides{24, 12, 4, 1}));
}

TEST(MaskTensor, RowsHaveGapsWhereTensorsDo) {
  EXPECT_EQ(StridesOfMask("lens_q=3,1 lens_k=4,2 strides=row_padded"),
            (std::vector<int64_t>{48, 0, 16, 1}));
  Problem problem(
      Read("lens_q=2 lens_k=3 dim=1 mask=causal:tl mask_form=boolean strides=row_padded"));
  const Tensor mask = problem.Args(false).attn_mask;
  const auto* rows = static_cast<const uint8_t*>(mask.data);
  for (int j = 0; j < mask.stride[2]; ++j) {
    const bool gap = j >= 3;
    EXPECT_EQ(rows[j], gap || j == 0) << "what a wrong row length reads as visible";
  }
}

TEST(MaskTensor, AGapBehindAnAdditiveRowIsNan) {
  Problem problem(Read("lens_q=2 lens_k=3 dim=1 mask_form=additive strides=row_padded"));
  const Tensor mask = problem.Args(false).attn_mask;
  const auto* row = static_cast<const float*>(mask.data);
  EXPECT_EQ(row[2], 0);
  EXPECT_TRUE(std::isnan(row[3]));
}

}  // namespace
}  // namespace padproof
