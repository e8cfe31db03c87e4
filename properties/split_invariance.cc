// split_invariance
//
//   the keys [0, n1) and [n1, n) of each sequence in two calls, merged by their LSE in fp64:
//     w_s = exp(LSE_s - LSE'),  LSE' = ln(exp LSE_1 + exp LSE_2),  O' = w_1 O_1 + w_2 O_2
//     |O - O'| <= r + R     |LSE - LSE'| <= r_lse + R_lse
//
// against one call over all of them, as ring attention, split KV and FlashInfer's merge_state do.
//
// Preconditions: the row has a forward and returns LSE; mask none, or causal:br where the row takes
// window:br too, which says what a part without the last keys sees; no ALiBi and no holes, which
// count keys from an end, and no sink, which would count twice. A part without a visible key, also
// by n1 = 0, belongs to it if the row promises O = 0 and LSE = -inf there.
//
// R: let e_s be the largest error of the stored LSE_s and p_s that of O_s, bound and rounding to
// storage, and w_s, O_s, LSE' from here on the exact ones, w^_s what the stored LSE_s give. With
// d = error of LSE_1 - error of LSE_2, |d| <= e_1 + e_2:
//   w^_1 - w_1 = w_1 w_2 (e^d - 1) / (w_1 e^d + w_2) = -(w^_2 - w_2)
// whose denominator is at least 1 for d >= 0 and at least e^d for d < 0, so that in both cases
//   |w^_1 - w_1| <= w_1 w_2 (e^(e_1 + e_2) - 1) =: q
//   |merged - O'| = |(w^_1 - w_1)(O_1 - O_2) + sum_s w^_s (stored O_s - O_s)|
//                <= q |O_1 - O_2| + w^_1 p_1 + w^_2 p_2 = R
// and ln sum exp grows with each LSE_s: -ln sum w_s e^-e_s and ln sum w_s e^e_s are how far it can
// be off, of which by convexity the second is the larger: R_lse.
//
// Why a bound and not bits: the parts are rounded to storage, and sums run in another order.

#include <algorithm>
#include <array>
#include <cmath>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/run_oracle.h"
#include "properties/support/twins.h"
#include "reference/bounds.h"

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

/// What one part gives of a query: its stored LSE and how far off it may be.
struct PartRow {
  const reference::ForwardRow* row = nullptr;
  double lse = 0, lse_error = 0;  // as stored
  double weight = 0;              // exact, of the merge
  double merged_weight = 0;       // by the stored LSEs

  bool empty() const { return row->visible == 0; }
};

/// A query on its way through the merge.
class Merge {
 public:
  Merge(std::array<RunOracle*, 2> parts, RunOracle& whole, const Index& at)
      : problems_{&parts[0]->problem(), &parts[1]->problem()}, whole_(whole), at_(at) {
    for (size_t s = 0; s < 2; ++s) {
      const reference::ForwardRow& row = parts[s]->Row(at);
      parts_[s].row = &row;
      parts_[s].lse = problems_[s]->Real(Operand::lse, at);
      if (row.visible == 0) continue;
      const reference::Judged& lse = row.lse;
      const double most = std::fabs(lse.centre) + lse.radius;
      parts_[s].lse_error = lse.radius + reference::HalfUlp(Dtype::f32, most);
    }
    const double exact[2] = {Exact(0), Exact(1)}, stored[2] = {parts_[0].lse, parts_[1].lse};
    const double total = Merged(exact);
    lse_ = Merged(stored);
    for (size_t s = 0; s < 2; ++s) {
      parts_[s].weight = std::exp(exact[s] - total);
      parts_[s].merged_weight = std::exp(stored[s] - lse_);
    }
  }

  /// "" or why nothing is proven about it.
  std::string OutOfDomain() const {
    for (const PartRow& part : parts_) {
      if (!part.row->out_of_domain.empty()) return part.row->out_of_domain;
    }
    return whole_.Row(at_).out_of_domain;
  }

