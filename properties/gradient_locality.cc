// gradient_locality: a query's dO reaches what depends on it, and nothing else.
//
//   1. dO_i = 0                                    =>  dQ_i = dBias_i = 0 exactly, either sign
//      dO_i = 0 for every query i that sees key j  =>  dK_j = dV_j = 0 exactly
//   2. any finite content of dO_i: dQ and dBias of every other query, and dK and dV of every key
//   that i does
//      not see, stay the same bits
//   3. NaN in dO_i: dQ of every other query stays the same bits, and so do dK and dV of every head
//      of K and V that i does not read and of every other sequence
//
// Preconditions: the row has a backward; a query. 1 holds of any order of sums, atomics or not, for
// heads in which a correct kernel cannot overflow, and for what the row promises where a query sees
// no key. 2 and 3 compare bits where the row repeats them, zeros of either sign being one value,
// and elsewhere only that no NaN is new.
//
// Exactly zero: dP_i and delta_i are sums of products with 0, and all that is weighed with them is
// finite. That is how tokens without a loss are trained on.
//
// Where kernels may differ, 2 and 3 ask for less. In tiles, a hidden pair of a loud query is a
// product with a weight of 0: it takes finite content, not NaN, to other keys of the same head. And
// rows that promise to stand finite pads alone may load what is near a tile, and multiply it by 0:
// 3 asks them for dQ alone, whose rows no product brings together, and rows that mix the heads of a
// token (`head_content`) for dQ of other tokens. (A kernel that quantises dO with
// a scale that rows share brings them together; it has no numerics profile here.)

#include <optional>
#include <string>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/run_oracle.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool, bool has_backward) {
  return has_backward ? nullptr : "has no backward";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.backward = true;
  c = WithAllowedFill(traits, c);
  if (c.mask == Mask::none && c.holes == 0 && random.Chance(50)) {
    const Mask mask = traits.masks.Has(Mask::causal_br) ? Mask::causal_br : Mask::causal_tl;
    if (traits.masks.Has(mask)) c.mask = mask;
  }
  int& len_q = c.lens_q[random.Below(static_cast<uint32_t>(c.lens_q.size()))];
  if (len_q < 2) len_q = random.Between(2, traits.tile_q + 2);
}

uint64_t Draw(const Case& c, int salt, int b, int i = 0) {
  const auto word = [](int x) { return static_cast<uint64_t>(x); };
  return HashOf({c.seed, word(salt), word(b), word(i)}) >> 32;
}

/// Whether dO of a query is zero: in all heads, of the first queries, of the last, or of any.
bool IsQuiet(const Case& c, const Index& at) {
  const int len_q = c.lens_q[static_cast<size_t>(at.b)];
  const int from = static_cast<int>(Draw(c, 17, at.b) % static_cast<uint64_t>(len_q + 1));
  switch (Draw(c, 18, at.b) % 3) {
    case 0:
      return at.i >= from;
    case 1:
      return at.i < from;
    default:
      return Draw(c, 19, at.b, at.i) % 2 == 0;
  }
}

void SetGradient(Problem& problem, Index at, double value) {
  for (at.d = 0; at.d < problem.Columns(Operand::d_o); ++at.d) {
    problem.SetReal(Operand::d_o, at, value);
  }
}

/// Whether some query whose dO is not zero sees the key.
bool SeenByLoud(const Case& c, const Index& key) {
  for (Index at{key.b, key.h * c.group, 0, 0}; at.h < (key.h + 1) * c.group; ++at.h) {
    for (at.i = 0; at.i < c.lens_q[static_cast<size_t>(at.b)]; ++at.i) {
      if (!IsQuiet(c, at) && Sees(c, at.b, at.h, at.i, key.i)) return true;
    }
  }
  return false;
}

/// 1, for one of the gradients.
std::optional<Failure> CheckZeros(RunOracle& run, Operand op) {
  FirstFailure failures;
  const Problem& problem = run.problem();
  const Case& c = problem.c();
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < problem.Heads(op); ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(op, at.b); ++at.i) {
        at.d = 0;
        const bool quiet = HasQueryRows(op) ? IsQuiet(c, at) : !SeenByLoud(c, at);
        if (!quiet || !IsPromised(run.kernel().traits, c, op, at)) continue;
        if (problem.RealColumns(op, at.b) == 0) continue;
        if (run.Of(op, at).out_of_domain != nullptr) continue;
        for (; at.d < problem.RealColumns(op, at.b); ++at.d) {
          const uint32_t bits = problem.BitsAt(op, at);
          failures.Add(IsZero(c.dtype, bits), [&] {
            return Failure{
                .kind = IsNan(c.dtype, bits) ? kind::kNan : kind::kValue,
                .region = NameOf(op),
                .where = Where(op, at),
                .expected = HasQueryRows(op) ? "its dO is 0: 0" : "dO is 0 wherever it is seen: 0",
                .got = "got: " + Number(Decode(c.dtype, bits))};
          });
        }
      }
    }
  }
  return failures.failure();
}

