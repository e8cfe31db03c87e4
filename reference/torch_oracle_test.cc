// The oracle against a second one: on every case of a random run O, LSE, dQ, dK and dV of the two
// agree within what fp64 allows, and gradients agree with differences of the second forward.

#include "reference/torch_oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "harness/case/generate.h"
#include "harness/judge/problem.h"

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

  void Compare(const char* tensor, const Judged& ours, double theirs, const Case& c) {
    ++elements;
    if (ours.centre == theirs) return;
    const double allowed = kOfRadius * ours.radius;
    const double ratio = std::fabs(ours.centre - theirs) / allowed;
    if (ratio <= worst) return;  // false for NaN
    worst = std::isnan(ratio) ? INFINITY : ratio;
    where = std::string(tensor) + " of " + Print(c);
  }
  void CompareRows(const char* tensor, const std::vector<std::vector<Judged>>& ours,
                   const std::vector<double>& theirs, const Case& c) {
    size_t at = 0;
    for (const auto& row : ours) {
      for (const Judged& judged : row) Compare(tensor, judged, theirs.at(at++), c);
    }
    ASSERT_EQ(at, theirs.size());
  }
};

void CompareHead(const Head& head, const Case& c, Agreement& agreement) {
  const TorchAttention second = AttentionByTorch(head);
  for (int i = 0; i < head.len_q; ++i) {
    const ForwardRow row = Forward(head, {}, i);
    if (!row.out_of_domain.empty()) continue;
    const size_t at = static_cast<size_t>(i);
    agreement.Compare("lse", row.lse, second.lse.at(at), c);
    for (size_t d = 0; d < row.out.size(); ++d) {
      agreement.Compare("o", row.out[d], second.o.at(at * row.out.size() + d), c);
    }
  }
  if (head.d_o.empty()) return;
  const Gradients gradients = Backward(head, {}, /*conditional=*/false);
  if (!gradients.out_of_domain.empty()) return;
  agreement.CompareRows("dq", gradients.dq, second.dq, c);
  agreement.CompareRows("dk", gradients.dk, second.dk, c);
  agreement.CompareRows("dv", gradients.dv, second.dv, c);
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
      for (int h = 0; h < c.heads; ++h) CompareHead(ReadHead(problem, b, h), c, agreement);
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

double LossByTorch(const Head& head) {
  Head forward = head;
  forward.d_o.clear();
  const TorchAttention at = AttentionByTorch(forward);
  double sum = 0;
  for (size_t i = 0; i < at.o.size(); ++i) sum += head.d_o[i] * at.o[i];
  return sum;
}

TEST(TorchOracle, GradientsAreDerivatives) {
  constexpr double kStep = 0x1p-17;
  Random random(5);
  for (Mask mask : {Mask::none, Mask::causal_tl, Mask::causal_br}) {
    Case c;
    c.lens_q = {3};
    c.lens_k = {5};
    c.dim = 4;
    c.mask = mask;
    c.backward = true;
    c.seed = random.Next();
    const Head head = ReadHead(Problem(c), 0, 0);
    const Gradients gradients = Backward(head, {}, false);
    const auto check = [&](std::vector<double> Head::* operand,
                           const std::vector<std::vector<Judged>>& want) {
      for (size_t at = 0; at < (head.*operand).size(); ++at) {
        Head up = head, down = head;
        (up.*operand)[at] += kStep;
        (down.*operand)[at] -= kStep;
        const double slope = (LossByTorch(up) - LossByTorch(down)) / (2 * kStep);
        EXPECT_NEAR(slope, want[at / 4][at % 4].centre, 1e-8) << Print(c);
      }
    };
    check(&Head::q, gradients.dq);
    check(&Head::k, gradients.dk);
    check(&Head::v, gradients.dv);
  }
}

}  // namespace
}  // namespace padproof::reference
