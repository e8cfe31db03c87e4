#include "properties/support/dropout.h"

#include <algorithm>
#include <cmath>

#include "harness/case/values.h"
#include "properties/support/launch.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

/// Keys that one element reads: their sum must keep its last bit through the roundings of P, of O
/// and of the scale.
int KeysAnElement(Dtype dtype) { return dtype == Dtype::bf16 ? 4 : 6; }

/// The token that stands behind bit `bit` of column `d` in launch `launch`.
struct Reading {
  int bits, columns;

  int TokenOf(int launch, int d, int bit) const { return (launch * columns + d) * bits + bit; }
  int LaunchesFor(int tokens) const { return (tokens + bits * columns - 1) / (bits * columns); }
  double WeightOf(int token, int launch, int d) const {
    const int bit = token - TokenOf(launch, d, 0);
    return bit >= 0 && bit < bits ? std::ldexp(1.0, bit) : 0;
  }
};

/// The case whose weights are all alike, with the same pairs and the same generator.
Case EvenCase(Case c, bool backward) {
  c.bias = Bias::none;
  c.softcap = 0;
  c.sink = false;
  c.values = Values::normal;
  c.fill = Fill::zero;
  c.backward = backward;
  if (c.strides == Strides::expanded) c.strides = Strides::contiguous, c.strided = kAllOperands;
  return c;
}

template <class Value>
void SetTokens(Problem& problem, Operand op, Value value) {
  ForEachReal(problem, op, [&](const Index& at) { problem.SetReal(op, at, value(at)); });
}

Failure Unreadable(Operand op, const Index& at, double got) {
  Failure failure;
  failure.kind = std::isnan(got) ? kind::kNan : kind::kValue;
  failure.region = NameOf(op);
  failure.where = Where(op, at);
  failure.expected = "a sum of kept powers of two, each over 1 - p";
  failure.got = "(1 - p) times it: " + Number(got);
  return failure;
}

/// The kept bits that a number says, among those that can be there; none if it says no whole
/// number.
std::optional<int> KeptBits(double number, int possible) {
  constexpr double kSlack = 0.25;
  if (!(number > -kSlack && number < 1 << 12)) return std::nullopt;
  const int kept = static_cast<int>(std::lround(number));
  const bool whole = std::fabs(number - kept) <= kSlack;
  return whole && (kept & ~possible) == 0 ? std::optional(kept) : std::nullopt;
}

/// One element of what was read says of each pair behind it whether it is kept. `pair(bit)` is the
/// query, and the key as its column; none where there is no such pair.
template <class Pair>
bool TellPairs(Problem& problem, const Reading& reading, double number, Pair pair) {
  int possible = 0;
  for (int bit = 0; bit < reading.bits; ++bit) {
    const std::optional<Index> at = pair(bit);
    if (at && problem.Keeps(*at, at->d)) possible |= 1 << bit;
  }
  const std::optional<int> kept = KeptBits(number, possible);
  for (int bit = 0; bit < reading.bits && kept; ++bit) {
    if ((possible >> bit & 1) == 0) continue;
    const std::optional<Index> at = pair(bit);
    problem.SetDropped(*at, at->d, (*kept >> bit & 1) == 0);
  }
  return kept.has_value();
}

int KeysSeen(const Problem& problem, const Index& at) {
  int seen = 0;
  for (int j = 0; j < problem.RealRows(Operand::k, at.b); ++j) seen += problem.Keeps(at, j);
  return seen;
}

