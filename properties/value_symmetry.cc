// value_symmetry
//
//   O(-V) = -O(V)            and of its gradients dQ, dK and dBias change sign, dV and LSE stay
//   dQ, dK, dV, dBias at -dO are those at dO with the other sign
//   O, LSE(-Q, -K) = O, LSE(Q, K)     where dQ and dK change sign, dV and dBias stay
//
// bit for bit at real tokens, zeros of either sign being one value.
//
// Preconditions: the row repeats its bits and declares no directed rounding. Pads stay as they are.
//
// Bits, because every product, sum and quotient of one run is that of the other or its negative,
// and rounding to nearest, cutting magnitudes off, flushing and fused multiply-adds are all odd,
// in any order and in any blocks, as long as no decision hangs on a sign. What is not odd says so
// (`directed_rounding`): the matrix cores of AMD's CDNA3, which round towards minus infinity, and
// sums aligned and cut off in two's complement. Scores are the same bits, so that the row maximum,
// exponentials and rescales are too.

#include <optional>
#include <string>
#include <vector>

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  if (traits.numerics.directed_rounding != 0) return "rounds towards an infinity";
  return NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits& traits, Random&) { c = WithAllowedFill(traits, c); }

uint32_t SignOf(Dtype dtype) { return dtype == Dtype::f32 ? 0x80000000u : 0x8000u; }

/// Some inputs negated, and which results change sign then.
struct Reflection {
  const char* label;
  std::vector<Operand> inputs, odd;
  bool backward = false;  // says nothing without one
};

bool Has(const std::vector<Operand>& operands, Operand op) {
  for (Operand each : operands) {
    if (each == op) return true;
  }
  return false;
}

const std::vector<Reflection>& Reflections() {
  using enum Operand;
  static const std::vector<Reflection> all{
      {.label = "-V", .inputs = {v}, .odd = {o, dq, dk, dbias}},
      {.label = "-Q and -K", .inputs = {q, k}, .odd = {dq, dk}},
      {.label = "-dO", .inputs = {d_o}, .odd = {dq, dk, dv, dbias}, .backward = true},
  };
  return all;
}

Problem Reflected(const Problem& drawn, const Reflection& reflection) {
  Problem problem = drawn;
  const uint32_t sign = SignOf(drawn.c().dtype);
  for (Operand op : reflection.inputs) {
    ForEachReal(drawn, op,
                [&](const Index& at) { problem.SetBitsAt(op, at, drawn.BitsAt(op, at) ^ sign); });
  }
  return problem;
}

std::optional<Failure> Compare(const Problem& drawn, const Problem& other, Operand op, bool odd,
                               const std::string& label, const Part& specified) {
  const Dtype dtype = drawn.DtypeOf(op);
  FirstFailure failures;
  ForEachReal(drawn, op, [&](const Index& at) {
    if (specified && !specified(op, at)) return;
    const uint32_t x = drawn.BitsAt(op, at) ^ (odd ? SignOf(dtype) : 0);
    const uint32_t y = other.BitsAt(op, at);
    failures.Add(SameBits(dtype, x, y, ZeroSign::any), [&] {
      const auto [expected, got] = Numbers(Decode(dtype, x), Decode(dtype, y));
      return Failure{.kind = IsNan(dtype, y) ? kind::kNan : kind::kValue,
                     .region = NameOf(op),
                     .where = Where(op, at),
                     .expected = (odd ? "as drawn, negated: " : "as drawn: ") + expected,
                     .got = label + ": " + got};
    });
  });
  return failures.failure();
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  Problem drawn(c);
  if (auto verdict = RunForBits(kernel, drawn)) return *verdict;
  const Part specified = Specified(kernel.traits, c);
  for (const Reflection& reflection : Reflections()) {
    if (reflection.backward && !c.backward) continue;
    Problem other = Reflected(drawn, reflection);
    for (Operand op : Outputs(kernel, c)) other.PrefillOutput(op, Prefill::nan_pattern);
    if (auto verdict = RunForBits(kernel, other)) return *verdict;
    for (Operand op : RepeatableOutputs(kernel, c)) {
      const bool odd = Has(reflection.odd, op);
      if (auto failure = Compare(drawn, other, op, odd, reflection.label, specified)) {
        return Verdict::Fails(*failure);
      }
    }
  }
  return Verdict::Holds();
}

PADPROOF_PROPERTY({.name = "value_symmetry",
                   .statement = "negating V, or dO, or Q and K together, negates what is odd in "
                                "them and changes no other bit",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .about_attention = true});

}  // namespace
}  // namespace padproof
