// pad_outputs_zero
//
//   O[b,h,i,:] = 0 and LSE[b,h,i] = -inf at every padded query
//
// exactly: O is +0 or -0, whatever pads of Q, K and V hold, sink or none; LSE is 0 or +inf where
// the row promises that for queries that see no key, since for it a pad is one of those.
//
// Preconditions: the row has a forward and promises zeros at pads; the case has a padded query; the
// fill is one that the row allows. Told by a mask tensor alone, a kernel cannot tell a pad from a
// query that sees no key: a pad is then held to what the row promises of those, and its LSE, which
// is the sink where there is one, only without sinks.
//
// Why: whoever reads the whole buffer afterwards (a residual sum, a norm, a second attention layer,
// a merge by LSE) takes what a pad holds for a result. A constant there is written by every run, so
// no comparison of two runs sees it; that a merge gives a pad no weight takes -inf, not 0.

#include <cmath>

#include "harness/judge/property.h"
#include "properties/support/prepare.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  if (!has_forward) return "has no forward";
  if (traits.promises.pad_outputs != PadOutputs::zero) return "promises no zeros at pads";
  return nullptr;
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.backward = false;
  if (c.pad_q == 0) c.pad_q = random.Between(1, 5);
  c.fill = AllowedFill(traits, c.fill);
}

void CheckPads(const KernelTraits& traits, const Problem& problem, Operand op,
               FirstFailure& failures) {
  const double expected = op == Operand::lse ? EmptyLseOf(traits) : 0.0;
  const Case& c = problem.c();
  // The LSE of a pad that passes for a query that sees no key is the sink.
  if (op == Operand::lse && c.sink && c.mask_form != MaskForm::lengths) return;
  ForEachPad(problem, op, [&](int b, int h, int slot, int d) {
    if (!IsPromisedAtPads(traits, c, op, b, h)) return;
    const double got = Decode(problem.DtypeOf(op), problem.Bits(op, b, h, slot, d));
    failures.Add(got == expected, [&] {
      return Failure{.kind = std::isnan(got) ? kind::kNan : kind::kValue,
                     .region = std::string("pad ") + NameOf(op),
                     .where = WherePad(op, b, h, slot, d),
                     .expected = "expected: " + Number(expected),
                     .got = "got: " + Number(got)};
    });
  });
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  Case c = original;
  c.backward = false;
  if (AllowedFill(kernel.traits, c.fill) != c.fill) {
    return Verdict::NotApplicable("the row does not allow this fill in pads");
  }
  Problem problem(c);
  if (auto verdict = RunForBits(kernel, problem)) return *verdict;
  int64_t pads = 0;
  for (Operand op : Outputs(kernel, c)) {
    FirstFailure failures;
    CheckPads(kernel.traits, problem, op, failures);
    if (auto failure = failures.failure()) return Verdict::Fails(*failure);
    pads += failures.total();
  }
  return pads > 0 ? Verdict::Holds() : Verdict::NotApplicable("no padded query");
}

PADPROOF_PROPERTY(
    {.name = "pad_outputs_zero",
     .statement = "at padded queries O is exactly zero and LSE what an empty row has (-inf "
                  "unless the row promises otherwise)",
     .inapplicable = Inapplicable,
     .prepare = Prepare,
     .check = Check});

}  // namespace
}  // namespace padproof