/// Runs `even`, whose weights are all alike, as often as it takes to read `tokens` tokens of a
/// sequence: those of `weighed` stand for powers of two, and each element of `read` is the sum of
/// the kept ones. `number_of(at)` is which token `at` is; of an element of `read`, `whole_of(at)`
/// is what a kept weight adds, 0 where there is none, and `pair_of(at, token)` the pair of both, if
/// there is one.
template <class NumberOf, class WholeOf, class PairOf>
std::optional<Verdict> ReadPairs(const KernelRow& kernel, Problem& problem, Problem& even,
                                 Operand weighed, Operand read, int tokens, NumberOf number_of,
                                 WholeOf whole_of, PairOf pair_of) {
  const Case& c = problem.c();
  const Reading reading{KeysAnElement(c.dtype), c.value_dim()};
  const double keep = 1 - static_cast<double>(DropoutOf(c));
  FirstFailure failures;
  for (int launch = 0; launch < reading.LaunchesFor(tokens); ++launch) {
    SetTokens(even, weighed,
              [&](const Index& at) { return reading.WeightOf(number_of(at), launch, at.d); });
    even.PrefillOutput(read, Prefill::nan_pattern);
    if (auto verdict = Launch(kernel, even, read == Operand::dv)) return verdict;
    double whole = 0;
    ForEachReal(even, read, [&](const Index& at) {
      if (at.d == 0) whole = whole_of(at);
      if (whole == 0) return;  // what an empty row holds is not for this to judge
      const double number = even.Real(read, at) * keep / whole;
      const bool told = TellPairs(problem, reading, number, [&](int bit) {
        return pair_of(at, reading.TokenOf(launch, at.d, bit));
      });
      failures.Add(told, [&] { return Unreadable(read, at, number); });
    });
  }
  if (auto failure = failures.failure()) return Verdict::Fails(*failure);
  return std::nullopt;
}

std::optional<Verdict> ReadForward(const KernelRow& kernel, Problem& problem) {
  const Case& c = problem.c();
  Problem even(EvenCase(c, false));
  even.FlipDropoutSeed(problem.flipped_seed_bits());
  SetTokens(even, Operand::q, [](const Index&) { return 0.0; });
  return ReadPairs(
      kernel, problem, even, Operand::v, Operand::o,
      *std::max_element(c.lens_k.begin(), c.lens_k.end()), [](const Index& at) { return at.i; },
      [&](const Index& at) {
        const int seen = KeysSeen(problem, at);
        return seen > 0 ? 1.0 / seen : 0;
      },
      [&](const Index& at, int key) -> std::optional<Index> {
        if (key >= problem.RealRows(Operand::k, at.b)) return std::nullopt;
        return Index{at.b, at.h, at.i, key};
      });
}

/// The queries of all heads that read a head of K and V count as its tokens.
std::optional<Verdict> ReadBackward(const KernelRow& kernel, Problem& problem) {
  const Case& c = problem.c();
  Problem even(EvenCase(c, true));
  even.FlipDropoutSeed(problem.flipped_seed_bits());
  for (Operand op : {Operand::q, Operand::o, Operand::lse}) {
    SetTokens(even, op, [](const Index&) { return 0.0; });
    even.FillPads(op, Fill::zero);
  }
  return ReadPairs(
      kernel, problem, even, Operand::d_o, Operand::dv,
      c.group * *std::max_element(c.lens_q.begin(), c.lens_q.end()),
      [&](const Index& at) { return at.h % c.group * problem.RealRows(Operand::d_o, at.b) + at.i; },
      [](const Index&) { return 1.0; },
      [&](const Index& at, int row) -> std::optional<Index> {
        if (row >= c.group * problem.RealRows(Operand::q, at.b)) return std::nullopt;
        return problem.QueryAt(at.b, at.h, row, at.i);
      });
}

}  // namespace

std::optional<Verdict> ReadDropped(const KernelRow& kernel, Problem& problem) {
  return kernel.forward != nullptr ? ReadForward(kernel, problem) : ReadBackward(kernel, problem);
}

std::optional<Verdict> KnowDropped(const KernelRow& kernel, Problem& problem) {
  if (problem.c().dropout == 0) return std::nullopt;
  std::optional<Verdict> verdict = ReadDropped(kernel, problem);
  const bool accused = verdict && verdict->outcome == Outcome::fails;
  if (!accused || verdict->failure.kind == kind::kLaunch) return verdict;
  return Verdict::NotApplicable("which weights are dropped cannot be read: see dropout_mask");
}

const char* MovesDropped(const KernelTraits& traits, const Case& c) {
  if (c.dropout == 0) return nullptr;
  if (traits.promises.dropout_mask == DropoutMask::of_sizes) {
    return "dropout by a mask that depends on sizes";
  }
  // A mask tensor does not say where the first real token is.
  const bool told = c.mask_form == MaskForm::lengths || c.pad_side == PadSide::right;
  return told ? nullptr : "dropout of tokens behind pads that only a mask tensor tells of";
}

}  // namespace padproof
