// A bound keeps how near each tensor came to it, whatever the verdict.

#include "properties/support/within_bound.h"

#include <gtest/gtest.h>

namespace padproof {
namespace {

Failure AFailure() { return {.kind = kind::kValue, .region = "out"}; }

TEST(WithinBound, HoldsWithTheWorstRatioOfEachTensor) {
  WithinBound bound;
  bound.Add("out", 0.25, AFailure);
  bound.Add("lse", 0, AFailure);
  bound.Add("out", 1, AFailure);
  bound.Add("out", 0.5, AFailure);
  const Verdict verdict = bound.verdict({});
  EXPECT_EQ(verdict.outcome, Outcome::holds);
  ASSERT_EQ(verdict.closeness.size(), 2u);
  EXPECT_EQ(verdict.closeness[0].region, "out");
  EXPECT_EQ(verdict.closeness[0].worst, 1);
  EXPECT_EQ(verdict.closeness[0].elements, 3);
  EXPECT_EQ(verdict.closeness[1].region, "lse");
  EXPECT_EQ(verdict.closeness[1].worst, 0);
  EXPECT_EQ(verdict.closeness[1].elements, 1);
}

TEST(WithinBound, AFailureHasItTooAndWhatWasNotJudgedHasNone) {
  WithinBound failing;
  failing.Add("out", 3, AFailure);
  failing.Add("dq", 0.5, AFailure);
  const Verdict fails = failing.verdict({});
  EXPECT_EQ(fails.outcome, Outcome::fails);
  EXPECT_EQ(fails.failure.ratio, 3);
  ASSERT_EQ(fails.closeness.size(), 2u);
  EXPECT_EQ(fails.closeness[0].worst, 3);

  WithinBound skipping;
  skipping.Skip("x < 1");
  EXPECT_EQ(skipping.verdict({}).outcome, Outcome::out_of_domain);
  EXPECT_TRUE(skipping.verdict({}).closeness.empty());
}

TEST(WithinBound, AStoredNumberIsCountedUnderItsTensor) {
  WithinBound bound;
  bound.Add(Operand::dk, {0, 0, 0, 0}, Encode(Dtype::f32, 1.5), Dtype::f32,
            {.centre = 1.0, .radius = 1.0});
  const Verdict verdict = bound.verdict({});
  ASSERT_EQ(verdict.closeness.size(), 1u);
  EXPECT_EQ(verdict.closeness[0].region, "dk");
  EXPECT_NEAR(verdict.closeness[0].worst, 0.5, 1e-6);
}

}  // namespace
}  // namespace padproof
