// The bound holds: no emulated correct kernel leaves it on the values of cases. The bound is worth
// something: wrong kernels do leave it. The reference is attention: it agrees with values known in
// closed form.

#include "reference/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reference/emulation/families.h"
#include "reference/emulation/judging.h"
#include "reference/emulation/kernel.h"
#include "reference/emulation/kernels.h"

namespace padproof::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Values kValues[] = {Values::normal,  Values::large,      Values::tied,
                          Values::one_hot, Values::increasing, Values::outlier,
                          Values::deep,    Values::near_max,   Values::subnormal};

double Worst(Dtype dtype, const std::vector<uint32_t>& got,
             const std::vector<std::vector<Judged>>& judged) {
  double worst = 0;
  for (size_t at = 0; at < got.size(); ++at) {
    const size_t dim = got.size() / judged.size();
    worst = std::max(worst, Ratio(dtype, got[at], judged[at / dim][at % dim]));
  }
  return worst;
}

Case CaseOf(Dtype dtype, Values values, int len_q, int len_k, int dim, uint64_t seed) {
  Case c;
  c.lens_q = {len_q};
  c.lens_k = {len_k};
  c.dim = dim;
  c.dtype = dtype;
  c.values = values;
  c.backward = true;
  c.seed = seed;
  return c;
}

// The values that cases draw; the adversary's own families are in emulation/emulation_test.cc.
TEST(Bound, HoldsForCorrectKernelsOverTheValuesOfCases) {
  Ratios all;
  uint64_t seed = 1;
  for (Values values : kValues) {
    for (Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
      for (int n : {0, 1, 2, 3, 5, 8, 15, 16, 17, 33, 40}) {
        const int dim = 1 + static_cast<int>(seed % 16);
        const Case c = CaseOf(dtype, values, 2, n, dim, seed++);
        const Head head = ReadHead(Problem(c), 0, 0);
        for (const NamedKernel& kernel : EmulatedKernels()) {
          if (!kernel.dtypes.Has(dtype)) continue;
          const NumericsProfile profile = ProfileOf(kernel.emulation, dtype);
          Ratios ratios;
          JudgeForward(kernel.emulation, profile, head, seed, ratios);
          if (n < 18) JudgeBackward(kernel.emulation, profile, head, seed, ratios);
          EXPECT_LE(ratios.largest(), 1) << kernel.emulation.name << ": " << Print(c);
          all.elements += ratios.elements;
        }
      }
    }
  }
  EXPECT_GT(all.elements, 400000);
}

TEST(ForwardBound, SeesOneZeroKeyLeftUnmasked) {
  const Emulation e{.name = "online_16", .tile = 16, .exp_ulps = 2};
  for (Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    const Case c = CaseOf(dtype, Values::normal, 1, 17, 64, 3);
    const Head head = ReadHead(Problem(c), 0, 0), leaky = WithZeroKey(head);
    EmulatedKernel kernel(e, leaky, 1);
    const EmulatedRow got = kernel.Forward(0);
    const ForwardRow want = Forward(head, ProfileOf(e, dtype), 0);
    ASSERT_EQ(want.out_of_domain, "");
    double worst = 0;
    for (size_t d = 0; d < 64; ++d) worst = std::max(worst, Ratio(dtype, got.out[d], want.out[d]));
    EXPECT_GT(worst, 1) << NameOf(dtype);
    EXPECT_GT(Ratio(Dtype::f32, got.lse, want.lse), 1) << NameOf(dtype);
  }
}

TEST(GradientBound, SeesOneZeroKeyLeftUnmasked) {
  const Emulation e{.name = "online_16", .tile = 16};
  Head head = ReadHead(Problem(CaseOf(Dtype::f32, Values::normal, 4, 17, 16, 3)), 0, 0);
  Head leaky = WithZeroKey(head);
  StoreEmulated(e, leaky, 1);  // O and LSE of the leaky forward, as in unconditional judgement
  StoreEmulated(e, head, 1);
  EmulatedKernel::Gradient got = EmulatedKernel(e, leaky, 1).Backward();
  got.dk.resize(head.k.size());
  got.dv.resize(head.k.size());
  const Gradients want = Backward(head, ProfileOf(e, Dtype::f32), true);
  ASSERT_EQ(want.out_of_domain, "");
  EXPECT_GT(Worst(Dtype::f32, got.dq, want.dq), 1);
  EXPECT_GT(Worst(Dtype::f32, got.dk, want.dk), 1);
  EXPECT_GT(Worst(Dtype::f32, got.dv, want.dv), 1);
}

TEST(Forward, IsAttention) {
  Head head;
  head.len_q = 2;
  head.len_k = 2;
  head.dim = head.dim_v = 1;
  head.scale = 1;
  head.visible = {{0, 2}, {0, 0}};
  head.q = {1, 1};
  head.k = {0, std::log(3.0)};
  head.v = {4, 8};
  const ForwardRow row = Forward(head, {}, 0);
  EXPECT_NEAR(row.out[0].centre, 7, 1e-12);  // 1/4 of 4 and 3/4 of 8
  EXPECT_NEAR(row.lse.centre, std::log(4.0), 1e-12);
  EXPECT_GT(row.out[0].radius, 0);
  EXPECT_LT(row.out[0].radius, 1e-4);
  const ForwardRow empty = Forward(head, {}, 1);
  EXPECT_EQ(empty.out[0].centre, 0);
  EXPECT_EQ(empty.out[0].radius, 0);
  EXPECT_EQ(empty.lse.centre, -kInfinity);
}

