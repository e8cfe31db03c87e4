// O and LSE of one row with their bounds, by its scores: weights, sums over the keys, division.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "reference/bounds.h"

namespace padproof::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Absolute error of the logarithm of the row sum, 2^-21.407, for arguments in [0.5, 2].
const double kLogError = std::exp2(-21.407);

/// The smaller of a bound, which may have become infinite or NaN by overflow, and a fallback.
double Cap(double bound, double fallback) { return bound <= fallback ? bound : fallback; }

/// What errors D_j of the exponents do to the weights.
struct WeightErrors {
  std::vector<double> absolute;  // a_j: error of p_j before normalisation
  double smallest_sum = 0;       // L: the least that sum_j p_j e^{+-D_j} can be
  double growth = 0;             // sum_j p_j (e^{D_j} - 1)
  double sum = 0;                // sum_j a_j
  double total = 0;              // the same over L
};

WeightErrors WeightErrorsOf(const Scores& scores, const std::vector<double>& errors) {
  WeightErrors w;
  w.absolute.resize(errors.size());
  double growth = 0, smallest_sum = 0;
  for (size_t j = 0; j < errors.size(); ++j) {
    const double p = scores.p[j], e = errors[j];
    // A weight that is 0 in fp64 may grow by more than fp64 holds.
    const double grown = e < 0.5 ? p * GrowthOf(e) : std::exp(scores.s[j] - scores.lse + e) - p;
    w.absolute[j] = grown + kFlush;
    growth += grown;
    smallest_sum += p * DecayOf(e);
  }
  w.growth = growth;
  w.smallest_sum = smallest_sum;
  w.sum = growth + static_cast<double>(errors.size()) * kFlush;
  w.total = w.sum / w.smallest_sum;
  return w;
}

/// The same with the error of the heaviest term attributed to the shift, which is common to all and
/// cancels: tight for one-hot rows with huge logits.
std::vector<double> PivotedOn(size_t heaviest, std::vector<double> errors) {
  const double error = errors[heaviest];
  for (double& e : errors) e += error;
  errors[heaviest] = 0;
  return errors;
}

/// Sums over the visible keys for each column of V; v stands for v times what dropout makes of it.
struct Columns {
  std::vector<double> o;            // sum p v
  std::vector<double> sum;          // sum p |v|
  std::vector<double> weight;       // sum a |v - o|
  std::vector<double> spread;       // sum p |v - o|; where the row sum takes rounded P
  std::vector<double> underflow;    // sum min(eta_p, p e^D / L) |v|
  std::vector<double> range;        // highest - lowest sum of p v over the first blocks of keys
  std::vector<double> two_blocks;   // largest sum of p |v| over two blocks of keys side by side
  std::vector<double> hull, value;  // max |v - o|, max |v|; infinite where they bound nothing
};

/// One row of the forward on its way.
struct RowInput {
  const HeadPanels& panels;
  const Scores& scores;
  const NumericsProfile& profile;
  std::vector<double> kept;  // [n] 0 or the scale of dropout; empty without it
  std::vector<double> pv;    // [n] P as it meets V

  /// P is stored, scaled by dropout, and stored again.
  bool stores_twice() const { return !kept.empty() && profile.score_rounding > 0; }
  const double* kept_or_null() const { return kept.empty() ? nullptr : kept.data(); }
  size_t dim() const { return static_cast<size_t>(panels.head.dim_v); }
  Rows values(size_t first, size_t count) const {
    return {panels.head.v.data(), panels.head.dim_v, scores.keys.data() + first,
            static_cast<int>(count)};
  }
  Rows values() const { return values(0, scores.keys.size()); }
};

