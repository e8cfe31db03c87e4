// gqa_repeat
//
//   f(Q, K, V) with heads=H:HKV against f(Q, K*, V*) with heads=H, where head h of K* and V* is
//   head h / (H / HKV) of K and V:
//     |O - O*| <= r + r*, and so LSE and dQ, for every real element
//     |dK_g - sum_{h in g} dK*_h| <= r_g + sum_h (r*_h + half an ulp of it), and so dV
//
// with r and r* the bounds of reference/derivations.md for each of the two, before rounding to
// storage; each dK*_h is rounded to storage by itself.
//
// Preconditions: the row takes fewer heads of K and V than of Q.
//
// Why a bound and not bits: another number of heads may mean another grid, tiles that pack the
// query heads of a group, and another order of sums.

#include <algorithm>
#include <cmath>
#include <optional>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/run_oracle.h"
#include "properties/support/twins.h"
#include "reference/bounds.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  return traits.features.Has(Feature::gqa) ? nullptr : "takes one head of K and V for each of Q";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c = WithAllowedFill(traits, c);
  if (c.group > 1) return;
  c.group = random.Between(2, 3);
  c.heads = c.group * random.Between(1, 2);
}

/// The same tokens with a head of K and V for each query head.
Problem Repeated(const Problem& grouped) {
  Case c = grouped.c();
  const int group = c.group;
  c.group = 1;
  Problem repeated(c);
  for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o}) {
    if (op == Operand::d_o && !c.backward) continue;
    for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
      for (at.h = 0; at.h < c.heads; ++at.h) {
        for (at.i = 0; at.i < repeated.RealRows(op, at.b); ++at.i) {
          const int from_h = HasKeyHeads(op) ? at.h / group : at.h;
          CopyToken(repeated, op, at, grouped, {at.b, from_h, at.i, 0});
        }
      }
    }
  }
  return repeated;
}

/// One element of dK or dV of a group against the sum over its query heads.
void CompareSum(Operand op, const Index& at, RunOracle& repeated, RunOracle& grouped,
                WithinBound& bound) {
  const Case& c = grouped.problem().c();
  const reference::Judged none;
  Proven sum{nullptr, none, none};
  double stored = 0;
  const auto add = [&](reference::Judged& to, const reference::Judged& judged) {
    const double most = std::fabs(judged.centre) + judged.radius;
    to.centre += judged.centre;
    to.radius += judged.radius + reference::HalfUlp(c.dtype, most);
    if (most > FactsOf(c.dtype).max_finite) to.radius = INFINITY;  // it may have overflowed
  };
  const Proven whole = grouped.Of(op, at);
  if (whole.out_of_domain != nullptr) return bound.Skip(whole.out_of_domain);
  for (int h = at.h * c.group; h < (at.h + 1) * c.group; ++h) {
    const Index of_head{at.b, h, at.i, at.d};
    const Proven part = repeated.Of(op, of_head);
    if (part.out_of_domain != nullptr) return bound.Skip(part.out_of_domain);
    stored += repeated.problem().Real(op, of_head);
    add(sum.given, part.given);
    add(sum.any, part.any);
  }
  const double distance = DistanceOf(sum, whole);
  if (std::isinf(distance)) return bound.Skip("the gradient of a query head stored");
  CompareWith({.centre = stored, .radius = distance}, op, at, "sum of the group", grouped, bound);
}

void CompareSums(Operand op, RunOracle& repeated, RunOracle& grouped, WithinBound& bound) {
  const Problem& problem = grouped.problem();
  const Case& c = problem.c();
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < c.heads_kv(); ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(op, at.b); ++at.i) {
        at.d = 0;
        if (!IsPromised(grouped.kernel().traits, c, op, at)) continue;
        for (; at.d < problem.Columns(op); ++at.d) CompareSum(op, at, repeated, grouped, bound);
      }
    }
  }
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  if (c.group < 2) return Verdict::NotApplicable("a head of K and V for each of Q");
  Problem grouped(c);
  Problem repeated = Repeated(grouped);
  if (std::string wrong = Validate(repeated.c()); !wrong.empty()) {
    return Verdict::NotApplicable("repeated: " + wrong);
  }
  if (auto verdict = Run(kernel, grouped)) return *verdict;
  if (auto verdict = Run(kernel, repeated)) return *verdict;
  RunOracle first(kernel, repeated, "repeated"), second(kernel, grouped, "grouped");
  WithinBound bound;
  for (Operand op : Outputs(kernel, c)) {
    if (HasKeyHeads(op)) {
      CompareSums(op, first, second, bound);
    } else {
      CompareRuns(op, first, second, bound);
    }
  }
  return bound.verdict(kernel.traits.numerics);
}

PADPROOF_PROPERTY({.name = "gqa_repeat",
                   .statement = "query heads that share a head of K and V give what they give on "
                                "copies of it, within the sum of the proven bounds",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
