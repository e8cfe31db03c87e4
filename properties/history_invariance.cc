// history_invariance
//
//   f(x) after a call in which every real token was NaN gives the bits of f(x) before it
//
// Preconditions: the row repeats its bits. All buffers of the third call are new, so what is left
// can only be in the kernel: static scratch, a cache, counters that are not put back.

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  return NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits& traits, Random&) { c.fill = AllowedFill(traits, c.fill); }

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
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
