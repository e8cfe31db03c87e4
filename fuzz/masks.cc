// masks: what must hold however a kernel is told who sees whom: by name, by a boolean tensor, by an
// additive one, with holes, windows and biases. Every case is masked.

#include "fuzz/target.h"

namespace padproof {
namespace {

MaskForm OtherForm(const Domain& domain, Random& random) {
  const MaskForm form = random.Chance(50) ? MaskForm::boolean : MaskForm::additive;
  if (domain.mask_forms.Has(form)) return form;
  return form == MaskForm::boolean ? MaskForm::additive : MaskForm::boolean;
}

void MaskIt(Case& c, const Domain& domain, Random& random) {
  const bool tensors = domain.mask_forms.bits != SetOf(MaskForm::lengths).bits;
  if (tensors && c.mask_form == MaskForm::lengths && random.Chance(70)) {
    c.mask_form = OtherForm(domain, random);
  }
  if (c.mask != Mask::none || c.holes > 0) return;
  c.mask = random.OneOf({Mask::causal_tl, Mask::causal_br, Mask::window_tl, Mask::window_br});
  if (IsWindow(c.mask)) c.window = {random.Between(-1, 5), random.Between(-1, 5)};
}

}  // namespace

const FuzzTarget& Target() {
  static const FuzzTarget target{
      .kernels = "*@simt",
      .laws = {"mask_equivalence", "oracle_agreement", "gradient_agreement",
               "hidden_key_invariance", "causal_prefix", "row_sums_to_one", "empty_row",
               "gradient_locality", "reads_in_bounds", "guards_intact"},
      .bend = MaskIt};
  return target;
}

}  // namespace padproof
