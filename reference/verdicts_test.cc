// What the oracle says at the edges: empty rows, single keys, infinite results, subnormal numbers,
// NaN in real tokens, and inputs that overflow on purpose.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reference/attention.h"
#include "reference/rounding_model.h"

namespace padproof::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// One query on as many keys as there are numbers in k, dim 1.
Head RowOf(Dtype dtype, double q, std::vector<double> k, std::vector<double> v) {
  Head head{.len_q = 1,
            .len_k = static_cast<int>(k.size()),
            .dim = 1,
            .dim_v = 1,
            .dtype = dtype,
            .scale = 1};
  head.visible = {{0, head.len_k}};
  head.q = {q};
  head.k = std::move(k);
  head.v = std::move(v);
  return head;
}

double RatioOf(Dtype dtype, double out, const Judged& judged) {
  return Ratio(dtype, Encode(dtype, out), judged);
}

TEST(Verdicts, AnEmptyRowIsZeroAndNothingElse) {
  for (Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    Head head = RowOf(dtype, 1, {1}, {1});
    head.visible = {{0, 0}};
    const ForwardRow row = Forward(head, {}, 0);
    EXPECT_EQ(row.out_of_domain, "");
    EXPECT_EQ(RatioOf(dtype, 0.0, row.out[0]), 0);
    EXPECT_EQ(RatioOf(dtype, -0.0, row.out[0]), 0);
    for (double wrong : {FactsOf(dtype).eta * 2, 1.0, kInfinity, kNan}) {
      EXPECT_EQ(RatioOf(dtype, wrong, row.out[0]), kInfinity) << wrong;
    }
    EXPECT_EQ(RatioOf(Dtype::f32, -kInfinity, row.lse), 0);
    for (double wrong : {0.0, -1e38, kInfinity, kNan}) {
      EXPECT_EQ(RatioOf(Dtype::f32, wrong, row.lse), kInfinity) << wrong;
    }
  }
}

// P = 1 exactly, whatever the score, so that O is V but for the division by a row sum of 1.
TEST(Verdicts, ASingleKeyGivesItsValue) {
  for (Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    for (double score : {0.0, 50.0, -50.0}) {
      const ForwardRow row = Forward(RowOf(dtype, 1, {score}, {0.75}), {}, 0);
      EXPECT_EQ(row.out_of_domain, "");
      EXPECT_EQ(row.out[0].centre, 0.75);
      EXPECT_LT(row.out[0].radius, 1e-6);
      EXPECT_EQ(RatioOf(dtype, 0.75, row.out[0]), 0);
      EXPECT_GT(RatioOf(dtype, 0.7421875, row.out[0]), 1);
      EXPECT_NEAR(row.lse.centre, score, 1e-12);
    }
  }
}

TEST(Verdicts, AResultPastTheRangeIsInfinite) {
  // 65519.9 rounds to 65504 and 65520 to infinity: the mean of two keys is on either side.
  const Dtype dtype = Dtype::f16;
  const auto judge = [&](double v) { return Forward(RowOf(dtype, 0, {0, 0}, {v, v}), {}, 0); };
  EXPECT_EQ(RatioOf(dtype, 65504, judge(65504).out[0]), 0);
  EXPECT_GT(RatioOf(dtype, kInfinity, judge(65504).out[0]), 1);
  const Judged past{70000, 1};  // as of values that the storage type of V does not hold
  EXPECT_EQ(RatioOf(dtype, kInfinity, past), 0);
  EXPECT_GT(RatioOf(dtype, 65504, past), 1);
  EXPECT_GT(RatioOf(dtype, -kInfinity, past), 1);
  const Judged either{65520, 1};  // a correct result may round either way
  EXPECT_LE(RatioOf(dtype, kInfinity, either), 1);
  EXPECT_LE(RatioOf(dtype, 65504, either), 1);
}

// A kernel may flush fp32 results below 2^-126; a f16 subnormal is a number like any other.
TEST(Verdicts, SubnormalNumbersMayBeFlushedInFp32Alone) {
  const double tiny = 0x1p-130;
  for (Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    const ForwardRow row = Forward(RowOf(dtype, 0, {0, 0}, {tiny, tiny}), {}, 0);
    EXPECT_EQ(row.out_of_domain, "");
    EXPECT_LE(RatioOf(dtype, 0, row.out[0]), 1) << NameOf(dtype);
    EXPECT_LE(RatioOf(dtype, tiny, row.out[0]), 1) << NameOf(dtype);
    EXPECT_GT(RatioOf(dtype, 0x1p-120, row.out[0]), 1) << NameOf(dtype);
  }
  const ForwardRow row = Forward(RowOf(Dtype::f16, 0, {0, 0}, {0x1p-20, 0x1p-20}), {}, 0);
  EXPECT_EQ(RatioOf(Dtype::f16, 0x1p-20, row.out[0]), 0);
  EXPECT_GT(RatioOf(Dtype::f16, 0, row.out[0]), 1);
}

// Nothing is promised of the row's values then, and other rows do not notice.
TEST(Verdicts, NanInARealTokenIsOutOfDomainInItsRowAlone) {
  for (double bad : {kNan, kInfinity, -kInfinity}) {
    EXPECT_NE(Forward(RowOf(Dtype::f32, bad, {1, 2}, {1, 2}), {}, 0).out_of_domain, "") << bad;
    EXPECT_NE(Forward(RowOf(Dtype::f32, 1, {1, bad}, {1, 2}), {}, 0).out_of_domain, "") << bad;
    EXPECT_NE(Forward(RowOf(Dtype::f32, 1, {1, 2}, {bad, 2}), {}, 0).out_of_domain, "") << bad;
    Head two = RowOf(Dtype::f32, 1, {1, bad}, {1, bad});
    two.len_q = 2;
    two.q = {1, 1};
    two.visible = {{0, 1}, {0, 2}};  // a causal mask hides the second key from the first query
    EXPECT_EQ(Forward(two, {}, 0).out_of_domain, "") << bad;
    EXPECT_EQ(RatioOf(Dtype::f32, 1, Forward(two, {}, 0).out[0]), 0) << bad;
    EXPECT_NE(Forward(two, {}, 1).out_of_domain, "") << bad;
  }
}

// pytorch/pytorch#121558: all inputs 133120 in bf16 give NaN where the scale is folded into exp2
// and numbers where it is not; both are correct kernels.
TEST(Verdicts, OverflowOnPurposeIsOutOfDomain) {
  Head head{.len_q = 1, .len_k = 4, .dim = 64, .dim_v = 64, .dtype = Dtype::bf16, .scale = 0.125};
  head.visible = {{0, 4}};
  head.q.assign(64, 133120);
  head.k.assign(size_t{4} * 64, 133120);
  head.v = head.k;
  const ForwardRow row = Forward(head, {}, 0);
  EXPECT_NE(row.out_of_domain, "");
  EXPECT_NE(row.out_of_domain.find('<'), std::string::npos) << "the violated inequality";
  // In the domain NaN is never right, whatever the radius.
  EXPECT_EQ(RatioOf(Dtype::bf16, kNan, {0, kInfinity}), kInfinity);
  EXPECT_FALSE(ExplainForward(head, {.p_rounding = 0x1p-8}, std::vector<uint32_t>(64), 0).judged);
}

}  // namespace
}  // namespace padproof::reference
