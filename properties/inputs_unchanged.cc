// inputs_unchanged
//
//   Q, K, V, dO, masks, biases, lengths, slopes, sinks, and O and LSE that a backward reads, hold
//   the same bits after the call
//
// pads included. Preconditions: none. Bits, because no input is an output.
//
// A row of the host runs once more on inputs that may not be written: what stores into one and puts
// it back crashes there, and between blocks of a device is a race.

#include "harness/judge/property.h"
#include "properties/support/edge_memory.h"
#include "properties/support/launch.h"
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

/// What is none of the operands; null if all of it is as it was.
const char* ChangedBesides(const Problem& before, const Problem& after) {
  if (before.MaskBytes() != after.MaskBytes()) return "attn_mask";
  if (before.lengths() != after.lengths()) return "lengths, offsets or pages";
  if (before.head_numbers() != after.head_numbers()) return "alibi_slopes or sink";
  return nullptr;
}

Called CallOnSealed(const KernelRow& row, Problem& at, const AttentionArgs& args, bool backward) {
  EdgeMemory memory(at, Edge::begin,
                    backward ? Writable::results_of_backward : Writable::results_of_forward);
  const Called called = CallOnHost(row, memory.Moved(args), backward);
  memory.CopyBack();
  return called;
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  Problem problem(c), sealed = problem;
  std::optional<Failure> changed;
  const Launcher watched = [&](const KernelRow& row, Problem& at, const AttentionArgs& args,
                               bool backward) {
    const Problem before = at;
    const Called called = Call(row, at, args, backward);
    using enum Operand;
    std::vector<Operand> inputs{q, k, v, d_o, bias};
    if (backward) inputs.insert(inputs.end(), {o, lse});
    for (Operand op : inputs) {
      if (!changed) changed = FirstChange(before, at, op);
    }
    if (const char* what = ChangedBesides(before, at); what != nullptr && !changed) {
      changed = Failure{.kind = kind::kInput,
                        .region = what,
                        .where = what,
                        .expected = "unchanged",
                        .got = "changed"};
    }
    return called;
  };
  if (auto verdict = RunWith(watched, kernel, problem)) return *verdict;
  if (changed) return Verdict::Fails(*changed);
  if (kernel.device == nullptr) {
    if (auto verdict = RunWith(CallOnSealed, kernel, sealed)) return *verdict;
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
