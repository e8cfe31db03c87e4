// The forward oracle: O and LSE of one row with their bounds, in the three steps of README.md.

#include "reference/attention.h"

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
  std::vector<double> largest;   // p_j e^{D_j}
  double smallest_sum = 0;       // L: the least that sum_j p_j e^{+-D_j} can be
  double total = 0;              // sum_j a_j / L
};

WeightErrors WeightErrorsOf(const Scores& scores, const std::vector<double>& errors) {
  WeightErrors w;
  for (size_t j = 0; j < errors.size(); ++j) {
    const double p = scores.p[j], log_p = scores.s[j] - scores.lse, e = errors[j];
    w.largest.push_back(std::exp(log_p + e));
    w.absolute.push_back((e < 0.5 ? p * std::expm1(e) : w.largest[j] - p) + kFlush);
    w.smallest_sum += std::exp(log_p - e);
    w.total += w.absolute[j];
  }
  w.total /= w.smallest_sum;
  return w;
}

/// The same with the error of the heaviest key attributed to the shift, which is common to all and
/// cancels: tight for one-hot rows with huge logits.
std::vector<double> PivotedOn(const Scores& scores, std::vector<double> errors) {
  const size_t heaviest =
      static_cast<size_t>(std::max_element(scores.p.begin(), scores.p.end()) - scores.p.begin());
  const double error = errors[heaviest];
  for (double& e : errors) e += error;
  errors[heaviest] = 0;
  return errors;
}

/// Sums over the visible keys of one column c of V.
struct Column {
  double o = 0;           // sum p v
  double hull = 0;        // max |v - o|
  double weight = 0;      // sum a |v - o|
  double spread = 0;      // sum p |v - o|
  double largest = 0;     // sum p e^D |v|
  double underflow = 0;   // sum min(eta_p, p e^D / L) |v|
  double value_max = 0;   // max |v|
  double absolute = 0;    // sum a |v|
  double range = 0;       // highest - lowest sum of p v over the first keys, however many
  double two_blocks = 0;  // largest sum of p |v| over two blocks of keys side by side
};

/// Sums over the first keys, for kernels that add in order.
class Prefixes {
 public:
  explicit Prefixes(int block) : block_(static_cast<size_t>(std::max(1, block))) {}
  void Add(size_t j, double weighted) {
    if (j % block_ == 0) before_ = std::exchange(here_, 0.0);
    here_ += std::fabs(weighted);
    sum_ += weighted;
    lowest_ = std::min(lowest_, sum_);
    highest_ = std::max(highest_, sum_);
    two_blocks_ = std::max(two_blocks_, before_ + here_);
  }
  void Store(double& range, double& two_blocks) const {
    range = highest_ - lowest_;
    two_blocks = two_blocks_;
  }

 private:
  size_t block_;
  double sum_ = 0, lowest_ = 0, highest_ = 0, before_ = 0, here_ = 0, two_blocks_ = 0;
};

std::vector<Column> ColumnsOf(const Head& head, const Scores& scores, const WeightErrors& w,
                              const NumericsProfile& profile) {
  const size_t dim = static_cast<size_t>(head.dim), n = static_cast<size_t>(scores.n);
  const double eta = profile.p_underflow;
  std::vector<Column> columns(dim);
  std::vector<Prefixes> prefixes(profile.in_order_keys > 0 ? dim : 0,
                                 Prefixes(profile.in_order_keys));
  for (size_t j = 0; j < n; ++j) {
    for (size_t c = 0; c < dim; ++c) columns[c].o += scores.p[j] * head.v[j * dim + c];
    for (size_t c = 0; c < prefixes.size(); ++c) {
      prefixes[c].Add(j, scores.p[j] * head.v[j * dim + c]);
    }
  }
  for (size_t c = 0; c < prefixes.size(); ++c) {
    prefixes[c].Store(columns[c].range, columns[c].two_blocks);
  }
  for (size_t j = 0; j < n; ++j) {
    const double underflow = Cap(w.largest[j] / w.smallest_sum, eta);
    for (size_t c = 0; c < dim; ++c) {
      Column& column = columns[c];
      const double v = head.v[j * dim + c], deviation = std::fabs(v - column.o);
      column.hull = std::max(column.hull, deviation);
      column.weight += w.absolute[j] * deviation;
      column.absolute += w.absolute[j] * std::fabs(v);
      column.spread += scores.p[j] * deviation;
      column.largest += w.largest[j] * std::fabs(v);
      column.underflow += underflow * std::fabs(v);
      column.value_max = Larger(column.value_max, std::fabs(v));
    }
  }
  return columns;
}

