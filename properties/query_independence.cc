// query_independence
//
//   for any content x of the other real queries of the sequence, NaN included:
//     |f(x)[i] - f(y)[i]| <= r_i + r_i   for O and LSE of query i
//
// with r the bound of reference/derivations.md, before rounding to storage; queries that see no key
// have r = 0. A NaN is outside of any bound.
//
// Preconditions: the row has a forward; a query head of some sequence has two queries or more. The
// others hold the case's fill, nan where that is zero, whatever the row allows in pads, unless it
// mixes the heads of a token: heads draw their loud queries apart, and only what the row allows in
// other heads of a token leaves the kept ones alone. Query i and
// all keys hold the same bits in both runs, so that centre and radius of a row are the same.
//
// Why a bound and not bits: a tile of queries may decide together, by a vote of its rows, whether
// it rescales now or later (FlashAttention-4). Why NaN, whatever the row promises of pads: a row of
// O = P V and of S = Q K^T is made of its own row of the left factor and of no other, so that no
// weight of 0 ever meets the NaN of another row. A kernel that quantises Q with a scale that rows
// share is not of this kind, and has no numerics profile here.

#include <algorithm>
#include <optional>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/run_oracle.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool has_forward, bool) {
  return has_forward ? nullptr : "has no forward";
}

void Prepare(Case& c, const KernelTraits&, Random& random) {
  c.backward = false;
  if (random.Chance(50)) c.fill = random.OneOf({Fill::noise, Fill::huge, Fill::nan});
  int& len_q = c.lens_q[random.Below(static_cast<uint32_t>(c.lens_q.size()))];
  if (len_q < 2) len_q = random.Between(2, 6);
}

/// Of each two queries side by side one stays as drawn.
bool IsKept(const Case& c, const Index& at) {
  const auto word = [](int x) { return static_cast<uint64_t>(x); };
  return ((HashOf({c.seed, 11, word(at.b), word(at.h), word(at.i / 2)}) >> 32) ^ word(at.i)) % 2 !=
         0;
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  Case c = WithAllowedFill(kernel.traits, original);
  c.backward = false;
  if (*std::max_element(c.lens_q.begin(), c.lens_q.end()) < 2) {
    return Verdict::NotApplicable("one query a sequence");
  }
  const Fill content = AllowedFill(kernel.traits.promises.head_content, c,
                                   original.fill == Fill::zero ? Fill::nan : original.fill);
  Problem calm(c), loud = calm;
  loud.FillTokens(content,
                  [&](Operand op, const Index& at) { return op == Operand::q && !IsKept(c, at); });
  if (auto verdict = Run(kernel, calm)) return *verdict;
  if (auto verdict = Run(kernel, loud)) return *verdict;
  RunOracle first(kernel, calm, "as drawn");
  RunOracle second(kernel, loud, "other queries " + std::string(NameOf(content)));
  WithinBound bound;
  for (Operand op : Outputs(kernel, c)) {
    CompareRuns(op, first, second, bound, [&](Operand, const Index& at) {
      return IsKept(c, at) ? std::optional(at) : std::nullopt;
    });
  }
  return bound.verdict(kernel.traits.numerics);
}

PADPROOF_PROPERTY({.name = "query_independence",
                   .statement = "what a query gives does not depend on the content of the other "
                                "queries, within the sum of two proven bounds",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true,
                   .tells_heads_apart = true});

}  // namespace
}  // namespace padproof
