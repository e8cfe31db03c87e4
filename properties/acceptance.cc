// acceptance
//
//   a case that the row's traits take is not refused
//
// Preconditions: the row promises to refuse nothing within its traits (`Refusals::none`). A case is
// checked before it reaches a kernel, so what is refused here would have been right to run. Without
// the promise a refusal is a skip: wrappers know limits that traits have no word for.
//
// A check that refuses too much hides everything behind it from all other laws.

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  const bool promised = traits.promises.refusals == Refusals::none;
  return promised ? nullptr : "does not promise to take all that its traits say";
}

void Prepare(Case& c, const KernelTraits& traits, Random&) { c = WithAllowedFill(traits, c); }

bool WasRefused(const Verdict& verdict) { return verdict.reason.starts_with("rejected: "); }

Verdict Check(const KernelRow& kernel, const Case& original) {
  Problem problem(WithAllowedFill(kernel.traits, original));
  const auto verdict = RunForBits(kernel, problem);
  if (!verdict) return Verdict::Holds();
  if (verdict->outcome == Outcome::fails || !WasRefused(*verdict)) return *verdict;
  return Verdict::Fails({.kind = kind::kLaunch,
                         .region = "refusal",
                         .where = "entry point",
                         .expected = "accepted: the row takes such a case",
                         .got = verdict->reason});
}

PADPROOF_PROPERTY({.name = "acceptance",
                   .statement = "a case that the row takes is not refused",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
