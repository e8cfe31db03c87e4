// convex_hull
//
//   min_j v_jd - r <= O_id <= max_j v_jd + r      over the keys j that query i sees
//   V >= 0   =>   O >= 0 exactly
//
// before rounding to storage. A sink is a key with V = 0 here.
//
// Preconditions: the row has a forward; no dropout; the query sees a key and is in domain. The
// second line is read from a second run, on |V|.
//
// r is the bound of oracle_agreement or that of support/hull.h, which knows nothing of the scores,
// whichever is less. The latter does not grow with their size: where all that is known of them is
// that they are large, O is still a mean of what the query sees.
//
// Exactly, in the second line, since every weight, rescale, partial sum and divisor is at least 0,
// and rounding keeps that.

#include <algorithm>
#include <cmath>

#include "harness/judge/property.h"
#include "properties/support/hull.h"
#include "properties/support/run.h"
#include "properties/support/run_oracle.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool has_forward, bool) {
  return has_forward ? nullptr : "has no forward";
}

void Prepare(Case& c, const KernelTraits& traits, Random&) {
  c.backward = false;
  c.dropout = 0;
  c = WithAllowedFill(traits, c);
}

struct Hull {
  double low = 0, high = 0;
};

/// Of column d of V, over the keys of a row.
Hull HullOf(const Problem& problem, const reference::ForwardRow& row, const Index& at) {
  const Case& c = problem.c();
  Hull hull{INFINITY, -INFINITY};
  if (c.sink) hull = {0, 0};
  for (int key : row.keys) {
    const double v = problem.Real(Operand::v, {at.b, at.h / c.group, key, at.d});
    hull = {std::min(hull.low, v), std::max(hull.high, v)};
  }
  return hull;
}

void JudgeRow(const Problem& problem, const reference::ForwardRow& row, Index at,
              WithinBound& bound) {
  const Dtype dtype = problem.c().dtype;
  for (; at.d < problem.Columns(Operand::o); ++at.d) {
    const Hull hull = HullOf(problem, row, at);
    const double most = std::max(std::fabs(hull.low), std::fabs(hull.high));
    const double radius = HullRadius(row, at.d, most);
    const uint32_t bits = problem.BitsAt(Operand::o, at);
    const double o = Decode(dtype, bits);
    double ratio = 0;
    if (!(o >= hull.low)) ratio = reference::Ratio(dtype, bits, {hull.low, radius});
    if (!(o <= hull.high)) ratio = reference::Ratio(dtype, bits, {hull.high, radius});
    bound.Add(NameOf(Operand::o), ratio, [&] {
      Failure failure;
      failure.kind = std::isnan(o) ? kind::kNan : kind::kValue;
      failure.region = NameOf(Operand::o);
      failure.where = Where(Operand::o, at);
      failure.expected = "V that the query sees: " + Number(hull.low) + " to " + Number(hull.high) +
                         " +- " + Number(radius);
      failure.got = "kernel: " + Number(o);
      return failure;
    });
  }
}

void JudgeSign(const Problem& problem, Index at, WithinBound& bound) {
  for (; at.d < problem.Columns(Operand::o); ++at.d) {
    const double o = problem.Real(Operand::o, at);
    bound.Add(NameOf(Operand::o), o >= 0 ? 0 : INFINITY, [&] {
      Failure failure;
      failure.kind = std::isnan(o) ? kind::kNan : kind::kValue;
      failure.region = NameOf(Operand::o);
      failure.where = Where(Operand::o, at);
      failure.expected = "V >= 0: 0 or more";
      failure.got = "kernel: " + Number(o);
      return failure;
    });
  }
}

/// Real queries that see a key and are in domain.
template <class Judge>
void ForEachRow(RunOracle& run, WithinBound& bound, Judge judge) {
  const Problem& problem = run.problem();
  const Case& c = problem.c();
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < c.heads; ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(Operand::o, at.b); ++at.i) {
        if (SeesNothing(c, at.b, at.h, at.i)) continue;
        const reference::ForwardRow& row = run.Row(at);
        if (row.out_of_domain.empty()) {
          judge(row, at);
        } else {
          bound.Skip(row.out_of_domain);
        }
      }
    }
  }
}

void MakePositive(Problem& problem) {
  const Case& c = problem.c();
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < c.heads_kv(); ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(Operand::v, at.b); ++at.i) {
        for (at.d = 0; at.d < c.value_dim(); ++at.d) {
          problem.SetReal(Operand::v, at, std::fabs(problem.Real(Operand::v, at)));
        }
      }
    }
  }
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  Case c = WithAllowedFill(kernel.traits, original);
  if (c.dropout > 0) return Verdict::NotApplicable("weights after dropout do not sum to one");
  c.backward = false;
  Problem drawn(c), positive = drawn;
  MakePositive(positive);
  if (auto verdict = Run(kernel, drawn)) return *verdict;
  if (auto verdict = Run(kernel, positive)) return *verdict;
  RunOracle first(kernel, drawn, "as drawn"), second(kernel, positive, "|V|");
  WithinBound bound;
  ForEachRow(first, bound, [&](const reference::ForwardRow& row, const Index& at) {
    JudgeRow(drawn, row, at, bound);
  });
  ForEachRow(second, bound, [&](const reference::ForwardRow& row, const Index& at) {
    JudgeRow(positive, row, at, bound);
    JudgeSign(positive, at, bound);
  });
  return bound.verdict(kernel.traits.numerics);
}

PADPROOF_PROPERTY({.name = "convex_hull",
                   .statement = "every output lies between the least and the greatest value that "
                                "its query sees, and none is negative where no value is",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
