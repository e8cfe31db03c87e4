// score_shift
//
//   K' = K + t e,  Q_i.e = a for all i   =>   every score of the row grows by c = scale a t:
//     |O' - O| <= r + r'     |LSE' - (LSE + c)| <= r + r'     and dQ, dK, dV stay, within r + r'
//
// with e the last column, r and r' the bounds of reference/derivations.md for each of the two,
// before rounding to storage. Gradients stay because sum_j dS_ij = 0: the new column adds
// scale sum_j dS_ij t = 0 to dQ, and dK has Q alone as its factor.
//
// Preconditions: no softcap and no sink, which are not indifferent to a shift. The last column of Q
// holds a at all real tokens, that of K 0 and then t, so that c is one exact number. c is near one
// of -30, -200, 200, -70000, 70000: below what the exponential of an unshifted score, of 0 - LSE,
// or a finite sentinel for minus infinity (-1e4, -5e4) stand.
//
// Why a bound and not bits: a and t take part in rounded sums. Its size grows with |c|, from which
// a kernel cannot protect itself: at 70000 it sees what is grossly wrong, at 200 what is a little.

#include <array>
#include <cmath>
#include <optional>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/run_oracle.h"
#include "reference/bounds.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool, bool) { return nullptr; }

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.softcap = 0;
  c.sink = false;
  if (c.values == Values::near_max || random.Chance(60)) c.values = Values::normal;
  c = WithAllowedFill(traits, c);
}

/// The numbers of the last column, exact in every storage type, and by how much scores grow.
struct Shift {
  double a = 0, t = 0, c = 0;
};

Shift ShiftOf(const Case& c) {
  constexpr std::array kTargets{-30.0, -200.0, 200.0, -70000.0, 70000.0};
  const double target = kTargets[(HashOf({c.seed, 14}) >> 32) % kTargets.size()];
  const double scale = SoftmaxScale(c);
  Shift shift{.a = std::fabs(target) > 1000 ? 256.0 : 8.0};
  shift.t = Decode(c.dtype, Encode(c.dtype, target / (shift.a * scale)));
  shift.c = scale * shift.a * shift.t;
  return shift;
}

void SetLastColumn(Problem& problem, Operand op, double value) {
  for (Index at{0, 0, 0, problem.Columns(op) - 1}; at.b < problem.c().batch(); ++at.b) {
    for (at.h = 0; at.h < problem.Heads(op); ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(op, at.b); ++at.i) problem.SetReal(op, at, value);
    }
  }
}

/// LSE of every query: the stored one of the first run, rounded by itself, plus c.
void CompareLse(RunOracle& first, RunOracle& second, double c, WithinBound& bound) {
  const Problem& problem = first.problem();
  for (Index at{0, 0, 0, 0}; at.b < problem.c().batch(); ++at.b) {
    for (at.h = 0; at.h < problem.c().heads; ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(Operand::lse, at.b); ++at.i) {
        if (!IsPromised(first.kernel().traits, problem.c(), Operand::lse, at)) continue;
        const Proven x = first.Of(Operand::lse, at), y = second.Of(Operand::lse, at);
        if (x.out_of_domain != nullptr || y.out_of_domain != nullptr) {
          bound.Skip(x.out_of_domain != nullptr ? x.out_of_domain : y.out_of_domain);
          continue;
        }
        const double stored = problem.Real(Operand::lse, at);
        reference::Judged shifted{.centre = stored + c};
        if (std::isfinite(stored)) {
          const double rounding = reference::HalfUlp(Dtype::f32, std::fabs(stored));
          shifted.radius =
              x.any.radius + y.any.radius + rounding + 0x1p-50 * (std::fabs(stored) + std::fabs(c));
        }
        CompareWith(shifted, Operand::lse, at, first.label() + ", shifted", second, bound);
      }
    }
  }
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  if (c.softcap > 0 || c.sink) return Verdict::NotApplicable("a softcap or a sink");
  const Shift shift = ShiftOf(c);
  Problem plain(c);
  SetLastColumn(plain, Operand::q, shift.a);
  SetLastColumn(plain, Operand::k, 0);
  Problem shifted = plain;
  SetLastColumn(shifted, Operand::k, shift.t);
  if (auto verdict = Run(kernel, plain)) return *verdict;
  if (auto verdict = Run(kernel, shifted)) return *verdict;
  RunOracle first(kernel, plain, "as drawn");
  RunOracle second(kernel, shifted, "scores " + Number(shift.c) + " higher");
  WithinBound bound;
  for (Operand op : Outputs(kernel, c)) {
    if (op == Operand::lse) {
      CompareLse(first, second, shift.c, bound);
    } else {
      CompareRuns(op, first, second, bound);
    }
  }
  return bound.verdict(kernel.traits.numerics);
}

PADPROOF_PROPERTY({.name = "score_shift",
                   .statement = "a constant added to all scores of a row changes its LSE by that "
                                "constant and nothing else, within the sum of two proven bounds",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
