// causal_order on a toy module: a running sum over the queries of a sequence.

#include <gtest/gtest.h>

#include "harness/judge/problem.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

/// O_i = the sum of Q_j with j <= i + `ahead`.
template <int ahead>
Status RunningSum(const AttentionArgs& a) {
  const auto at = [](const Tensor& t, int b, int h, int s, int d) -> float& {
    const int64_t n = b * t.stride[0] + h * t.stride[1] + s * t.stride[2] + d * t.stride[3];
    return static_cast<float*>(t.data)[n];
  };
  for (int b = 0; b < a.batch; ++b) {
    for (int h = 0; h < a.heads; ++h) {
      for (int i = 0; i < a.seqused_q[b]; ++i) {
        for (int d = 0; d < a.dim; ++d) {
          float sum = 0;
          for (int j = 0; j < a.seqused_q[b] && j <= i + ahead; ++j) sum += at(a.q, b, h, j, d);
          at(a.o, b, h, i, d) = sum;
        }
      }
    }
  }
  return kOk;
}

Verdict VerdictOf(LaunchFunction forward, const char* line) {
  KernelRow row{};
  row.name = "running_sum";
  row.backend = "cpu";
  row.file = __FILE__;
  row.summary = row.source = "";
  row.traits.masks = SetOf(Mask::none, Mask::causal_br);
  row.traits.promises.output = OutputOf::module;
  row.forward = forward;
  const auto c = Parse(line);
  EXPECT_TRUE(c) << line;
  return Judge(*FindProperty("causal_order"), row, *c);
}

TEST(CausalOrder, SeesAMaskThatIsOffByOne) {
  const char* line = "lens_q=2,5 lens_k=1,1 dim=2 mask=causal:br seed=3";
  EXPECT_EQ(VerdictOf(RunningSum<0>, line).outcome, Outcome::holds);
  const Verdict leak = VerdictOf(RunningSum<1>, line);
  EXPECT_EQ(leak.outcome, Outcome::fails);
  EXPECT_EQ(leak.failure.region, "out");
  EXPECT_EQ(VerdictOf(RunningSum<0>, "lens_q=1 lens_k=1 dim=2 mask=causal:br").outcome,
            Outcome::not_applicable);
}

}  // namespace
}  // namespace padproof