/// Relative error of what divides the output, common to the row: row sum, reciprocal and final
/// multiplication. Splits may be combined without a division, as FlashAttention-2 does: each split
/// stores its normalised O and its LSE, and weighs exp(its LSE - LSE of all). The rounding of that
/// last LSE, the logarithm in it, and the sum below the logarithm then scale the whole row.
double DivisionError(const Scores& scores, const NumericsProfile& profile, double rescales) {
  double error = Gamma(scores.n + rescales) + 6 * kUnit;
  if (profile.split != 0) {
    error += std::expm1(1.01 * kUnit * (std::fabs(scores.lse) + 1) + kLogError +
                        8 * kUnit * std::log(static_cast<double>(scores.n)) + profile.exp_error);
  }
  return Quotient(error);
}

/// The largest that a sum on its way may be: any part of all, or, in order, what the first keys sum
/// to and a part of the block in work, with the errors of what is added.
double PartialOf(const Column& column, const WeightErrors& w, const NumericsProfile& profile,
                 double sum) {
  if (profile.in_order_keys <= 0) return sum;
  const double errors = column.absolute / w.smallest_sum + PairRounding(profile) * sum;
  return Cap(column.range + column.two_blocks + 2 * errors, sum);
}

Judged OutputOf(const Column& column, const WeightErrors& w, const NumericsProfile& profile,
                double n, double rescales, double division) {
  const double o = std::fabs(column.o), u_p = profile.p_rounding, u_pv = PairRounding(profile);
  const double weights = Cap(column.weight / w.smallest_sum, column.hull);
  const double sum = Cap(column.largest / w.smallest_sum, column.value_max);
  double rounded = sum;
  if (profile.row_sum_of_rounded_p != 0) {
    rounded = std::max(sum, std::min(1.01 * column.spread + weights, sum + o));
  }
  Budget budget;
  budget.Add("errors of scores and exponentials", weights);
  budget.Add("rounding of P", u_p * rounded + (u_pv - u_p) * sum);
  const double chain = Gamma(Units(profile, n) + rescales) * (1 + u_pv);
  budget.Add("the sum over keys", chain * PartialOf(column, w, profile, sum) +
                                      (profile.in_order_keys > 0 ? kUnit * sum : 0));
  budget.Add("underflow", Cap(column.underflow, n * profile.p_underflow * column.value_max) +
                              (2 * n + 2 * rescales + 4) * kFlush);
  budget.Add("row sum and division", (o + budget.bound()) * division);
  return budget.Around(column.o);
}

Judged LseOf(const Scores& scores, const std::vector<double>& errors,
             const NumericsProfile& profile, double rescales) {
  // The shift does not cancel here: errors of the exponents count without a pivot.
  double high = 0, low = 0;
  for (size_t j = 0; j < errors.size(); ++j) {
    high += std::exp(scores.s[j] - scores.lse + errors[j]);
    low += std::exp(scores.s[j] - scores.lse - errors[j]);
  }
  const double n = scores.n;
  Budget budget;
  budget.Add("errors of scores and exponentials",
             low > 0 ? std::max(std::log(high), -std::log(low)) : kInfinity);
  budget.Add("the row sum", 1.01 * Gamma(n + rescales) + 2 * n * kFlush);
  budget.Add("the logarithm",
             kLogError + 6 * kUnit * (std::fabs(std::log(scores.sum)) + LagOf(profile)));
  budget.Add("adding the maximum", 5 * kUnit * (std::fabs(scores.max) + LagOf(profile)) +
                                       2 * kUnit * std::fabs(scores.lse));
  if (profile.row_sum_of_rounded_p != 0) budget.Add("rounding of P", profile.p_rounding);
  return budget.Around(scores.lse);
}

}  // namespace

