// batch_independence
//
//   for any content x of the real tokens of every other sequence:
//     f(x)[b] == f(y)[b], bit for bit, at the real tokens of sequence b
//
// Preconditions: two sequences or more; the row repeats its bits. Lengths stay as they are: they
// may choose tiles and splits. The others hold the case's fill, nan where that is zero, or what the
// row allows there: one sequence of a batch that has diverged is no reason for its neighbours to.
//
// Bits, because the arithmetic of sequence b is the same in both runs.

#include "harness/judge/property.h"
#include "properties/support/prepare.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  return NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits&, Random& random) {
  if (c.batch() < 2) {
    c.lens_q.push_back(random.Between(1, 5));
    c.lens_k.push_back(random.Between(1, 5));
  }
  if (random.Chance(60)) EnsurePoisonFill(c, random);
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  if (c.batch() < 2) return Verdict::NotApplicable("one sequence");
  const int victim = static_cast<int>(HashOf({c.seed}) % static_cast<uint64_t>(c.batch()));
  const Fill content = AllowedFill(kernel.traits.promises.batch_content, c,
                                   c.fill == Fill::zero ? Fill::nan : c.fill);
  Problem calm(WithAllowedFill(kernel.traits, c)), loud = calm;
  loud.FillTokens(content, [=](Operand, const Index& at) { return at.b != victim; });
  return JudgeRepeatable(kernel, calm, "as drawn", loud,
                         "other sequences " + std::string(NameOf(content)),
                         [=](Operand, const Index& at) { return at.b == victim; });
}

PADPROOF_PROPERTY({.name = "batch_independence",
                   .statement = "what a sequence gives does not depend on the content of others",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
