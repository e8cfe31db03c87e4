// pad_poison_immunity
//
//   for every bit pattern x in padded Q, K, V, dO (and O, LSE that a backward reads):
//     real(f(x)) == real(f(0)), bit for bit, all NaNs being one value and all zeros
//
// Preconditions: the row promises that pads may hold any bits; the case has a padded slot; the fill
// is one of nan, inf, bits; the row repeats its bits, if only in one order of threads.
//
// A law of its own beside pad_content_invariance: a kernel that computes 0 * V for masked keys is
// right for every finite pad and wrong for NaN, and what it may promise is for its row to say.

#include "harness/judge/property.h"
#include "properties/support/prepare.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  if (traits.promises.pad_content != PadContent::any_bits) {
    return "does not promise that pads may hold any bits";
  }
  return nullptr;
}

void Prepare(Case& c, const KernelTraits&, Random& random) {
  EnsurePaddedKeys(c, random);
  EnsurePoisonFill(c, random);
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  if (!HasPads(c)) return Verdict::NotApplicable("no padded slot");
  if (const char* reason = NotRepeatableInOrder(kernel)) return Verdict::NotApplicable(reason);
  if (IsFinite(c.fill)) return Verdict::NotApplicable("the fill is finite");
  Problem poisoned(c), zeros(c);
  zeros.FillPads(Fill::zero);
  if (auto verdict = RunForBits(kernel, zeros, Fill::zero)) return *verdict;
  if (auto verdict = RunForBits(kernel, poisoned)) return *verdict;
  return HoldsUnless(
      CompareReal(kernel, {zeros, "pads 0"}, {poisoned, "pads " + std::string(NameOf(c.fill))}));
}

PADPROOF_PROPERTY({.name = "pad_poison_immunity",
                   .statement = "outputs of real tokens do not depend on any bit of a pad",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
