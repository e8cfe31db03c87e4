// The oracle against a second one: on every case of a random run O, LSE, dQ, dK and dV of the two
// agree within what fp64 allows, and gradients agree with differences of the second forward.

#include "reference/torch_oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "harness/case/generate.h"
#include "harness/judge/problem.h"
#include "reference/emulation/families.h"
#include "reference/emulation/variants.h"

namespace padproof::reference {
namespace {

/// The radius is what fp32 arithmetic may err, in units of 2^-24; in fp64 the same arithmetic errs
/// 2^-29 of that. Automatic differentiation passes through a division and a sum more.
constexpr double kOfRadius = 2 * 0x1p-29;

/// PADPROOF_CASES of the environment, for a long run by hand.
int CasesToRun() {
  const char* text = std::getenv("PADPROOF_CASES");
  return text == nullptr ? 600 : std::atoi(text);
}

struct Agreement {
  int64_t elements = 0;
  double worst = 0;  // |difference| / allowed
  std::string where;

  void Compare(const char* tensor, const Judged& ours, double theirs, const std::string& c) {
    ++elements;
    if (ours.centre == theirs) return;
    const double allowed = kOfRadius * ours.radius;
    const double ratio = std::fabs(ours.centre - theirs) / allowed;
    if (ratio <= worst) return;  // false for NaN
    worst = std::isnan(ratio) ? INFINITY : ratio;
    where = std::string(tensor) + " of " + c;
  }
  void CompareRows(const char* tensor, const std::vector<std::vector<Judged>>& ours,
                   const std::vector<double>& theirs, const std::string& c) {
    size_t at = 0;
    for (const auto& row : ours) {
      for (const Judged& judged : row) Compare(tensor, judged, theirs.at(at++), c);
    }
    ASSERT_EQ(at, theirs.size());
  }
};

void CompareHead(const Head& head, const std::string& c, Agreement& agreement) {
  const TorchAttention second = AttentionByTorch(head);
  const NumericsProfile profile;
  const ForwardOracle oracle(head, profile);
  for (int i = 0; i < head.len_q; ++i) {
    const ForwardRow row = oracle.Row(i);
    if (!row.out_of_domain.empty()) continue;
    const size_t at = static_cast<size_t>(i);
    agreement.Compare("lse", row.lse, second.lse.at(at), c);
    for (size_t d = 0; d < row.out.size(); ++d) {
      agreement.Compare("o", row.out[d], second.o.at(at * row.out.size() + d), c);
    }
  }
  if (head.d_o.empty()) return;
  const Gradients gradients = Backward(head, profile, /*conditional=*/false);
  if (!gradients.out_of_domain.empty()) return;
  agreement.CompareRows("dq", gradients.dq, second.dq, c);
  agreement.CompareRows("dk", gradients.dk, second.dk, c);
  agreement.CompareRows("dv", gradients.dv, second.dv, c);
  agreement.CompareRows("dbias", gradients.dbias, second.dbias, c);
  agreement.CompareRows("dsink", {gradients.dsink}, second.dsink, c);
}

TEST(TorchOracle, AgreesOnEveryCase) {
  Domain domain;
  domain.layouts = SetOf(Layout::bhsd);
  domain.pad_sides = SetOf(PadSide::right);
  Random random(11);
  Agreement agreement;
  const int cases = CasesToRun();
  for (int i = 0; i < cases; ++i) {
    Case c = Generate(domain, random, i * 100 / cases);
    const Problem problem(c);
    for (int b = 0; b < c.batch(); ++b) {
      for (int h = 0; h < c.heads_kv(); ++h)
        CompareHead(ReadHead(problem, b, h), Print(c), agreement);
    }
  }
  EXPECT_LE(agreement.worst, 1) << agreement.where;
  EXPECT_GT(agreement.worst, 1e-4) << "what is allowed says nothing";
  EXPECT_GT(agreement.elements, cases * int64_t{100});
  RecordProperty("elements", std::to_string(agreement.elements));
  RecordProperty("worst", std::to_string(agreement.worst));
  std::printf("%d cases, %lld elements, worst %.3g of what is allowed, in %s\n", cases,
              static_cast<long long>(agreement.elements), agreement.worst, agreement.where.c_str());
}

TEST(TorchOracle, AgreesOnVariants) {
  Random random(12);
  Agreement agreement;
  const int heads = CasesToRun();
  for (int i = 0; i < heads; ++i) {
    const HeadShape shape{random.Between(1, 12), random.Between(1, 40), random.Between(1, 12),
                          random.OneOf({Dtype::f32, Dtype::f16, Dtype::bf16})};
    const auto family = static_cast<Family>(random.Below(kFamilies));
    const uint64_t seed = random.Next();
    Head head = HeadOf(family, shape, seed);
    Random variants(seed);
    Decorate(head, variants);
    CompareHead(head, std::string(NameOf(family)) + " " + std::to_string(i), agreement);
  }
  EXPECT_LE(agreement.worst, 1) << agreement.where;
  EXPECT_GT(agreement.worst, 1e-4) << "what is allowed says nothing";
  EXPECT_GT(agreement.elements, heads * int64_t{100});
  std::printf("%d heads, %lld elements, worst %.3g of what is allowed, in %s\n", heads,
              static_cast<long long>(agreement.elements), agreement.worst, agreement.where.c_str());
}

double LossByTorch(const Head& head) {
  Head forward = head;
  forward.d_o.clear();
  const TorchAttention at = AttentionByTorch(forward);
  double sum = 0;
  for (size_t i = 0; i < at.o.size(); ++i) sum += head.d_o[i] * at.o[i];
  return sum;
}

/// Every gradient against a difference of the second forward.
void CompareWithDifferences(const Head& head, const char* name) {
  constexpr double kStep = 0x1p-17;
  const Gradients gradients = Backward(head, {}, false);
  ASSERT_EQ(gradients.out_of_domain, "") << name;
  const auto check = [&](std::vector<double> Head::* operand,
                         const std::vector<std::vector<Judged>>& want) {
    for (size_t at = 0; at < (head.*operand).size(); ++at) {
      Head up = head, down = head;
      (up.*operand)[at] += kStep;
      (down.*operand)[at] -= kStep;
      const double slope = (LossByTorch(up) - LossByTorch(down)) / (2 * kStep);
      const size_t columns = want[0].size();
      EXPECT_NEAR(slope, want[at / columns][at % columns].centre, 1e-8) << name;
    }
  };
  check(&Head::q, gradients.dq);
  check(&Head::k, gradients.dk);
  check(&Head::v, gradients.dv);
  check(&Head::bias, gradients.dbias);
  check(&Head::sink, {gradients.dsink});
}

TEST(TorchOracle, GradientsAreDerivatives) {
  Random random(5);
  for (Mask mask : {Mask::none, Mask::causal_tl, Mask::causal_br}) {
    Case c;
    c.lens_q = {3};
    c.lens_k = {5};
    c.dim = 4;
    c.mask = mask;
    c.backward = true;
    c.seed = random.Next();
    CompareWithDifferences(ReadHead(Problem(c), 0, 0), "a case");
  }
}

TEST(TorchOracle, GradientsOfVariantsAreDerivatives) {
  const Head plain = HeadOf(Family::randn, {4, 5, 3, Dtype::f32}, 2);
  const std::vector<double> bias{0.5, -1, 0,    2, 1,    0.25, 3,  -2, 0, 0,
                                 1,   1,  -0.5, 0, -1.5, 0,    -1, 1,  2, 0.125};
  Head all = plain;
  all.softcap = 2;
  all.bias = bias;
  all.sink = {0, 1, -1, 2};
  all.dropped.assign(20, 0);
  for (size_t at = 0; at < 20; at += 3) all.dropped[at] = 1;
  all.keep_scale = 1.5;
  all.hidden.assign(20, 0);
  all.hidden[2] = all.hidden[8] = 1;
  all.visible = {{0, 5}, {1, 4}, {2, 2}, {0, 3}};
  all.query_heads = 2;
  CompareWithDifferences(all, "all variants");
  const auto alone = [&](const char* name, auto change) {
    Head head = plain;
    change(head);
    CompareWithDifferences(head, name);
  };
  alone("softcap", [&](Head& head) { head.softcap = all.softcap; });
  alone("bias", [&](Head& head) { head.bias = all.bias; });
  alone("sink", [&](Head& head) { head.sink = all.sink; });
  alone("dropout", [&](Head& head) { head.dropped = all.dropped, head.keep_scale = 1.5; });
  alone("holes", [&](Head& head) { head.hidden = all.hidden; });
  alone("ranges", [&](Head& head) { head.visible = all.visible; });
}

}  // namespace
}  // namespace padproof::reference
