// Law: every element of dQ, dK and dV at real tokens lies within its bound of the fp64 gradient of
// sum(dO * O) over the visible pairs (reference/derivations.md, "Backward").
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
    for (int h = 0; h < c.heads; ++h) {
      const reference::Gradients gradients =
          reference::Backward(problem, traits.numerics, b, h, ReadsStoredForward(kernel));
      if (!gradients.out_of_domain.empty()) {
        bound.Skip(gradients.out_of_domain);
        continue;
      }
      for (const auto& [op, judged] :
           {std::pair{Operand::dq, &gradients.dq}, std::pair{Operand::dk, &gradients.dk},
            std::pair{Operand::dv, &gradients.dv}}) {
        for (int i = 0; i < problem.RealRows(op, b); ++i) {
          if (!IsPromised(traits, c, op, b, i)) continue;
          const int slot = problem.Slot(op, b, i);
          for (int d = 0; d < c.dim; ++d) {
            bound.Add(op, {b, h, i, d}, problem.Bits(op, b, h, slot, d), c.dtype,
                      (*judged)[static_cast<size_t>(i)][static_cast<size_t>(d)]);
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
                   .check = Check});

}  // namespace
}  // namespace padproof
