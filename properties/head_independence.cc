// head_independence
//
//   for any content x of every other query head, and of every head of K and V that h does not read:
//     f(x)[h] == f(y)[h], bit for bit: O, LSE and dQ of query head h, and dK and dV of the head of
//     K and V that only h reads
//
// Preconditions: two query heads or more; the row repeats its bits. The others hold the case's
// fill, nan where that is zero, or what the row allows in other heads of a token.
//
// Bits, because the arithmetic of head h is the same in both runs.

#include "harness/judge/property.h"
#include "properties/support/prepare.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  return NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits&, Random& random) {
  if (c.heads < 2) c.heads = random.Between(2, 4);
  if (random.Chance(60)) EnsurePoisonFill(c, random);
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  if (c.heads < 2) return Verdict::NotApplicable("one head");
  const int victim = static_cast<int>(HashOf({c.seed}) % static_cast<uint64_t>(c.heads));
  const int group = c.group;
  const Fill content = AllowedFill(kernel.traits.promises.head_content, c,
                                   c.fill == Fill::zero ? Fill::nan : c.fill);
  Problem calm(WithAllowedFill(kernel.traits, c)), loud = calm;
  loud.FillTokens(content, [=](Operand op, const Index& at) {
    return HasQueryRows(op) ? at.h != victim : at.h != victim / group;
  });
  return JudgeRepeatable(kernel, calm, "as drawn", loud,
                         "other heads " + std::string(NameOf(content)),
                         [=](Operand op, const Index& at) {
                           return at.h == victim && (HasQueryRows(op) || group == 1);
                         });
}

PADPROOF_PROPERTY({.name = "head_independence",
                   .statement = "what a head gives does not depend on the content of others",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .about_attention = true,
                   .tells_heads_apart = true});

}  // namespace
}  // namespace padproof
