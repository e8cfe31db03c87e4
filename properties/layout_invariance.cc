// layout_invariance
//
//   |f(bhsd) - f(bshd)| <= r + r   for every real element of O, LSE, dQ, dK, dV
//
// with r the bounds of reference/derivations.md, before rounding to storage: the same tokens in
// tensors whose heads and slots lie the other way around.
//
// Preconditions: the row takes both layouts.
//
// Why a bound and not bits: a library may choose its arithmetic by strides.

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/twins.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  const bool both = traits.layouts.Has(Layout::bhsd) && traits.layouts.Has(Layout::bshd);
  return both ? nullptr : "takes one layout";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  if (c.packed() || c.pad_side == PadSide::between) {
    c.layout = Layout::bhsd;
    c.pad_side = PadSide::right;
  }
  if (c.heads < 2) c.heads = random.Between(2, 3);
  c = WithAllowedFill(traits, c);
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  if (original.packed()) return Verdict::NotApplicable("packed");
  Case c = WithAllowedFill(kernel.traits, original);
  c.layout = Layout::bhsd;
  Problem bhsd(c);
  c.layout = Layout::bshd;
  Problem bshd(c);
  return JudgeTwins(kernel, bhsd, "bhsd", bshd, "bshd");
}

PADPROOF_PROPERTY({.name = "layout_invariance",
                   .statement = "bhsd and bshd give the same, within the sum of two proven bounds",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
