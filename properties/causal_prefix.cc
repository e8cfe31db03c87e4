// causal_prefix
//
//   with mask=causal:tl, for the first m queries of a sequence:
//     |f(sequence)[i] - f(its first m queries and keys)[i]| <= r + r'    for O and LSE, i < m
//     with dO = 0 at the queries from m on: the same for dQ_i, i < m, and dK_j, dV_j, j < m
//
// with r and r' the bounds of reference/derivations.md for each of the two, before rounding to
// storage. Queries that see no key have r = 0: they must agree exactly.
//
// Preconditions: the row takes causal:tl; a sequence has a query. m is drawn from the seed for each
// sequence. Holes and ALiBi's bias of a pair are the same in both: they count from the first token.
//
// Why a bound and not bits: other lengths may mean other tiles, splits and orders of sums. Why at
// all, next to the oracle: it is what a decoder relies on, that what comes later changes nothing,
// and it sees a mask that is aligned to the other end, or shifted, without a reference.

#include <algorithm>
#include <optional>

#include "harness/judge/property.h"
#include "properties/support/dropout.h"
#include "properties/support/run.h"
#include "properties/support/run_oracle.h"
#include "properties/support/twins.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  return traits.masks.Has(Mask::causal_tl) ? nullptr : "takes no mask=causal:tl";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.mask = Mask::causal_tl;
  c.window = {};
  c = WithAllowedFill(traits, c);
  int& len_q = c.lens_q[random.Below(static_cast<uint32_t>(c.lens_q.size()))];
  if (len_q < 2) len_q = random.Between(2, traits.tile_q + 2);
}

/// The case of the prefixes alone.
Case Cut(Case c) {
  for (size_t b = 0; b < c.lens_q.size(); ++b) {
    if (c.lens_q[b] == 0) continue;
    const auto len_q = static_cast<uint64_t>(c.lens_q[b]);
    const int m = 1 + static_cast<int>((HashOf({c.seed, 13, b}) >> 32) % len_q);
    c.lens_q[b] = m;
    c.lens_k[b] = std::min(c.lens_k[b], m);
  }
  return c;
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  if (c.mask != Mask::causal_tl) return Verdict::NotApplicable("needs mask=causal:tl");
  if (const char* why = MovesDropped(kernel.traits, c)) return Verdict::NotApplicable(why);
  const Case cut = Cut(c);
  const std::string why = Unsupported(kernel.traits, PassesOf(kernel), cut);
  if (!why.empty()) return Verdict::NotApplicable("the prefix: " + why);
  Problem whole(c), prefix(cut);
  for (int b = 0; b < c.batch(); ++b) {
    CopyTokens(prefix, b, whole, b);
    for (Index at{b, 0, 0, 0}; c.backward && at.h < c.heads; ++at.h) {
      for (at.i = prefix.RealRows(Operand::d_o, b); at.i < whole.RealRows(Operand::d_o, b);
           ++at.i) {
        for (at.d = 0; at.d < c.value_dim(); ++at.d) whole.SetReal(Operand::d_o, at, 0);
      }
    }
  }
  if (auto verdict = Run(kernel, whole)) return *verdict;
  if (auto verdict = Run(kernel, prefix)) return *verdict;
  RunOracle first(kernel, prefix, "the prefix alone"), second(kernel, whole, "in the sequence");
  WithinBound bound;
  for (Operand op : Outputs(kernel, c)) {
    CompareRuns(op, first, second, bound);
  }
  return bound.verdict(kernel.traits.numerics);
}

PADPROOF_PROPERTY(
    {.name = "causal_prefix",
     .statement = "under a causal mask the first queries of a sequence give what they "
                  "give alone, within the sum of two proven bounds",
     .inapplicable = Inapplicable,
     .prepare = Prepare,
     .check = Check,
     .has_bound = true});

}  // namespace
}  // namespace padproof
