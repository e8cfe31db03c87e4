// pad_gradients_zero
//
//   dQ[b,h,i,:] = 0 at every padded query,  dK[b,h,j,:] = dV[b,h,j,:] = 0 at every padded key
//
// exactly: the bits are +0 or -0, whatever pads of Q, K, V and dO hold.
//
// Preconditions: the row promises zeros at pads; the case has a padded slot and asks for gradients;
// the fill is one that the row allows. dO at padded queries holds the fill too, so a kernel that
// relies on the loss to zero it is seen.
//
// Exactly zero, not small: a pad gradient of 1e-9 moves the pad embedding at every step of
// training.

#include "harness/judge/property.h"
#include "properties/support/prepare.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool has_backward) {
  if (!has_backward) return "has no backward";
  if (traits.promises.pad_outputs != PadOutputs::zero) return "promises no zeros at pads";
  return nullptr;
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.backward = true;
  EnsurePaddedKeys(c, random);
  c.fill = AllowedFill(traits, c.fill);
}

void CheckPads(const KernelTraits& traits, const Problem& problem, Operand op,
               FirstFailure& failures) {
  const Dtype dtype = problem.c().dtype;
  ForEachPad(problem, op, [&](int b, int h, int slot, int d) {
    if (!IsPromisedAtPads(traits, problem.c(), op, b, h)) return;
    const uint32_t bits = problem.Bits(op, b, h, slot, d);
    failures.Add(IsZero(dtype, bits), [&] {
      return Failure{.kind = IsNan(dtype, bits) ? kind::kNan : kind::kValue,
                     .region = std::string("pad ") + NameOf(op),
                     .where = WherePad(op, b, h, slot, d),
                     .expected = "expected: 0",
                     .got = "got: " + Number(Decode(dtype, bits))};
    });
  });
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  if (!c.backward) return Verdict::NotApplicable("forward only");
  if (!HasPads(c)) return Verdict::NotApplicable("no padded slot");
  if (AllowedFill(kernel.traits, c.fill) != c.fill) {
    return Verdict::NotApplicable("the row does not allow this fill in pads");
  }
  Problem problem(c);
  if (auto verdict = RunForBits(kernel, problem)) return *verdict;
  int64_t pads = 0;
  for (Operand op : GradientsOf(kernel.traits, c)) {
    FirstFailure failures;
    CheckPads(kernel.traits, problem, op, failures);
    if (auto failure = failures.failure()) return Verdict::Fails(*failure);
    pads += failures.total();
  }
  return pads > 0 ? Verdict::Holds() : Verdict::NotApplicable("an empty row reaches every pad");
}

PADPROOF_PROPERTY({.name = "pad_gradients_zero",
                   .statement = "gradients at pads are exactly zero",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
