// Law: a sequence in a padded batch gives what it gives alone without any pad,
//   |out_padded - out_alone| <= r_padded + r_alone   for every real element of O, LSE, dQ, dK, dV,
// before rounding to storage, with r the bounds of reference/derivations.md. Queries that see no
// key have r = 0: they must agree exactly.
//
// Preconditions: the batch has pads, which hold the case's fill as far as the row allows it.
//
// Why a bound and not bits: another padded length may mean another grid of tiles, another split of
// the keys and another order of sums. Why at all, next to the oracle: it needs no reference for its
// centre, and shows a padded result beside an unpadded one.

#include "harness/judge/property.h"
#include "properties/support/dropout.h"
#include "properties/support/run.h"
#include "properties/support/twins.h"
#include "properties/support/within_bound.h"

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

/// Sequence `b` of the padded problem by itself: same real inputs, no slot beyond them. Dropout
/// counts batch entries, so there it keeps its number, behind sequences without a token.
Twin Alone(const Problem& padded, int b, std::optional<Problem>& alone) {
  Case c = padded.c();
  const int empty = c.dropout > 0 ? b : 0;
  const auto keep = [&](std::vector<int>& lens) {
    const int len = lens[static_cast<size_t>(b)];
    lens.assign(static_cast<size_t>(empty), 0);
    lens.push_back(len);
  };
  keep(c.lens_q);
  keep(c.lens_k);
  c.pad_q = c.pad_k = 0;
  c.pad_side = PadSide::right;
  alone.emplace(c);
  alone->CopyMask(empty, padded, b);
  CopyTokens(*alone, empty, padded, b);
  return {*alone, empty, "alone"};
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  if (!HasPads(c)) return Verdict::NotApplicable("needs pads");
  if (const char* why = MovesDropped(kernel.traits, c)) return Verdict::NotApplicable(why);
  Problem padded(WithAllowedFill(kernel.traits, c));
  if (auto verdict = Run(kernel, padded)) return *verdict;
  WithinBound bound;
  std::optional<Verdict> refused;
  for (int b = 0; b < c.batch(); ++b) {
    if (padded.RealRows(Operand::q, b) == 0) continue;
    std::optional<Problem> problem;
    const Twin twin = Alone(padded, b, problem);
    Problem& alone = *problem;
    const std::string why = Unsupported(kernel.traits, PassesOf(kernel), alone.c());
    if (!why.empty()) {
      refused = Verdict::NotApplicable("alone: " + why);
      continue;
    }
    if (auto verdict = Run(kernel, alone)) {
      if (verdict->outcome == Outcome::fails) return *verdict;
      refused = verdict;  // an entry point may refuse a tensor without elements
      continue;
    }
    CompareWithin(kernel, twin, {padded, b, "padded"}, bound);
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
