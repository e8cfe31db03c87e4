// split_invariance
//
//   the keys [0, n1) and [n1, n) of each sequence in two calls, merged by their LSE in fp64:
//     w_s = exp(LSE_s - LSE'),  LSE' = ln(exp LSE_1 + exp LSE_2),  O' = w_1 O_1 + w_2 O_2
//     |O - O'| <= r + R     |LSE - LSE'| <= r_lse + R_lse
//
// against one call over all of them, as ring attention, split KV and FlashInfer's merge_state do.
//
// Preconditions: the row has a forward and returns LSE; mask none, or causal:br where the row takes
// window:br too, which says what a part without the last keys sees; no ALiBi, holes or dropout,
// which count keys from an end, and no sink, which would count twice. A part without a visible key,
// also by n1 = 0, belongs to it if the row promises O = 0 and LSE = -inf there.
//
// R and R_lse are the bounds of the merge (support/merge.h): those of both parts by their weights,
// and what errors of the LSEs move between them.
//
// Why a bound and not bits: the parts are rounded to storage, and sums run in another order.

#include <algorithm>
#include <array>

#include "harness/judge/property.h"
#include "properties/support/merge.h"
#include "properties/support/run.h"
#include "properties/support/run_oracle.h"
#include "properties/support/twins.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  if (!has_forward) return "has no forward";
  if (traits.returns_lse == 0) return "returns no LSE";
  return traits.masks.Has(Mask::none) ? nullptr : "does not take mask=none";
}

bool SplitsCausal(const KernelTraits& traits) {
  return traits.masks.Has(Mask::causal_br) && traits.masks.Has(Mask::window_br);
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.backward = false;
  c.mask = SplitsCausal(traits) && random.Chance(40) ? Mask::causal_br : Mask::none;
  c.window = {};
  c.bias = Bias::none;
  c.holes = 0;
  c.sink = false;
  c.dropout = 0;
  c = WithAllowedFill(traits, c);
}

/// The case of one part: the last `m` keys of each sequence, or those before them.
Case PartOf(Case c, int m, bool last) {
  for (int& len : c.lens_k) len = last ? std::min(len, m) : len - std::min(len, m);
  if (!last && c.mask == Mask::causal_br) {
    c.mask = Mask::window_br;
    c.window = {.left = -1, .right = m};  // a query stands m keys further on than in the whole
  }
  return c;
}

Problem Part(const Problem& whole, int m, bool last) {
  Problem part(PartOf(whole.c(), m, last));
  for (Operand op : {Operand::q, Operand::k, Operand::v}) {
    for (Index at{0, 0, 0, 0}; at.b < whole.c().batch(); ++at.b) {
      const int before = whole.RealRows(op, at.b) - part.RealRows(op, at.b);
      for (at.h = 0; at.h < whole.Heads(op); ++at.h) {
        for (at.i = 0; at.i < part.RealRows(op, at.b); ++at.i) {
          CopyToken(part, op, at, whole, {at.b, at.h, last ? at.i + before : at.i, 0});
        }
      }
    }
  }
  return part;
}

/// One query in one call against both parts.
void JudgeQuery(std::array<RunOracle*, 2> parts, RunOracle& whole, const Index& query,
                WithinBound& bound) {
  std::array<MergePart, 2> merged;
  for (size_t s = 0; s < 2; ++s) {
    const reference::ForwardRow& row = parts[s]->Row(query);
    if (!row.out_of_domain.empty()) return bound.Skip(row.out_of_domain);
    merged[s] = {&row, parts[s]->problem().Real(Operand::lse, query)};
  }
  const reference::ForwardRow& row = whole.Row(query);
  if (!row.out_of_domain.empty()) return bound.Skip(row.out_of_domain);
  const Merge merge(merged, whole.problem().c().dtype);
  const auto judge = [&](Operand op, const Index& at, reference::Judged judged, double radius) {
    judged.radius += radius;
    CompareWith(judged, op, at, "two parts merged", whole, bound);
  };
  judge(Operand::lse, query, merge.Lse(), row.lse.radius);
  for (Index at = query; at.d < whole.problem().Columns(Operand::o); ++at.d) {
    const reference::Judged out = merge.Out(
        at.d, {parts[0]->problem().Real(Operand::o, at), parts[1]->problem().Real(Operand::o, at)});
    judge(Operand::o, at, out, row.out[static_cast<size_t>(at.d)].radius);
  }
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const KernelTraits& traits = kernel.traits;
  Case c = WithAllowedFill(traits, original);
  c.backward = false;
  const bool causal = c.mask == Mask::causal_br && SplitsCausal(traits);
  if ((c.mask != Mask::none && !causal) || c.bias != Bias::none || c.holes > 0 || c.sink ||
      c.dropout > 0) {
    return Verdict::NotApplicable("a mask, a bias, a sink or dropout that does not split");
  }
  const int longest = *std::max_element(c.lens_k.begin(), c.lens_k.end());
  const int m = static_cast<int>((HashOf({c.seed, 16}) >> 32) % static_cast<uint64_t>(longest + 1));
  for (bool last : {false, true}) {
    const std::string why = Unsupported(traits, PassesOf(kernel), PartOf(c, m, last));
    if (!why.empty()) return Verdict::NotApplicable("a part: " + why);
  }
  Problem whole(c), before = Part(whole, m, false), after = Part(whole, m, true);
  for (Problem* problem : {&whole, &before, &after}) {
    if (auto verdict = Run(kernel, *problem)) return *verdict;
  }
  RunOracle one(kernel, whole, "one call");
  RunOracle first(kernel, before, "first part"), second(kernel, after, "last part");
  WithinBound bound;
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < c.heads; ++at.h) {
      for (at.i = 0; at.i < whole.RealRows(Operand::o, at.b); ++at.i) {
        if (SeesNothing(c, at.b, at.h, at.i)) continue;
        const auto promised = [&](const Problem& part) {
          return IsPromised(traits, part.c(), Operand::o, at) &&
                 IsPromised(traits, part.c(), Operand::lse, at);
        };
        if (!promised(before) || !promised(after)) continue;
        JudgeQuery({&first, &second}, one, at, bound);
      }
    }
  }
  return bound.verdict(traits.numerics);
}

PADPROOF_PROPERTY({.name = "split_invariance",
                   .statement = "two calls over parts of the keys, merged by their LSE, give what "
                                "one call over all keys gives, within the derived bound",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
