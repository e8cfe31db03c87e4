// fully_written
//
//   f with fresh memory that held pattern A  ==  f with fresh memory that held B
//
// where fresh memory is outputs, workspace and, on the SIMT layer, shared and device memory;
// bit for bit, over every element that the row promises to write: real tokens always, pads unless
// the row leaves them untouched, in which case pads must still hold the pattern.
//
// Preconditions: the row repeats its bits, of the forward or of both passes.
//
// Two patterns (NaN in every dtype, and a plain finite number) because one alone is hidden by fmax
// or by a result that happens to equal it. The same launch twice has the same arithmetic, so any
// difference was read from, or left in, memory that nobody wrote. A lane that is not there hands
// out the pattern in a shuffle, too.

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  return NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits& traits, Random&) { c.fill = AllowedFill(traits, c.fill); }

std::optional<Failure> CheckUntouchedPads(const KernelTraits& traits, const Problem& problem,
                                          Operand op, Prefill prefill) {
  Problem fresh(problem.c(), prefill);
  return ComparePads(traits, {fresh, "before"}, {problem, "after"}, op);
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  Problem a(c, Prefill::nan_pattern), b(c, Prefill::finite_pattern);
  if (auto verdict = RunForBits(kernel, a)) return *verdict;
  if (auto verdict = RunForBits(kernel, b)) return *verdict;
  // A mask tensor does not tell a padded query from an empty row, which is to be written.
  const bool untouched = kernel.traits.promises.pad_outputs == PadOutputs::untouched;
  const bool told = c.mask_form == MaskForm::lengths;
  for (Operand op : RepeatableOutputs(kernel, c)) {
    const Side before{b, "buffer held numbers"}, after{a, "buffer held nan"};
    auto failure = CompareReal(before, after, op, ZeroSign::exact, Specified(kernel.traits, c));
    if (!failure && !untouched) {
      failure = ComparePads(kernel.traits, before, after, op);
      if (failure) failure->region = std::string("pad ") + NameOf(op);
    }
    if (!failure && untouched && told)
      failure = CheckUntouchedPads(kernel.traits, a, op, Prefill::nan_pattern);
    if (!failure) continue;
    failure->kind = kind::kUnwritten;
    return Verdict::Fails(*failure);
  }
  return Verdict::Holds();
}

PADPROOF_PROPERTY({.name = "fully_written",
                   .statement = "results do not depend on what fresh memory holds",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