/// O, and for kernels that add in order what bounds their partial sums. Their blocks of keys end
/// elsewhere than ours. Say one of theirs begins inside a block of ours: what it has added before
/// is the sum up to the beginning of our block and some keys of that, and it adds some of the keys
/// after them in that block and the next. So no partial sum is further from a sum at an end of our
/// blocks than two blocks side by side hold; walks from the last key to the first likewise, whose
/// sums are differences of two of ours. Masked keys add nothing, so that a block of theirs never
/// holds more visible keys than one of ours.
void AddOutputs(const RowInput& in, Columns& columns) {
  const size_t dim = in.dim(), n = in.scores.keys.size();
  columns.o.assign(dim, 0);
  columns.sum.assign(dim, 0);
  if (in.profile.in_order_keys <= 0) {
    AddRowsAndMagnitudes(in.values(), in.pv.data(), columns.o.data(), columns.sum.data());
    return;
  }
  columns.two_blocks.assign(dim, 0);
  std::vector<double> lowest(dim), highest(dim), before(dim), here(dim);
  const auto block = static_cast<size_t>(in.profile.in_order_keys);
  for (size_t first = 0; first < n; first += block) {
    std::fill(here.begin(), here.end(), 0.0);
    AddRowsAndMagnitudes(in.values(first, std::min(block, n - first)), in.pv.data() + first,
                         columns.o.data(), here.data());
    for (size_t c = 0; c < dim; ++c) {
      columns.sum[c] += here[c];
      lowest[c] = std::min(lowest[c], columns.o[c]);
      highest[c] = std::max(highest[c], columns.o[c]);
      columns.two_blocks[c] = std::max(columns.two_blocks[c], before[c] + here[c]);
    }
    std::swap(before, here);
  }
  columns.range.resize(dim);
  for (size_t c = 0; c < dim; ++c) columns.range[c] = highest[c] - lowest[c];
}

/// Largest |v - o| and |v|. Nothing else is within a factor of 1 + `total` of them.
void AddHull(const RowInput& in, double total, Columns& columns) {
  const size_t dim = in.dim(), n = in.scores.keys.size();
  const bool needed = !(total <= 1.0 / 64);
  columns.hull.assign(dim, needed ? 0 : kInfinity);
  columns.value = columns.hull;
  if (!needed) return;
  for (size_t c = 0; c < dim; ++c) {
    for (size_t j = 0; j < n; ++j) {
      const double kept = in.kept.empty() ? 1 : in.kept[j];
      const double v = kept * in.panels.head.v[static_cast<size_t>(in.scores.keys[j]) * dim + c];
      columns.hull[c] = std::max(columns.hull[c], std::fabs(v - columns.o[c]));
      columns.value[c] = Larger(columns.value[c], std::fabs(v));
    }
    if (in.scores.has_sink) columns.hull[c] = std::max(columns.hull[c], std::fabs(columns.o[c]));
  }
}

/// Weights below what the type of P holds. Half a subnormal of bf16 is nothing, whatever V.
void AddUnderflow(const RowInput& in, const WeightErrors& w, Columns& columns) {
  const double eta = in.profile.p_underflow;
  columns.underflow.assign(in.dim(), 0);
  if (eta == 0) return;
  double most = 0;
  std::vector<double> lost(in.scores.keys.size());
  for (size_t j = 0; j < lost.size(); ++j) {
    const double kept = in.kept.empty() ? 1 : in.kept[j];
    const double p = (in.scores.p[j] + w.absolute[j]) / w.smallest_sum;
    lost[j] = kept * Cap(p, eta);
    if (in.stores_twice() && kept > 0) lost[j] += Cap(kept * p, eta);
    const int key = in.scores.keys[j] - in.panels.range.first;
    most += lost[j] * in.panels.value_max[static_cast<size_t>(key)];
  }
  if (eta < 0x1p-60) {
    columns.underflow.assign(in.dim(), most);
  } else {
    AddRows<0, 1>(in.values(), {lost.data()}, {columns.underflow.data()});
  }
}

Columns ColumnsOf(const RowInput& in, const WeightErrors& w) {
  const Scores& scores = in.scores;
  Columns columns;
  AddOutputs(in, columns);
  const auto deviations = [&](const std::vector<double>& weights) {
    std::vector<double> sums(in.dim());
    AddDeviations(in.values(), weights.data(), in.kept_or_null(), columns.o.data(), sums.data());
    if (scores.has_sink) {
      for (size_t c = 0; c < sums.size(); ++c) sums[c] += weights.back() * std::fabs(columns.o[c]);
    }
    return sums;
  };
  columns.weight = deviations(w.absolute);
  if (in.profile.row_sum_of_rounded_p != 0) columns.spread = deviations(scores.p);
  AddHull(in, w.total, columns);
  AddUnderflow(in, w, columns);
  return columns;
}

