// history_invariance
//
//   f(x) after a call in which every real token was NaN gives the bits of f(x) before it
//   f(x) after a call of the same padded shape, with other lengths, mask, scale and dropout seed,
//   is within the bounds of oracle_agreement, lse_agreement and gradient_agreement
//
// Preconditions: of the first line, that the row repeats its bits. All buffers of each call are
// new, so what is left can only be in the kernel: static scratch, a plan or a scale that is kept
// for a shape, counters that are not put back. The second line comes first: what is kept for a
// shape is that of the first call.

#include <optional>

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  const bool has_oracle = traits.promises.output == OutputOf::attention;
  return has_oracle ? nullptr : NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits& traits, Random&) { c.fill = AllowedFill(traits, c.fill); }

/// As many slots of everything, and less in common besides.
Case Elsewise(const KernelRow& kernel, Case c) {
  const KernelTraits& traits = kernel.traits;
  const int slots_q = c.most_slots_q(), slots_k = c.most_slots_k();
  for (int& len : c.lens_q) len -= len > 1 ? 1 : 0;
  for (int& len : c.lens_k) len -= len > 1 ? 1 : 0;
  if (!c.paged()) c.pad_k += slots_k - c.most_slots_k();
  c.pad_q += slots_q - c.most_slots_q();
  if (traits.features.Has(Feature::scale)) c.scale = c.scale == 50 ? 100 : 50;
  if (c.mask == Mask::none && traits.masks.Has(Mask::causal_br)) c.mask = Mask::causal_br;
  c.seed += 1;
  return c;
}

/// Nothing when there is no such call.
std::optional<Verdict> JudgeAfterOther(const KernelRow& kernel, const Case& c) {
  const Case other = Elsewise(kernel, c);
  if (!Unsupported(kernel.traits, PassesOf(kernel), other).empty()) return std::nullopt;
  Problem elsewise(other);
  if (RunForBits(kernel, elsewise)) return std::nullopt;
  for (const char* name : {"oracle_agreement", "lse_agreement", "gradient_agreement"}) {
    const Property& law = *FindProperty(name);
    if (WhyInapplicable(law, kernel.backend, kernel.traits, PassesOf(kernel), false)) continue;
    Verdict verdict = law.check(kernel, c);
    if (verdict.outcome != Outcome::fails) continue;
    verdict.failure.note = "after a call of the same shape with other lengths, mask and scale; " +
                           verdict.failure.note;
    return verdict;
  }
  return Verdict::Holds();
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  const std::optional<Verdict> after_other = JudgeAfterOther(kernel, c);
  if (after_other && after_other->outcome == Outcome::fails) return *after_other;
  if (const char* why = NotRepeatable(kernel.traits, kernel.forward != nullptr)) {
    return after_other ? *after_other : Verdict::NotApplicable(why);
  }
  Problem before(c), spoiled = before, after = before;
  spoiled.FillTokens(Fill::nan, [](Operand, const Index&) { return true; });
  if (auto verdict = RunForBits(kernel, before)) return *verdict;
  if (auto verdict = RunForBits(kernel, spoiled)) return *verdict;
  if (auto verdict = RunForBits(kernel, after)) return *verdict;
  return HoldsUnless(
      CompareRepeatable(kernel, {before, "before a call on nan"}, {after, "after it"}, nullptr));
}

PADPROOF_PROPERTY({.name = "history_invariance",
                   .statement = "what a call gives does not depend on the calls before it",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
