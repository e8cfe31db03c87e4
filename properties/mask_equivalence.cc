// mask_equivalence
//
//   told by lengths and the mask's name, and told by a mask tensor, boolean or additive:
//     |f(lengths) - f(tensor)| <= r + r   for every real element of O, LSE, dQ, dK, dV
//
// with r the bounds of reference/derivations.md, before rounding to storage.
//
// Preconditions: the row takes lengths and a mask tensor; the case has a mask tensor without holes,
// which no name could tell, no bias and a padded layout.
//
// Why a bound and not bits: a tensor may be walked in whole tiles where a name allows to skip some.

#include "harness/judge/property.h"
#include "properties/support/dropout.h"
#include "properties/support/run.h"
#include "properties/support/twins.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  if (!traits.mask_forms.Has(MaskForm::lengths)) return "does not take lengths";
  if (traits.mask_forms == SetOf(MaskForm::lengths)) return "takes no mask tensor";
  return nullptr;
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  if (c.mask_form == MaskForm::lengths) {
    c.mask_form = random.Chance(50) ? MaskForm::boolean : MaskForm::additive;
  }
  if (!traits.mask_forms.Has(c.mask_form)) {
    c.mask_form = traits.mask_forms.Has(MaskForm::boolean) ? MaskForm::boolean : MaskForm::additive;
  }
  c.holes = 0;
  c.bias = Bias::none;
  c = WithAllowedFill(traits, c);
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  if (c.mask_form == MaskForm::lengths) return Verdict::NotApplicable("needs a mask tensor");
  if (c.holes > 0) return Verdict::NotApplicable("a mask with holes has no name");
  if (c.bias != Bias::none) return Verdict::NotApplicable("a bias in a tensor may be rounded");
  if (const char* why = MovesDropped(kernel.traits, c)) return Verdict::NotApplicable(why);
  Case by_name = WithAllowedFill(kernel.traits, c);
  Problem tensor(by_name);
  by_name.mask_form = MaskForm::lengths;
  Problem lengths(by_name);
  const bool boolean = c.mask_form == MaskForm::boolean;
  return JudgeTwins(kernel, lengths, "lengths", tensor, boolean ? "boolean mask" : "additive mask");
}

PADPROOF_PROPERTY({.name = "mask_equivalence",
                   .statement = "a mask told by lengths and by a tensor gives the same, within the "
                                "sum of two proven bounds",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