/// No NaN where the first run has none, in an output that need not repeat its bits.
std::optional<Failure> CompareNans(const Side& expected, const Side& got, Operand op,
                                   const Part& part) {
  FirstFailure failures;
  const Problem& problem = expected.problem;
  const Dtype dtype = problem.DtypeOf(op);
  ForEachReal(problem, op, [&](const Index& at) {
    if (!part(op, at)) return;
    const double x = problem.Real(op, at);
    const bool is_nan = IsNan(dtype, got.problem.BitsAt(op, at));
    failures.Add(!is_nan || x != x, [&] {
      return Failure{.kind = kind::kNan,
                     .region = NameOf(op),
                     .where = Where(op, at),
                     .expected = expected.label + ": " + Number(x),
                     .got = got.label + ": nan"};
    });
  });
  return failures.failure();
}

std::optional<Failure> CompareGradients(const KernelRow& kernel, const Side& expected,
                                        const Side& got, const Part& part) {
  const bool repeats = kernel.traits.promises.determinism == Determinism::both;
  for (Operand op : GradientsOf(kernel.traits, expected.problem.c())) {
    auto failure = repeats ? CompareReal(expected, got, op, ZeroSign::any, part)
                           : CompareNans(expected, got, op, part);
    if (failure) return failure;
  }
  return std::nullopt;
}

/// A query whose dO is to hold something else, or none.
std::optional<Index> Victim(const Case& c) {
  const auto draw = [&](int salt, int count) {
    return static_cast<int>(Draw(c, salt, 0) % static_cast<uint64_t>(count));
  };
  const int b = draw(20, c.batch()), len_q = c.lens_q[static_cast<size_t>(b)];
  if (len_q == 0) return std::nullopt;
  return Index{b, draw(21, c.heads), draw(22, len_q), 0};
}

/// 2 and 3: the same dO but for one query.
Verdict CheckVictim(const KernelRow& kernel, const Problem& calm, const Index& victim) {
  const Case& c = calm.c();
  const bool any_bits = kernel.traits.promises.pad_content == PadContent::any_bits;
  const auto is_victim = [&](Operand op, const Index& at) {
    return HasQueryRows(op) && at.b == victim.b && at.h == victim.h && at.i == victim.i;
  };
  const bool mixes_heads = kernel.traits.promises.head_content != PadContent::any_bits;
  const auto is_token = [&](const Index& at) { return at.b == victim.b && at.i == victim.i; };
  const auto elsewhere = [&](const Index& key) {
    return key.b != victim.b || key.h != victim.h / c.group;
  };
  for (Fill content : {Fill::noise, Fill::nan}) {
    Problem loud = calm;
    loud.FillTokens(content, [&](Operand op, const Index& at) {
      return op == Operand::d_o && is_victim(op, at);
    });
    if (auto verdict = Run(kernel, loud)) return *verdict;
    const Part part = Specified(kernel.traits, c, [&](Operand op, const Index& at) {
      if (HasQueryRows(op)) {
        if (content == Fill::nan && mixes_heads) return !is_token(at);
        return !is_victim(op, at);
      }
      if (content == Fill::nan) return any_bits && elsewhere(at);
      return elsewhere(at) || !Sees(c, victim.b, victim.h, victim.i, at.i);
    });
    const std::string label = Where(Operand::d_o, victim) + " " + std::string(NameOf(content));
    if (auto failure = CompareGradients(kernel, {calm, "as drawn"}, {loud, label}, part)) {
      return Verdict::Fails(*failure);
    }
  }
  return Verdict::Holds();
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  if (!c.backward) return Verdict::NotApplicable("forward only");
  const std::optional<Index> victim = Victim(c);
  if (!victim) return Verdict::NotApplicable("the drawn sequence has no query");
  Problem problem(c);
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < c.heads; ++at.h) {
      for (at.i = 0; at.i < c.lens_q[static_cast<size_t>(at.b)]; ++at.i) {
        if (IsQuiet(c, at)) SetGradient(problem, at, 0);
      }
    }
  }
  if (auto verdict = Run(kernel, problem)) return *verdict;
  RunOracle run(kernel, problem, "as drawn");
  for (Operand op : GradientsOf(kernel.traits, c)) {
    if (auto failure = CheckZeros(run, op)) return Verdict::Fails(*failure);
  }
  return CheckVictim(kernel, problem, *victim);
}

PADPROOF_PROPERTY({.name = "gradient_locality",
                   .statement = "the gradient of a query's output reaches its own dQ and the keys "
                                "that it sees, and nothing else",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .about_attention = true,
                   .tells_heads_apart = true});

}  // namespace
}  // namespace padproof
