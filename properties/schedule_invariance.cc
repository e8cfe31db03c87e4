// schedule_invariance
//
//   for every schedule s:  f(x; s) == f(x; forward), bit for bit
//
// where f(x) is all that the call writes: O, LSE, dQ, dK, dV of real tokens, and of pads where the
// row promises to write them.
//
// Preconditions: the row promises repeatability (of the forward, or of both), its backend takes a
// schedule, and the case names one that is not forward.
//
// Bits are compared because a device runs blocks and warps in an order of its own: a call that is
// repeatable there gives one result in every order. A sum whose order hangs on the schedule (float
// atomicAdd) stays inside every tolerance and is still not repeatable. A kernel that sums so says
// Determinism::none, or forward_only if its backward does.

#include "harness/judge/property.h"
#include "properties/support/prepare.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  return NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.fill = AllowedFill(traits, c.fill);
  EnsureSchedule(c, random);
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  if (original.schedule == Schedule{}) return Verdict::NotApplicable("the schedule is forward");
  const Case c = WithAllowedFill(kernel.traits, original);
  Case in_order = c;
  in_order.schedule = {};
  Problem expected(in_order), got(c);
  if (auto verdict = RunForBits(kernel, expected)) return *verdict;
  if (auto verdict = RunForBits(kernel, got)) return *verdict;
  const Side one{expected, "schedule forward"}, other{got, "schedule " + Print(c.schedule)};
  const bool pads = kernel.traits.promises.pad_outputs != PadOutputs::untouched;
  const Part specified = Specified(kernel.traits, c);
  for (Operand op : RepeatableOutputs(kernel, c)) {
    if (auto failure = CompareReal(one, other, op, ZeroSign::exact, specified)) {
      return Verdict::Fails(*failure);
    }
    if (!pads) continue;
    if (auto failure = ComparePads(kernel.traits, one, other, op)) return Verdict::Fails(*failure);
  }
  return Verdict::Holds();
}

PADPROOF_PROPERTY({.name = "schedule_invariance",
                   .statement = "the order in which threads and blocks run does not change a bit",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .scheduled_only = true});

}  // namespace
}  // namespace padproof