  void JudgeLse(WithinBound& bound) const {
    double growth = 0;
    for (const PartRow& part : parts_) {
      if (!part.empty()) growth += part.weight * std::expm1(part.lse_error);
    }
    Judge(Operand::lse, at_, lse_, std::log1p(growth) + 0x1p-48 * std::fabs(lse_),
          whole_.Row(at_).lse.radius, bound);
  }

  void JudgeOut(WithinBound& bound) const {
    const Dtype dtype = whole_.problem().c().dtype;
    const double error = parts_[0].lse_error + parts_[1].lse_error;
    double weights = parts_[0].weight * parts_[1].weight * std::expm1(error) * (1 + 1e-6);
    if (!(weights <= 1)) weights = 1;
    for (Index at = at_; at.d < whole_.problem().Columns(Operand::o); ++at.d) {
      double merged = 0, parts = 0, apart = 0, difference = 0, magnitude = 0;
      bool overflows = false;
      for (size_t s = 0; s < 2; ++s) {
        const reference::Judged& out = parts_[s].row->out[static_cast<size_t>(at.d)];
        const double stored = problems_[s]->Real(Operand::o, at);
        const double most = std::fabs(out.centre) + out.radius;
        const double rounding = parts_[s].empty() ? 0 : reference::HalfUlp(dtype, most);
        merged += parts_[s].merged_weight * stored;
        parts += parts_[s].merged_weight * (out.radius + rounding);
        magnitude += most;
        apart += out.radius;
        difference += s == 0 ? out.centre : -out.centre;
        overflows = overflows || most > FactsOf(dtype).max_finite;
      }
      if (overflows) {
        bound.Skip("O of a part stored");
        continue;
      }
      const double radius =
          weights * (std::fabs(difference) + apart) + parts + 0x1p-40 * parts + 0x1p-48 * magnitude;
      Judge(Operand::o, at, merged, radius, whole_.Row(at_).out[static_cast<size_t>(at.d)].radius,
            bound);
    }
  }

 private:
  double Exact(size_t s) const { return parts_[s].empty() ? -INFINITY : parts_[s].row->lse.centre; }

  static double Merged(const double* lse) {
    const double most = std::max(lse[0], lse[1]);
    if (std::isnan(lse[0]) || std::isnan(lse[1])) return NAN;
    return most + std::log(std::exp(lse[0] - most) + std::exp(lse[1] - most));
  }

  void Judge(Operand op, const Index& at, double merged, double radius, double whole,
             WithinBound& bound) const {
    const double both = radius + whole;
    CompareWith({.centre = merged, .radius = both >= 0 ? both : INFINITY}, op, at,
                "two parts merged", whole_, bound);
  }

  std::array<const Problem*, 2> problems_;
  std::array<PartRow, 2> parts_;
  RunOracle& whole_;
  Index at_;
  double lse_ = 0;
};

Verdict Check(const KernelRow& kernel, const Case& original) {
  const KernelTraits& traits = kernel.traits;
  Case c = WithAllowedFill(traits, original);
  c.backward = false;
  const bool causal = c.mask == Mask::causal_br && SplitsCausal(traits);
  if ((c.mask != Mask::none && !causal) || c.bias != Bias::none || c.holes > 0 || c.sink) {
    return Verdict::NotApplicable("a mask, a bias or a sink that does not split");
  }
  const int longest = *std::max_element(c.lens_k.begin(), c.lens_k.end());
  const int m = static_cast<int>((HashOf({c.seed, 16}) >> 32) % static_cast<uint64_t>(longest + 1));
  for (bool last : {false, true}) {
    const std::string why =
        Unsupported(traits, true, kernel.backward != nullptr, PartOf(c, m, last));
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
        const Merge merge({&first, &second}, one, at);
        if (const std::string why = merge.OutOfDomain(); !why.empty()) {
          bound.Skip(why);
          continue;
        }
        merge.JudgeLse(bound);
        merge.JudgeOut(bound);
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