Head ReadHead(const Problem& problem, int b, int h) {
  const Case& c = problem.c();
  Head head;
  head.len_q = problem.RealRows(Operand::q, b);
  head.len_k = problem.RealRows(Operand::k, b);
  head.dim = c.dim;
  head.dtype = c.dtype;
  head.scale = static_cast<double>(SoftmaxScale(c));
  for (int i = 0; i < head.len_q; ++i) head.visible.push_back(VisibleKeys(c, b, i).last);
  const auto read = [&](Operand op) {
    std::vector<double> values;
    for (int i = 0; i < problem.RealRows(op, b); ++i) {
      for (int d = 0; d < problem.Columns(op); ++d)
        values.push_back(problem.Real(op, {b, h, i, d}));
    }
    return values;
  };
  head.q = read(Operand::q);
  head.k = read(Operand::k);
  head.v = read(Operand::v);
  if (c.backward) {
    head.o = read(Operand::o);
    head.lse = read(Operand::lse);
    head.d_o = read(Operand::d_o);
  }
  return head;
}

ForwardRow Forward(const Head& head, const NumericsProfile& profile, int i) {
  ForwardRow row;
  const Scores scores = ScoresOf(head, profile, i);
  row.visible = scores.n;
  row.out.resize(static_cast<size_t>(head.dim));
  if (scores.n == 0) {
    row.lse.centre = -kInfinity;
    return row;
  }
  row.p = scores.p;
  const std::vector<double> rescales = RescalesOf(scores, profile);
  const double most_rescales = *std::max_element(rescales.begin(), rescales.end());
  const std::vector<double> errors = ExponentErrors(scores, rescales, profile);

  WeightErrors w = WeightErrorsOf(scores, errors);
  WeightErrors pivoted = WeightErrorsOf(scores, PivotedOn(scores, errors));
  if (!(w.total <= pivoted.total)) w = std::move(pivoted);

  const double n = scores.n;
  const double division = DivisionError(scores, profile, most_rescales);
  double value_max = 0;
  const std::vector<Column> columns = ColumnsOf(head, scores, w, profile);
  for (size_t c = 0; c < columns.size(); ++c) {
    row.out[c] = OutputOf(columns[c], w, profile, n, most_rescales, division);
    value_max = Larger(value_max, columns[c].value_max);
  }
  row.lse = LseOf(scores, errors, profile, most_rescales);
  row.out_of_domain = DomainOf(head, scores, profile, value_max);

  // One-hot V reads each weight by itself: errors of the weights cancel in their sum.
  const double each =
      (1 + PairRounding(profile)) * (1 + Gamma(Units(profile, n) + most_rescales)) * (1 + division);
  row.row_sum_radius =
      each - 1 + n * 1.01 * (profile.p_underflow + (2 * most_rescales + 8) * kFlush);
  return row;
}

double RowSumRadius(const ForwardRow& row, Dtype dtype, int reads) {
  const DtypeFacts facts = FactsOf(dtype);
  return (1 + row.row_sum_radius) * (1 + facts.unit_roundoff) - 1 + reads * facts.eta + 0x1p-40;
}

ForwardRow Forward(const Problem& problem, const NumericsProfile& profile, int b, int h, int i) {
  return Forward(ReadHead(problem, b, h), profile, i);
}

void StoreForward(Problem& problem) {
  const Case& c = problem.c();
  for (int b = 0; b < c.batch(); ++b) {
    for (int h = 0; h < c.heads; ++h) {
      const Head head = ReadHead(problem, b, h);
      for (int i = 0; i < head.len_q; ++i) {
        const ForwardRow row = Forward(head, NumericsProfile{}, i);
        problem.SetReal(Operand::lse, {b, h, i, 0}, row.lse.centre);
        for (int d = 0; d < c.dim; ++d) {
          problem.SetReal(Operand::o, {b, h, i, d}, row.out[static_cast<size_t>(d)].centre);
        }
      }
    }
  }
}

}  // namespace padproof::reference
