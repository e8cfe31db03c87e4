// determinism
//
//   f(x) twice in a row gives the same bits, as far as the row promises it
//
// Preconditions: the row promises repeatability of the forward, or of both. The second call runs
// after the first left its own results in the buffers, so state kept between calls is seen too.

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  return NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits& traits, Random&) { c.fill = AllowedFill(traits, c.fill); }

Verdict Check(const KernelRow& kernel, const Case& original) {
  Problem problem(WithAllowedFill(kernel.traits, original));
  if (auto verdict = RunForBits(kernel, problem)) return *verdict;
  const Problem first = problem;
  if (auto verdict = RunForBits(kernel, problem)) return *verdict;
  const Part specified = Specified(kernel.traits, problem.c());
  for (Operand op : RepeatableOutputs(kernel, problem.c())) {
    if (auto failure = CompareReal({first, "first call"}, {problem, "second call"}, op,
                                   ZeroSign::exact, specified)) {
      return Verdict::Fails(*failure);
    }
  }
  return Verdict::Holds();
}

PADPROOF_PROPERTY({.name = "determinism",
                   .statement = "the same call twice gives the same bits",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
