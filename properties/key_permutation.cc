// key_permutation
//
//   K'_p(j) = K_j and V'_p(j) = V_j for a permutation p of the real keys of each sequence:
//     |O' - O| <= r + r', and so LSE and dQ
//     |dK'_p(j) - dK_j| <= r + r', and so dV
//
// with r and r' the bounds of reference/derivations.md for each of the two, before rounding to
// storage. They may differ: the row maximum climbs in other steps.
//
// Preconditions: nothing tells keys apart but their content: mask none, no ALiBi, no holes, no
// dropout. Pads stay where they are. p is drawn from the seed, over the whole sequence, so that
// most keys move to another tile or split.
//
// Why a bound and not bits: sums run over the keys in another order.

#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/run_oracle.h"
#include "properties/support/twins.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  return traits.masks.Has(Mask::none) ? nullptr : "does not take mask=none";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.mask = Mask::none;
  c.window = {};
  c.bias = Bias::none;
  c.holes = 0;
  c.dropout = 0;
  c = WithAllowedFill(traits, c);
  int& len_k = c.lens_k[random.Below(static_cast<uint32_t>(c.lens_k.size()))];
  if (len_k < 2) len_k = random.Between(2, 2 * traits.tile_k <= 32 ? 2 * traits.tile_k : 32);
}

/// Where each key of sequence `b` goes.
std::vector<int> PermutationOf(const Case& c, int b) {
  std::vector<int> to(static_cast<size_t>(c.lens_k[static_cast<size_t>(b)]));
  std::iota(to.begin(), to.end(), 0);
  Random random(HashOf({c.seed, 15, static_cast<uint64_t>(b)}));
  for (size_t n = to.size(); n > 1; --n) {
    std::swap(to[n - 1], to[random.Below(static_cast<uint32_t>(n))]);
  }
  return to;
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  if (c.mask != Mask::none || c.bias != Bias::none || c.holes > 0 || c.dropout > 0) {
    return Verdict::NotApplicable("a mask, a bias or dropout tells keys apart");
  }
  Problem drawn(c), moved = drawn;
  std::vector<std::vector<int>> to;
  for (int b = 0; b < c.batch(); ++b) {
    to.push_back(PermutationOf(c, b));
    for (Operand op : {Operand::k, Operand::v}) {
      for (Index at{b, 0, 0, 0}; at.h < c.heads_kv(); ++at.h) {
        for (at.i = 0; at.i < drawn.RealRows(op, b); ++at.i) {
          CopyToken(moved, op, {b, at.h, to.back()[static_cast<size_t>(at.i)], 0}, drawn, at);
        }
      }
    }
  }
  if (auto verdict = Run(kernel, drawn)) return *verdict;
  if (auto verdict = Run(kernel, moved)) return *verdict;
  RunOracle first(kernel, drawn, "as drawn"), second(kernel, moved, "keys permuted");
  WithinBound bound;
  for (Operand op : Outputs(kernel, c)) {
    CompareRuns(op, first, second, bound, [&](Operand result, Index at) {
      if (!HasQueryRows(result)) at.i = to[static_cast<size_t>(at.b)][static_cast<size_t>(at.i)];
      return std::optional(at);
    });
  }
  return bound.verdict(kernel.traits.numerics);
}

PADPROOF_PROPERTY({.name = "key_permutation",
                   .statement = "permuting the keys with their values permutes dK and dV and "
                                "nothing else, within the sum of two proven bounds",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
