// Law: for every real query i,   round(lse - r) <= LSE_i <= round(lse + r)   in fp32,
// where lse = ln sum_j exp(scale q_i.k_j) over the visible keys in fp64, and r is the largest error
// that a correct kernel with the row's numerics profile can make (reference/derivations.md). A
// query that sees no key has lse = -inf exactly, unless the row promises something else for it.
//
// Preconditions: the row returns LSE; pads hold the case's fill as far as the row allows it. Rows
// in which a correct kernel may overflow are skipped; if no row is left, the case is out of domain.
//
// Why: LSE is stored in fp32 whatever the inputs are, so that one unmasked key of weight 1/n shows
// here when 16-bit outputs are too coarse to show it.

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/within_bound.h"
#include "reference/attention.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  if (!has_forward) return "has no forward";
  return traits.returns_lse != 0 ? nullptr : "returns no LSE";
}

void Prepare(Case& c, const KernelTraits& traits, Random&) {
  c.backward = false;
  c = WithAllowedFill(traits, c);
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  const KernelTraits& traits = kernel.traits;
  Case run = WithAllowedFill(traits, c);
  run.backward = false;
  Problem problem(run);
  if (auto verdict = Run(kernel, problem)) return *verdict;
  WithinBound bound;
  for (int b = 0; b < c.batch(); ++b) {
    for (int head_kv = 0; head_kv < c.heads_kv(); ++head_kv) {
      const reference::Head head = reference::ReadHead(problem, b, head_kv);
      const reference::ForwardOracle oracle(head, traits.numerics);
      for (int i = 0; i < head.len_q; ++i) {
        const Index at = problem.QueryAt(b, head_kv, i);
        if (!IsPromised(traits, c, Operand::lse, at)) continue;
        const reference::ForwardRow row = oracle.Row(i);
        if (!row.out_of_domain.empty()) {
          bound.Skip(row.out_of_domain);
          continue;
        }
        bound.Add(Operand::lse, at, problem.BitsAt(Operand::lse, at), Dtype::f32, row.lse);
      }
    }
  }
  return bound.verdict(traits.numerics);
}

PADPROOF_PROPERTY({.name = "lse_agreement",
                   .statement = "LSE of every real query lies within its proven bound of fp64 "
                                "log-sum-exp over the visible keys",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
