// causal_order
//
//   under a causal mask, for any finite content of queries m, m + 1, ... of a sequence:
//     what comes out for queries 0 .. m - 1 stays the same bits
//
// Preconditions: what comes out is a module's, not attention's, of which query_independence and
// hidden_key_invariance say more; the row takes a causal mask and repeats its bits; a sequence has
// two queries or more. m is drawn from the seed for each sequence.
//
// In self-attention tokens are queries and keys at once, and layers hand on what they saw: a mask
// that is off by one lets a model read the word that it is to predict. Bits, because shapes stay.
// Content like that of another token: a weight of 0 multiplies it in every layer.

#include <algorithm>

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  if (traits.promises.output == OutputOf::attention) return "query_independence says more";
  if (!has_forward) return "has no forward";
  const bool causal = traits.masks.Has(Mask::causal_tl) || traits.masks.Has(Mask::causal_br);
  return causal ? NotRepeatable(traits, has_forward) : "takes no causal mask";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.backward = false;
  c.mask = traits.masks.Has(Mask::causal_br) ? Mask::causal_br : Mask::causal_tl;
  c = WithAllowedFill(traits, c);
  int& len_q = c.lens_q[random.Below(static_cast<uint32_t>(c.lens_q.size()))];
  if (len_q < 2) len_q = random.Between(2, 6);
}

/// How many queries of sequence `b` stay as drawn.
int Kept(const Case& c, int b) {
  const int len_q = c.lens_q[static_cast<size_t>(b)];
  if (len_q < 2) return len_q;
  const uint64_t drawn = HashOf({c.seed, 23, static_cast<uint64_t>(b)}) >> 32;
  return 1 + static_cast<int>(drawn % static_cast<uint64_t>(len_q - 1));
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  Case c = WithAllowedFill(kernel.traits, original);
  c.backward = false;
  if (!IsCausal(c.mask)) return Verdict::NotApplicable("needs a causal mask");
  if (*std::max_element(c.lens_q.begin(), c.lens_q.end()) < 2) {
    return Verdict::NotApplicable("one query a sequence");
  }
  Problem drawn(c), other = drawn;
  other.FillTokens(Fill::noise, [&](Operand op, const Index& at) {
    return op == Operand::q && at.i >= Kept(c, at.b);
  });
  return JudgeRepeatable(kernel, drawn, "as drawn", other, "later queries noise",
                         [&](Operand, const Index& at) { return at.i < Kept(c, at.b); });
}

PADPROOF_PROPERTY({.name = "causal_order",
                   .statement = "under a causal mask no token reaches what a module gives for an "
                                "earlier one",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .tells_heads_apart = true});

}  // namespace
}  // namespace padproof