// dQ, dK, dV against differences of the forward: sum(dO * O) changes by the gradient.
TEST(Gradients, AreDerivativesOfTheForward) {
  const Head head = ReadHead(Problem(CaseOf(Dtype::f32, Values::normal, 3, 4, 2, 5)), 0, 0);
  const Gradients gradients = Backward(head, {}, false);
  ASSERT_EQ(gradients.out_of_domain, "");
  const auto loss = [](const Head& at) {
    double sum = 0;
    for (int i = 0; i < at.len_q; ++i) {
      const ForwardRow row = Forward(at, {}, i);
      for (size_t d = 0; d < row.out.size(); ++d) {
        sum += at.d_o[static_cast<size_t>(i) * row.out.size() + d] * row.out[d].centre;
      }
    }
    return sum;
  };
  const auto check = [&](std::vector<double> Head::* operand,
                         const std::vector<std::vector<Judged>>& want) {
    for (size_t at = 0; at < (head.*operand).size(); ++at) {
      Head up = head, down = head;
      (up.*operand)[at] += 1e-5;
      (down.*operand)[at] -= 1e-5;
      EXPECT_NEAR((loss(up) - loss(down)) / 2e-5, want[at / 2][at % 2].centre, 1e-7);
    }
  };
  check(&Head::q, gradients.dq);
  check(&Head::k, gradients.dk);
  check(&Head::v, gradients.dv);
}

TEST(Forward, RefusesRowsThatMayOverflow) {
  Head head;
  head.len_q = head.len_k = head.dim = head.dim_v = 1;
  head.scale = 1;
  head.visible = {{0, 1}};
  head.q = {1e20};
  head.k = {1e20};
  head.v = {1};
  EXPECT_NE(Forward(head, {}, 0).out_of_domain, "");
  head.q = head.k = {1};
  EXPECT_EQ(Forward(head, {}, 0).out_of_domain, "");
  head.q = head.k = {0x1p16};  // the residual of a folded shift alone reaches 2^128
  EXPECT_NE(Forward(head, {}, 0).out_of_domain, "");
}

// A mask of the lowest numbers over a whole row, as models write it, hides nothing: LSE is as low,
// and not -inf.
TEST(ForwardBound, OfLseIsFiniteHoweverLowTheScores) {
  Head head;
  head.len_q = head.dim = head.dim_v = 1;
  head.len_k = 2;
  head.scale = 1;
  head.visible = {{0, 2}};
  head.q = {1};
  head.k = {-0x1p120, -0x1p120};
  head.v = {1, 2};
  for (int split : {0, 1}) {
    const ForwardRow row = Forward(head, {.split = split, .stored_scores = 1}, 0);
    ASSERT_EQ(row.out_of_domain, "");
    EXPECT_LE(Ratio(Dtype::f32, Encode(Dtype::f32, -0x1p120), row.lse), 1);
    EXPECT_GT(Ratio(Dtype::f32, Encode(Dtype::f32, -kInfinity), row.lse), 1);
    EXPECT_GT(Ratio(Dtype::f32, Encode(Dtype::f32, -1e30), row.lse), 1);
  }
}

TEST(Ratio, MeasuresFromThePreimageOfTheRounding) {
  const uint32_t one = Encode(Dtype::bf16, 1), next = Encode(Dtype::bf16, 1 + 0x1p-7);
  EXPECT_EQ(Ratio(Dtype::bf16, one, {1 + 0x1p-9, 0}), 0);  // rounds to one
  EXPECT_EQ(Ratio(Dtype::bf16, next, {1, 0x1p-8}), 1);     // the tie is just within
  EXPECT_EQ(Ratio(Dtype::bf16, next, {1, 0x1p-9}), 2);
  EXPECT_EQ(Ratio(Dtype::bf16, next, {1, 0}), kInfinity);
  EXPECT_EQ(Ratio(Dtype::bf16, one, {1 - 0x1p-9, 0}), 0);  // half an ulp below a power of two
  EXPECT_GT(Ratio(Dtype::bf16, one, {1 - 0x1.1p-9, 0}), 1);
}

TEST(Ratio, KnowsZerosInfinitiesAndNan) {
  EXPECT_EQ(Ratio(Dtype::f16, 0x8000, {0, 0}), 0);  // -0
  EXPECT_EQ(Ratio(Dtype::f16, 1, {0, 0}), kInfinity);
  EXPECT_EQ(Ratio(Dtype::f16, Encode(Dtype::f16, kInfinity), {65520, 0}), 0);
  EXPECT_EQ(Ratio(Dtype::f16, Encode(Dtype::f16, kInfinity), {65519, 1}), 1);
  EXPECT_EQ(Ratio(Dtype::f16, Encode(Dtype::f16, 65504), {65519, 0}), 0);
  EXPECT_EQ(Ratio(Dtype::f16, Encode(Dtype::f16, NAN), {0, kInfinity}), kInfinity);
  EXPECT_EQ(Ratio(Dtype::f32, Encode(Dtype::f32, -kInfinity), {-kInfinity, 0}), 0);
  EXPECT_EQ(Ratio(Dtype::f32, Encode(Dtype::f32, -1e38), {-kInfinity, 0}), kInfinity);
}

TEST(PairRatio, AddsTheTwoRadii) {
  const uint32_t one = Encode(Dtype::f32, 1), more = Encode(Dtype::f32, 1 + 0x1p-20);
  EXPECT_EQ(PairRatio(Dtype::f32, one, one, 0, 0), 0);
  EXPECT_LT(PairRatio(Dtype::f32, one, more, 0x1p-21, 0x1p-21), 1);
  EXPECT_GT(PairRatio(Dtype::f32, one, more, 0x1p-22, 0x1p-22), 1);
  EXPECT_EQ(PairRatio(Dtype::f32, one, Encode(Dtype::f32, NAN), 1, 1), kInfinity);
}

}  // namespace
}  // namespace padproof::reference
