// inputs_unchanged
//
//   Q, K, V, dO, the lengths, and O and LSE that a backward reads, hold the same bits after the
//   call
//
// pads included. Preconditions: none. Bits, because no input is an output.

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool, bool) { return nullptr; }

void Prepare(Case& c, const KernelTraits& traits, Random&) { c.fill = AllowedFill(traits, c.fill); }

std::optional<Failure> FirstChange(const Problem& before, const Problem& after, Operand op) {
  const auto a = before.Bytes(op), b = after.Bytes(op);
  FirstFailure failures;
  for (size_t at = 0; at < a.size(); ++at) {
    failures.Add(a[at] == b[at], [&] {
      return Failure{.kind = kind::kInput,
                     .region = NameOf(op),
                     .where = std::string(NameOf(op)) + " byte " + std::to_string(at),
                     .expected = "before: " + std::to_string(a[at]),
                     .got = "after: " + std::to_string(b[at])};
    });
  }
  auto failure = failures.failure();
  if (failure) failure->extent += " (bytes)";
  return failure;
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  Problem problem(c);
  const Problem before = problem;
  if (auto verdict = RunForBits(kernel, problem)) return *verdict;
  for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o, Operand::bias}) {
    if (auto failure = FirstChange(before, problem, op)) return Verdict::Fails(*failure);
  }
  const bool same_mask = before.MaskBytes() == problem.MaskBytes();
  if (!same_mask || before.lengths() != problem.lengths()) {
    return Verdict::Fails({.kind = kind::kInput,
                           .region = same_mask ? "lengths" : "attn_mask",
                           .where = same_mask ? "a length, an offset or a page" : "attn_mask",
                           .expected = "unchanged",
                           .got = "changed"});
  }
  return Verdict::Holds();
}

PADPROOF_PROPERTY({.name = "inputs_unchanged",
                   .statement = "a call leaves every input as it was",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
