// pad_content_invariance
//
//   for every finite content x of padded Q, K, V, dO:  real(f(x)) == real(f(0)), bit for bit,
//   zeros of either sign
//
// where real() keeps O, LSE, dQ, dK, dV of real tokens.
//
// Preconditions: the case has a padded slot; the fill is finite, not zero, and one that the row
// allows in pads; the row repeats its bits, if only in one order of threads, as on the SIMT layer.
//
// Bits are compared because shapes, lengths, schedule and so the arithmetic are the same in both
// launches: a real result that moves at all has read a pad. No tolerance can hide a small leak.

#include "harness/judge/property.h"
#include "properties/support/prepare.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  if (traits.promises.pad_content == PadContent::zero) return "wants zeros in pads";
  return nullptr;
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  EnsurePaddedKeys(c, random);
  EnsureFiniteFill(c, traits, random);
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  if (!HasPads(c)) return Verdict::NotApplicable("no padded slot");
  if (const char* reason = NotRepeatableInOrder(kernel)) return Verdict::NotApplicable(reason);
  if (!IsFinite(c.fill)) return Verdict::NotApplicable("the fill is not finite");
  if (c.fill == Fill::zero) return Verdict::NotApplicable("the fill is zero, the other side");
  if (AllowedFill(kernel.traits, c.fill) != c.fill) {
    return Verdict::NotApplicable("the row does not allow this fill in pads");
  }
  Problem filled(c), zeros(c);
  zeros.FillPads(Fill::zero);
  if (auto verdict = RunForBits(kernel, zeros, Fill::zero)) return *verdict;
  if (auto verdict = RunForBits(kernel, filled)) return *verdict;
  return HoldsUnless(
      CompareReal(kernel, {zeros, "pads 0"}, {filled, "pads " + std::string(NameOf(c.fill))}));
}

PADPROOF_PROPERTY(
    {.name = "pad_content_invariance",
     .statement = "outputs of real tokens do not depend on the finite content of a pad",
     .inapplicable = Inapplicable,
     .prepare = Prepare,
     .check = Check});

}  // namespace
}  // namespace padproof