/// Relative error of what divides the output, common to the row: row sum, reciprocal and final
/// multiplication. Splits may be combined without a division, as FlashAttention-2 does: each split
/// stores its normalised O and its LSE, and weighs exp(its LSE - LSE of all). The rounding of that
/// last LSE, the logarithm in it, and the sum below the logarithm then scale the whole row.
double DivisionError(const Scores& scores, const NumericsProfile& profile, double rescales) {
  const auto terms = static_cast<double>(scores.terms());
  double error = Gamma(terms + rescales) + 6 * kUnit;
  if (profile.split != 0) {
    error += std::expm1(1.01 * kUnit * (std::fabs(scores.lse) + 1) + kLogError +
                        8 * kUnit * std::log(terms) + profile.exp_error);
  }
  return Quotient(error);
}

/// What is the same for all columns of a row.
struct RowErrors {
  const WeightErrors& weights;
  double n = 0, rescales = 0;
  double chain = 0;     // of the sum over keys
  double division = 0;  // of what divides it
  double dropout = 0;   // of P through its scale
};

Judged OutputOf(const RowInput& in, const Columns& columns, size_t c, const RowErrors& e) {
  const NumericsProfile& profile = in.profile;
  const WeightErrors& w = e.weights;
  const double o = std::fabs(columns.o[c]), u_p = profile.p_rounding;
  const double u_pv = PairRounding(profile);
  const double weights = Cap(columns.weight[c] / w.smallest_sum, columns.hull[c]);
  // sum a |v| <= sum a |v - o| + |o| sum a.
  const double absolute = columns.weight[c] + o * w.sum;
  const double sum = Cap((columns.sum[c] + absolute) / w.smallest_sum, columns.value[c]);
  double rounded = sum;
  if (profile.row_sum_of_rounded_p != 0) {
    rounded = in.kept.empty() ? std::max(sum, std::min(1.01 * columns.spread[c] + weights, sum + o))
                              : sum + o;
  }
  // The largest that a sum on its way may be: any part of all, or, in order, what the first keys
  // sum to and a part of the blocks in work, with the errors of what is added.
  double partial = sum;
  if (profile.in_order_keys > 0) {
    const double errors = absolute / w.smallest_sum + PairRounding(profile) * sum;
    partial = Cap(columns.range[c] + columns.two_blocks[c] + 2 * errors, sum);
  }
  const double keep = std::max(1.0, in.panels.head.keep_scale);
  Budget budget;
  budget.Add("errors of scores and exponentials", weights);
  budget.Add("rounding of P", u_p * rounded + (u_pv - u_p) * sum + e.dropout * sum);
  budget.Add("the sum over keys", e.chain * (1 + u_pv) * (1 + e.dropout) * partial +
                                      (profile.in_order_keys > 0 ? kUnit * sum : 0));
  double underflow = (2 * e.n + 2 * e.rescales + 4) * kFlush * keep;
  if (profile.p_underflow > 0) {
    const double most = e.n * profile.p_underflow * columns.value[c];
    underflow += Cap(columns.underflow[c], in.stores_twice() ? 2 * most : most);
  }
  budget.Add("underflow", underflow);
  budget.Add("row sum and division", (o + budget.bound()) * e.division);
  return budget.Around(columns.o[c]);
}

/// The sum of P as it meets V: O for V = 1, where the errors of weights cancel but for those of
/// dropped keys and of the sink.
void JudgeRowSum(const RowInput& in, const RowErrors& e, ForwardRow& row) {
  const bool whole = in.kept.empty() && !in.scores.has_sink;
  const WeightErrors& w = e.weights;
  row.row_sum = 0;
  for (double p : in.pv) row.row_sum += p;
  double weights = 0;
  for (size_t j = 0; j < w.absolute.size(); ++j) {
    const double one = j >= in.pv.size() ? 0 : in.kept.empty() ? 1 : in.kept[j];
    weights += w.absolute[j] * std::fabs(one - row.row_sum);
  }
  weights = whole ? 0 : weights / w.smallest_sum;
  if (whole) row.row_sum = 1;
  double each = (1 + PairRounding(in.profile)) * (1 + e.chain) * (1 + e.division) * (1 + e.dropout);
  double eta = in.profile.p_underflow * (in.stores_twice() ? 2 : 1);
  // What rounds in the row sum is what rounds above it, unless that lacks keys.
  if (in.profile.row_sum_of_rounded_p != 0 && !whole) {
    each *= 1 + Quotient(in.profile.p_rounding);
    eta += in.profile.p_underflow;
  }
  const double most = row.row_sum + weights;  // 0: all keys are dropped, whatever the division
  row.row_sum_radius =
      (most == 0 ? 0 : most * each) - row.row_sum +
      e.n * 1.01 * std::max(1.0, in.panels.head.keep_scale) * (eta + (2 * e.rescales + 8) * kFlush);
  if (!(row.row_sum_radius >= 0)) row.row_sum_radius = kInfinity;  // NaN: nothing is known
}

