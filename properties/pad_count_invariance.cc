// Law: a sequence in a padded batch gives what it gives alone without any pad,
//   |out_padded - out_alone| <= r_padded + r_alone   for every real element of O, LSE, dQ, dK, dV,
// before rounding to storage, with r the bounds of reference/derivations.md. Where gradients are
// judged given the stored O and LSE, which may differ between the two runs, the distance of the two
// centres is added, up to the sum of the bounds for any O and LSE of a right forward. Queries that
// see no key have r = 0: they must agree exactly.
//
// Preconditions: the batch has pads, which hold the case's fill as far as the row allows it.
//
// Why a bound and not bits: another padded length may mean another grid of tiles, another split of
// the keys and another order of sums. Why at all, next to the oracle: it needs no reference for its
// centre, and shows a padded result beside an unpadded one.

#include <algorithm>
#include <cmath>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/within_bound.h"
#include "reference/attention.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool, bool) { return nullptr; }

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c = WithAllowedFill(traits, c);
  if (HasPads(c)) return;
  c.pad_k = random.Between(1, traits.tile_k + 1);
  if (random.Chance(50)) c.pad_q = random.Between(1, traits.tile_q + 1);
  if (!traits.pad_sides.Has(c.pad_side)) {
    c.pad_side = traits.pad_sides.Has(PadSide::right) ? PadSide::right : PadSide::left;
  }
}

/// Sequence `b` of the padded problem by itself: same real inputs, no slot beyond them.
Problem Alone(const Problem& padded, int b) {
  Case c = padded.c();
  c.lens_q = {c.lens_q[static_cast<size_t>(b)]};
  c.lens_k = {c.lens_k[static_cast<size_t>(b)]};
  c.pad_q = c.pad_k = 0;
  c.pad_side = PadSide::right;
  Problem alone(c);
  alone.CopyMask(0, padded, b);
  for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o}) {
    if (op == Operand::d_o && !c.backward) continue;
    for (int h = 0; h < alone.Heads(op); ++h) {
      for (int i = 0; i < alone.RealRows(op, 0); ++i) {
        for (int d = 0; d < alone.Columns(op); ++d) {
          alone.SetBits(op, 0, h, i, d, padded.Bits(op, b, h, padded.Slot(op, b, i), d));
        }
      }
    }
  }
  return alone;
}

/// The two runs of one sequence and head of K and V side by side.
class Pair {
 public:
  Pair(const KernelRow& kernel, const Problem& padded, const Problem& alone, int b, int h,
       WithinBound& bound)
      : kernel_(kernel), padded_(padded), alone_(alone), b_(b), h_(h), bound_(bound) {}

  void CompareForward() {
    const reference::Head head = reference::ReadHead(alone_, 0, h_);
    const reference::ForwardOracle oracle(head, kernel_.traits.numerics);
    for (int i = 0; i < head.len_q; ++i) {
      if (!IsPromised(kernel_.traits, padded_.c(), Operand::o, padded_.QueryAt(b_, h_, i)))
        continue;
      const reference::ForwardRow row = oracle.Row(i);
      if (!row.out_of_domain.empty()) {
        bound_.Skip(row.out_of_domain);
        continue;
      }
      for (int d = 0; d < padded_.Columns(Operand::o); ++d) {
        const double radius = row.out[static_cast<size_t>(d)].radius;
        Compare(Operand::o, i, d, radius, radius);
      }
      if (kernel_.traits.returns_lse != 0) {
        Compare(Operand::lse, i, 0, row.lse.radius, row.lse.radius);
      }
    }
  }

  void CompareGradients() {
    const bool conditional = ReadsStoredForward(kernel_);
    const NumericsProfile& profile = kernel_.traits.numerics;
    const reference::Gradients x = reference::Backward(alone_, profile, 0, h_, conditional);
    const reference::Gradients y = reference::Backward(padded_, profile, b_, h_, conditional);
    const std::string& why = x.out_of_domain.empty() ? y.out_of_domain : x.out_of_domain;
    if (!why.empty()) return bound_.Skip(why);
    // Whatever O and LSE are stored, both runs are near the one gradient of the real tokens: the
    // distance of two centres excuses no more than that.
    const reference::Gradients any =
        conditional ? reference::Backward(alone_, profile, 0, h_, false) : x;
    if (!any.out_of_domain.empty()) return bound_.Skip(any.out_of_domain);
    CompareGradient(Operand::dq, x.dq, y.dq, any.dq);
    CompareGradient(Operand::dk, x.dk, y.dk, any.dk);
    CompareGradient(Operand::dv, x.dv, y.dv, any.dv);
  }

