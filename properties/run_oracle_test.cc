// Two runs on different problems: held against each other where both are promised and in domain,
// each by its own bound.

#include "properties/support/run_oracle.h"

#include <gtest/gtest.h>

#include "properties/support/run.h"
#include "properties/support/twins.h"

namespace padproof {
namespace {

Status Launch(const AttentionArgs&) { return kOk; }

KernelRow ARow() {
  KernelRow row{};
  row.name = "a_row";
  row.traits.returns_lse = 1;
  row.forward = Launch;
  return row;
}

/// A problem whose O and LSE are those of the oracle, rounded.
Problem Solved(const std::string& line) {
  Problem problem(*Parse(line));
  reference::StoreForward(problem);
  return problem;
}

/// Rows of the second run in reverse order of queries.
Verdict CompareReversed(const Problem& first, const Problem& second) {
  const KernelRow row = ARow();
  RunOracle a(row, first, "first"), b(row, second, "second");
  WithinBound bound;
  for (Operand op : {Operand::o, Operand::lse}) {
    CompareRuns(op, a, b, bound, [&](Operand, Index at) {
      at.i = first.RealRows(Operand::o, at.b) - 1 - at.i;
      return std::optional(at);
    });
  }
  return bound.verdict(row.traits.numerics);
}

Problem Reversed(const Problem& drawn) {
  Problem problem(drawn.c());
  CopyTokens(problem, 0, drawn, 0);
  const int len = drawn.RealRows(Operand::q, 0);
  for (int i = 0; i < len; ++i) {
    CopyToken(problem, Operand::q, {0, 0, len - 1 - i, 0}, drawn, {0, 0, i, 0});
  }
  reference::StoreForward(problem);
  return problem;
}

TEST(RunOracle, ComparesAtThePlaceThatItIsTold) {
  const Problem first = Solved("lens_q=3 lens_k=5 dim=4 seed=1");
  Problem second = Reversed(first);
  EXPECT_EQ(CompareReversed(first, second).outcome, Outcome::holds);
  EXPECT_EQ(CompareReversed(first, first).outcome, Outcome::fails);
}

TEST(RunOracle, SeesOneElementBeyondBothBounds) {
  const Problem first = Solved("lens_q=3 lens_k=5 dim=4 seed=1");
  Problem second = Reversed(first);
  const Index at{0, 0, 1, 2};
  second.SetReal(Operand::o, at, second.Real(Operand::o, at) + 1e-3);
  const Verdict verdict = CompareReversed(first, second);
  ASSERT_EQ(verdict.outcome, Outcome::fails);
  EXPECT_EQ(verdict.failure.where, "out[b=0 h=0 i=1 d=2]");
  EXPECT_GT(verdict.failure.ratio, 1);
}

TEST(RunOracle, JudgesGradientsByTheSmallerOfTwoDistances) {
  const Proven near{nullptr, {.centre = 1, .radius = 0.1}, {.centre = 1, .radius = 2}};
  const Proven far{nullptr, {.centre = 1.5, .radius = 0.1}, {.centre = 1, .radius = 0.2}};
  EXPECT_DOUBLE_EQ(DistanceOf(near, far), 0.7);
  const Proven further{nullptr, {.centre = 9, .radius = 0.1}, {.centre = 1, .radius = 0.2}};
  EXPECT_DOUBLE_EQ(DistanceOf(near, further), 2.2);
}

TEST(RunOracle, SaysNothingOfWhatIsOutOfDomain) {
  const Problem first = Solved("lens_q=1 lens_k=2 dim=1 seed=1");
  Problem second = first;
  second.SetReal(Operand::q, {0, 0, 0, 0}, 3e38);
  second.SetReal(Operand::k, {0, 0, 0, 0}, 3e38);
  EXPECT_EQ(CompareReversed(first, second).outcome, Outcome::out_of_domain);
}

}  // namespace
}  // namespace padproof