Judged LseOf(const Scores& scores, const WeightErrors& w, const std::vector<double>& errors,
             const NumericsProfile& profile, double rescales) {
  // The shift does not cancel here: errors of the exponents count without a pivot. Neither sum is
  // further off than by the largest of them, also where fp64 does not hold what it may grow to.
  const double largest = LargestOf(errors.data(), errors.size());
  const double summed = Larger(std::log1p(w.growth), -std::log(w.smallest_sum));
  const auto terms = static_cast<double>(scores.terms());
  const double gap = LagOf(profile) + scores.sink_gap();
  Budget budget;
  budget.Add("errors of scores and exponentials", Cap(summed, largest));
  budget.Add("the row sum", 1.01 * Gamma(terms + rescales) + 2 * terms * kFlush);
  budget.Add("the logarithm", kLogError + 6 * kUnit * (std::fabs(std::log(scores.sum)) + gap));
  budget.Add("adding the maximum",
             5 * kUnit * (std::fabs(scores.max) + gap) + 2 * kUnit * std::fabs(scores.lse));
  if (profile.row_sum_of_rounded_p != 0) budget.Add("rounding of P", profile.p_rounding);
  return budget.Around(scores.lse);
}

}  // namespace

std::vector<double> KeptOf(const Head& head, const Scores& scores, int i) {
  std::vector<double> kept;
  if (head.dropped.empty()) return kept;
  const size_t row = static_cast<size_t>(i) * static_cast<size_t>(head.len_k);
  for (int key : scores.keys) {
    kept.push_back(head.dropped[row + static_cast<size_t>(key)] != 0 ? 0 : head.keep_scale);
  }
  return kept;
}

void JudgeRow(const HeadPanels& panels, const Scores& scores, const NumericsProfile& profile, int i,
              const std::vector<double>& rescales, const std::vector<double>& errors,
              ForwardRow& row) {
  const double most_rescales = LargestOf(rescales.data(), rescales.size());
  WeightErrors w = WeightErrorsOf(scores, errors);
  row.lse = LseOf(scores, w, errors, profile, most_rescales);
  if (scores.n == 0) return;  // O = 0, exactly
  // With a weight of at most 1/2 the errors that a pivot adds to the others are no less than its
  // own.
  if (!(scores.sum >= 2)) {
    const auto heaviest = std::max_element(scores.p.begin(), scores.p.end());
    const auto at = static_cast<size_t>(heaviest - scores.p.begin());
    WeightErrors pivoted = WeightErrorsOf(scores, PivotedOn(at, errors));
    if (!(w.total <= pivoted.total)) w = std::move(pivoted);
  }
  RowInput in{panels, scores, profile, KeptOf(panels.head, scores, i), scores.p};
  in.pv.resize(scores.keys.size());
  for (size_t j = 0; j < in.kept.size(); ++j) in.pv[j] *= in.kept[j];
  RowErrors e{.weights = w, .n = static_cast<double>(scores.n), .rescales = most_rescales};
  e.chain = Gamma(Units(profile, scores.n, scores.span) + most_rescales);
  e.division = DivisionError(scores, profile, most_rescales);
  // Its own rounding, that of a product in fp32, and of a stored P scaled and stored again.
  if (!in.kept.empty()) e.dropout = 3 * kUnit;
  if (in.stores_twice()) e.dropout += profile.p_rounding;
  const Columns columns = ColumnsOf(in, w);
  for (size_t c = 0; c < row.out.size(); ++c) row.out[c] = OutputOf(in, columns, c, e);
  JudgeRowSum(in, e, row);
}

}  // namespace padproof::reference
