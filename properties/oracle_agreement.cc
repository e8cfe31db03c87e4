// Law: for every real query i and column d,   round(o - r) <= O_id <= round(o + r),
// where o = sum_j softmax(scale q_i.k)_j v_jd over the visible keys in fp64, and r is the largest
// error that a correct kernel with the row's numerics profile can make (reference/derivations.md).
// A query that sees no key has o = r = 0, unless the row promises something else for it.
//
// Preconditions: pads hold the case's fill as far as the row allows it. Rows in which a correct
// kernel may overflow are skipped; if no row is left, the case is out of domain.
//
// Why a bound and not a comparison of bits: two correct kernels differ in the order of their sums.
// The bound has no term for pads, so that whatever leaks from one counts in full.
//
// A kernel that rounds P to 16 bits has a wide bound, since each P may round either way. Where all
// of O holds, it is also compared with the usual tilings, each of which fixes most roundings; if
// none explains O whole the case is `unexplained` (reference/rounding_model.h).

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/within_bound.h"
#include "reference/attention.h"
#include "reference/rounding_model.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool has_forward, bool) {
  return has_forward ? nullptr : "has no forward";
}

void Prepare(Case& c, const KernelTraits& traits, Random&) {
  c.backward = false;
  c = WithAllowedFill(traits, c);
}

/// "" or what no usual tiling explains.
std::string Unexplained(const Problem& problem, const KernelTraits& traits) {
  const Case& c = problem.c();
  const NumericsProfile& profile = traits.numerics;
  if (c.dtype == Dtype::f32 || profile.p_rounding == 0 || profile.split != 0) return "";
  for (int b = 0; b < c.batch(); ++b) {
    for (int h = 0; h < c.heads_kv(); ++h) {
      const reference::Head head = reference::ReadHead(problem, b, h);
      std::vector<uint32_t> out;
      for (int i = 0; i < head.len_q; ++i) {
        for (int d = 0; d < problem.Columns(Operand::o); ++d) {
          out.push_back(problem.BitsAt(Operand::o, problem.QueryAt(b, h, i, d)));
        }
      }
      const int first_slot = head.len_k > 0 ? problem.Slot(Operand::k, b, 0) : 0;
      const auto best = reference::ExplainForward(head, profile, out, first_slot);
      if (!best.judged || best.ratio <= 1) continue;
      return "out[b=" + std::to_string(b) + " head_kv=" + std::to_string(h) + "] is " +
             Number(best.ratio) + " times off the nearest tiling, " + NameOf(best.model);
    }
  }
  return "";
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  const KernelTraits& traits = kernel.traits;
  Case run = WithAllowedFill(traits, c);
  run.backward = false;
  Problem problem(run);
  if (auto verdict = Run(kernel, problem)) return *verdict;
  WithinBound bound;
  for (int b = 0; b < c.batch(); ++b) {
    for (int h = 0; h < c.heads_kv(); ++h) {
      const reference::Head head = reference::ReadHead(problem, b, h);
      const reference::ForwardOracle oracle(head, traits.numerics);
      for (int i = 0; i < head.len_q; ++i) {
        Index at = problem.QueryAt(b, h, i);
        if (!IsPromised(traits, c, Operand::o, at)) continue;
        const reference::ForwardRow row = oracle.Row(i);
        if (!row.out_of_domain.empty()) {
          bound.Skip(row.out_of_domain);
          continue;
        }
        for (; at.d < problem.Columns(Operand::o); ++at.d) {
          bound.Add(Operand::o, at, problem.BitsAt(Operand::o, at), c.dtype,
                    row.out[static_cast<size_t>(at.d)]);
        }
      }
    }
  }
  Verdict verdict = bound.verdict(traits.numerics);
  if (verdict.outcome != Outcome::holds) return verdict;
  verdict.reason = Unexplained(problem, traits);
  if (!verdict.reason.empty()) verdict.outcome = Outcome::unexplained;
  return verdict;
}

PADPROOF_PROPERTY({.name = "oracle_agreement",
                   .statement = "every real output lies within its proven bound of fp64 attention "
                                "over the visible keys",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
