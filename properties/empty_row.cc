// empty_row
//
//   a real query that sees no key has  O = 0,  LSE = -inf (or 0, +inf),  dQ = 0
//   a real key that no query sees has  dK = dV = 0
//
// exactly, and never NaN; or O = NaN, and another LSE, where the row promises that instead.
//
// Preconditions: the row promises something about empty rows; some real query sees no key, be it a
// sequence of no keys or a causal mask with more queries than keys.
//
// Exact, because softmax over nothing has no rounding: the value is a convention (flash-attention,
// flashinfer, mlx and PyTorch since its safe softmax agree on it).

#include <cmath>

#include "harness/judge/property.h"
#include "properties/support/prepare.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  if (traits.promises.empty_row == EmptyRow::unspecified) return "leaves empty rows unspecified";
  if (traits.promises.empty_row == EmptyRow::nan && !has_forward)
    return "promises an empty row of O alone, and has no forward";
  return nullptr;
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  EnsureEmptyRow(c, traits, random);
  c.fill = AllowedFill(traits, c.fill);
}

// What the convention says about row `row` of head `h` of `op` in sequence b: nothing (false)
// unless the row is empty: a query that sees no key, a key that no query of any head sees that
// reads it.
bool IsEmpty(const Case& c, Operand op, int b, int h, int row) {
  if (HasQueryRows(op)) return SeesNothing(c, b, h, row);
  for (int head = h * c.group; head < (h + 1) * c.group; ++head) {
    for (int i = 0; i < c.lens_q[static_cast<size_t>(b)]; ++i) {
      if (Sees(c, b, head, i, row)) return false;
    }
  }
  return true;
}

double Expected(const KernelTraits& traits, Operand op) {
  if (op == Operand::lse) return EmptyLseOf(traits);
  return traits.promises.empty_row == EmptyRow::nan && op == Operand::o ? NAN : 0.0;
}

std::optional<Failure> CheckOperand(const KernelRow& kernel, const Problem& problem, Operand op) {
  const Case& c = problem.c();
  const double expected = Expected(kernel.traits, op);
  FirstFailure failures;
  for (int b = 0; b < c.batch(); ++b) {
    for (int row = 0; row < problem.RealRows(op, b); ++row) {
      for (int h = 0; h < problem.Heads(op); ++h) {
        if (!IsEmpty(c, op, b, h, row)) continue;
        for (int d = 0; d < problem.RealColumns(op, b); ++d) {
          const Index at{b, h, row, d};
          const double got = problem.Real(op, at);
          const bool good = std::isnan(expected) ? std::isnan(got) : got == expected;
          failures.Add(good, [&] {
            return Failure{.kind = std::isnan(got) ? kind::kNan : kind::kValue,
                           .region = std::string("empty ") + NameOf(op),
                           .where = Where(op, at),
                           .expected = "expected: " + Number(expected),
                           .got = "got: " + Number(got)};
          });
        }
      }
    }
  }
  return failures.failure();
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  if (!HasEmptyRow(original)) return Verdict::NotApplicable("no empty row");
  const Case c = WithAllowedFill(kernel.traits, original);
  Problem problem(c);
  if (auto verdict = RunForBits(kernel, problem)) return *verdict;
  for (Operand op : Outputs(kernel, c)) {
    const bool gradient = !IsOfForward(op);
    if (gradient && kernel.traits.promises.empty_row == EmptyRow::nan) continue;
    if (op == Operand::lse && c.sink) continue;  // the sink's own: lse_agreement judges it
    if (auto failure = CheckOperand(kernel, problem, op)) return Verdict::Fails(*failure);
  }
  return Verdict::Holds();
}

PADPROOF_PROPERTY(
    {.name = "empty_row",
     .statement = "a query that sees no key gives what its row promises: O = 0, LSE = -inf, "
                  "gradients 0 unless it says otherwise",
     .inapplicable = Inapplicable,
     .prepare = Prepare,
     .check = Check,
     .about_attention = true});

}  // namespace
}  // namespace padproof