 private:
  using Matrix = std::vector<std::vector<reference::Judged>>;

  void CompareGradient(Operand op, const Matrix& alone, const Matrix& padded, const Matrix& any) {
    for (size_t i = 0; i < alone.size(); ++i) {
      if (!IsPromised(kernel_.traits, padded_.c(), op, At(op, static_cast<int>(i)))) continue;
      for (size_t d = 0; d < alone[i].size(); ++d) {
        const reference::Judged &x = alone[i][d], &y = padded[i][d];
        const double given = x.radius + y.radius + std::fabs(x.centre - y.centre);
        const double half = std::min(given / 2, any[i][d].radius);
        Compare(op, static_cast<int>(i), static_cast<int>(d), half, half);
      }
    }
  }

  /// Row `i` of those of the head of K and V.
  Index At(Operand op, int i, int d = 0) const {
    return HasQueryRows(op) ? padded_.QueryAt(b_, h_, i, d) : Index{b_, h_, i, d};
  }

  void Compare(Operand op, int i, int d, double radius_alone, double radius_padded) {
    const Dtype dtype = padded_.DtypeOf(op);
    const Index at = At(op, i, d);
    const uint32_t x = alone_.BitsAt(op, {0, at.h, at.i, d});
    const uint32_t y = padded_.BitsAt(op, at);
    bound_.Add(NameOf(op), reference::PairRatio(dtype, x, y, radius_alone, radius_padded), [&] {
      const auto [expected, got] = Numbers(Decode(dtype, x), Decode(dtype, y));
      Failure failure;
      failure.kind = IsNan(dtype, x) || IsNan(dtype, y) ? kind::kNan : kind::kValue;
      failure.region = NameOf(op);
      failure.where = Where(op, at);
      failure.expected = "alone: " + expected + " +- " + Number(radius_alone + radius_padded);
      failure.got = "padded: " + got;
      return failure;
    });
  }

  const KernelRow& kernel_;
  const Problem& padded_;
  const Problem& alone_;
  int b_, h_;
  WithinBound& bound_;
};

Verdict Check(const KernelRow& kernel, const Case& c) {
  if (!HasPads(c)) return Verdict::NotApplicable("needs pads");
  Problem padded(WithAllowedFill(kernel.traits, c));
  if (auto verdict = Run(kernel, padded)) return *verdict;
  WithinBound bound;
  std::optional<Verdict> refused;
  for (int b = 0; b < c.batch(); ++b) {
    if (padded.RealRows(Operand::q, b) == 0) continue;
    Problem alone = Alone(padded, b);
    const std::string why = Unsupported(kernel.traits, kernel.forward != nullptr,
                                        kernel.backward != nullptr, alone.c());
    if (!why.empty()) {
      refused = Verdict::NotApplicable("alone: " + why);
      continue;
    }
    if (auto verdict = Run(kernel, alone)) {
      if (verdict->outcome == Outcome::fails) return *verdict;
      refused = verdict;  // an entry point may refuse a tensor without elements
      continue;
    }
    for (int h = 0; h < c.heads_kv(); ++h) {
      Pair pair(kernel, padded, alone, b, h, bound);
      if (kernel.forward != nullptr) pair.CompareForward();
      if (c.backward) pair.CompareGradients();
    }
  }
  Verdict verdict = bound.verdict(kernel.traits.numerics);
  return verdict.outcome == Outcome::not_applicable && refused ? *refused : verdict;
}

PADPROOF_PROPERTY({.name = "pad_count_invariance",
                   .statement = "a sequence in a padded batch gives what it gives alone without "
                                "pads, within the sum of two proven bounds",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
