// Law: every element of dQ, dK, dV and dBias at real tokens lies within its bound of the fp64
// gradient of sum(dO * O) over the visible pairs (reference/derivations.md, "Backward").
//
// Where the backward reads a stored O and LSE (the row returns LSE, or has no forward), centre and
// bound take those as given: an error of the forward is the business of the forward's laws, and
// the bound is up to 20 times smaller. Otherwise the errors of the forward count in the bound.
//
// Preconditions: the row has a backward; pads of Q, K, V and dO, and of O and LSE where no forward
// wrote them, hold the case's fill as far as the row allows it. A head in which a correct kernel
// may overflow is skipped; if no head is left, the case is out of domain. Gradients that depend on
// a query that sees no key are judged if the row promises zeros for such queries.

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/within_bound.h"
#include "reference/attention.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool, bool has_backward) {
  return has_backward ? nullptr : "has no backward";
}

void Prepare(Case& c, const KernelTraits& traits, Random&) {
  c.backward = true;
  c = WithAllowedFill(traits, c);
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  if (!c.backward) return Verdict::NotApplicable("needs backward=true");
  const KernelTraits& traits = kernel.traits;
  Problem problem(WithAllowedFill(traits, c));
  if (auto verdict = Run(kernel, problem)) return *verdict;
  WithinBound bound;
  for (int b = 0; b < c.batch(); ++b) {
    for (int head = 0; head < c.heads_kv(); ++head) {
      const reference::Gradients gradients =
          reference::Backward(problem, traits.numerics, b, head, ReadsStoredForward(kernel));
      if (!gradients.out_of_domain.empty()) {
        bound.Skip(gradients.out_of_domain);
        continue;
      }
      for (Operand op : GradientsOf(traits, c)) {
        const auto& judged = gradients.Of(op);
        for (size_t row = 0; row < judged.size(); ++row) {
          const int i = static_cast<int>(row);
          Index at = HasQueryRows(op) ? problem.QueryAt(b, head, i) : Index{b, head, i, 0};
          if (!IsPromised(traits, c, op, at)) continue;
          for (; at.d < problem.RealColumns(op, b); ++at.d) {
            bound.Add(op, at, problem.BitsAt(op, at), c.dtype,
                      judged[row][static_cast<size_t>(at.d)]);
          }
        }
      }
    }
  }
  return bound.verdict(traits.numerics);
}

PADPROOF_PROPERTY({.name = "gradient_agreement",
                   .statement = "every gradient of a real token lies within its proven bound of "
                                "the fp64 gradient over the visible pairs",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
