#include "reference/bounds.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace padproof::reference {
namespace {

/// For each key the length of the longest climb that starts there: a chain of later keys, each of
/// which may be computed to score above the one before, given errors up to `slack` / 2. Running
/// maxima climb strictly, so no order-preserving walk over any subset of the keys, in tiles of any
/// size, moves its maximum more often. `scores` in the order of the walk.
std::vector<int> ClimbsOf(const std::vector<double>& scores, double slack) {
  const size_t n = scores.size();
  std::vector<double> sorted = scores;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = [&](double x) {
    return static_cast<size_t>(std::lower_bound(sorted.begin(), sorted.end(), x) - sorted.begin());
  };
  // A Fenwick tree over ranks from the highest down: the largest climb among scores of at least a
  // rank.
  std::vector<int> tree(n + 1, 0), climbs(n, 0);
  for (size_t j = n; j-- > 0;) {
    int longest = 0;
    for (size_t at = n - rank(scores[j] - slack); at > 0; at &= at - 1) {
      longest = std::max(longest, tree[at]);
    }
    climbs[j] = longest;
    for (size_t at = n - rank(scores[j]); at <= n; at += at & (~at + 1)) {
      tree[at] = std::max(tree[at], longest + 1);
    }
  }
  return climbs;
}

}  // namespace

double Gamma(double roundings) { return Quotient(roundings * kUnit); }

double Quotient(double x) { return x < 1 ? x / (1 - x) : std::numeric_limits<double>::infinity(); }

bool StoresPrescaled(const NumericsProfile& profile, Dtype dtype) {
  return profile.qk_scale_rounding >= FactsOf(dtype).unit_roundoff;
}

double LagOf(const NumericsProfile& profile) { return profile.max_lag * std::log(2.0); }

double PairRounding(const NumericsProfile& profile) {
  return (1 + profile.p_rounding) * (1 + profile.operand_rounding) - 1;
}

double Units(const NumericsProfile& profile, double products) {
  const double simt = profile.accumulation_factor * products;
  if (profile.tensor_block <= 0) return simt;
  // Each of the terms of a block, the accumulator among them, loses less than one unit of the
  // common grid, 2^(1-p) u of the largest; the result of a block is cut off to fp32, 2u.
  const double cut = std::exp2(1 - profile.tensor_extra_bits);
  const double blocks = std::min(products, std::ceil(products / profile.tensor_block) + 1);
  return std::max(simt, products * cut + blocks * (cut + 2));
}

Dot DotOf(const double* x, const double* y, int size) {
  Dot dot;
  double lowest = 0, highest = 0, block = 0, largest_block = 0;
  for (int t = 0; t < size; ++t) {
    const double product = x[t] * y[t], magnitude = std::fabs(product);
    if (t % kBlock == 0) {
      lowest = std::min(lowest, dot.value);
      highest = std::max(highest, dot.value);
      block = 0;
    }
    block += magnitude;
    largest_block = std::max(largest_block, block);
    dot.value += product;
    dot.magnitude += magnitude;
    dot.flushed += 2 * kFlush;
    if (std::fabs(x[t]) < kFlush || std::fabs(y[t]) < kFlush) dot.flushed += magnitude;
  }
  lowest = std::min(lowest, dot.value);
  highest = std::max(highest, dot.value);
  dot.partial = std::min(dot.magnitude, highest - lowest + largest_block);
  return dot;
}

Scores ScoresOf(const Head& head, const NumericsProfile& profile, int i) {
  const int dim = head.dim;
  Scores scores;
  scores.n = head.visible[static_cast<size_t>(i)];
  const size_t n = static_cast<size_t>(scores.n);
  scores.s.resize(n);
  scores.magnitude.resize(n);
  scores.error.resize(n);
  scores.in_order.resize(n);
  scores.p.resize(n);
  if (n == 0) return scores;
  const DtypeFacts facts = FactsOf(head.dtype);
  const double operands = profile.qk_scale_rounding + profile.operand_rounding;
  const double any_order = Gamma(Units(profile, dim) + 2), in_order = Gamma(Units(profile, dim));
  const double* q = head.q.data() + static_cast<size_t>(i) * static_cast<size_t>(dim);
  for (size_t j = 0; j < n; ++j) {
    const double* k = head.k.data() + j * static_cast<size_t>(dim);
    const Dot dot = DotOf(q, k, dim);
    scores.s[j] = head.scale * dot.value;
    scores.magnitude[j] = head.scale * dot.magnitude;
    double& error = scores.error[j];
    error = operands * scores.magnitude[j] + head.scale * dot.flushed + kFlush;
    if (StoresPrescaled(profile, head.dtype)) {  // operands may become subnormal in storage
      for (int t = 0; t < dim; ++t) {
        error += facts.eta * (std::fabs(q[t]) + std::fabs(k[t]) + facts.eta);
      }
    }
    const double stored = 1 + profile.score_rounding;
    error *= stored;
    if (profile.score_rounding > 0) {
      error += profile.score_rounding * std::fabs(scores.s[j]) + facts.eta;
    }
    scores.in_order[j] =
        error + stored * (in_order * head.scale * dot.partial + 3 * kUnit * scores.magnitude[j]);
    error = profile.in_order_keys > 0 ? scores.in_order[j]
                                      : error + stored * any_order * scores.magnitude[j];
  }
  scores.max = *std::max_element(scores.s.begin(), scores.s.end());
  for (double s : scores.s) scores.sum += std::exp(s - scores.max);
  scores.lse = scores.max + std::log(scores.sum);
  for (size_t j = 0; j < n; ++j) scores.p[j] = std::exp(scores.s[j] - scores.max) / scores.sum;
  return scores;
}

std::vector<double> RescalesOf(const Scores& scores, const NumericsProfile& profile) {
  const size_t n = static_cast<size_t>(scores.n);
  const double tile = std::max(1, profile.tile_keys);
  const double cap = scores.n <= tile ? 1 : std::ceil(scores.n / tile) + 1;
  std::vector<double> rescales(n, cap);
  if (cap > 1) {
    const double slack = 2 * *std::max_element(scores.error.begin(), scores.error.end());
    const std::vector<double> backwards(scores.s.rbegin(), scores.s.rend());
    const std::vector<int> up = ClimbsOf(scores.s, slack), down = ClimbsOf(backwards, slack);
    for (size_t j = 0; j < n; ++j) {
      rescales[j] = std::min(cap, static_cast<double>(std::max(up[j], down[n - 1 - j])));
    }
  }
  for (double& r : rescales) r += profile.split;
  return rescales;
}

std::vector<double> ExponentErrors(const Scores& scores, const std::vector<double>& rescales,
                                   const NumericsProfile& profile) {
  const double sigma = profile.split, n = scores.n, lag = LagOf(profile);
  std::vector<double> errors(scores.s.size());
  for (size_t j = 0; j < errors.size(); ++j) {
    const double s = scores.s[j];
    // A shift that lags is below the running maximum, by at most the lag.
    const double shift = std::max(std::fabs(scores.max), std::fabs(s)) + lag;
    errors[j] = scores.error[j] + (1 + 4 * sigma) * kUnit * shift +
                (5 + 3 * sigma) * kUnit * (scores.max - s + lag) +
                (1 + rescales[j] + sigma) * profile.exp_error +
                sigma * (8 + 4 * std::log(n)) * kUnit;
  }
  return errors;
}

std::string Require(const char* what, double value, double limit) {
  if (value < limit) return {};
  char text[120];
  std::snprintf(text, sizeof text, "%s < %.3g", what, limit);
  return text;
}

double Larger(double most, double x) {
  if (std::isnan(x)) return std::numeric_limits<double>::infinity();
  return std::max(most, x);
}

std::string DomainOf(const Head& head, const Scores& scores, const NumericsProfile& profile,
                     double value_max) {
  double magnitude_max = 0, error_max = 0;
  for (size_t j = 0; j < scores.s.size(); ++j) {
    magnitude_max = Larger(magnitude_max, scores.magnitude[j]);
    const double shift = std::max(std::fabs(scores.max), std::fabs(scores.s[j]));
    error_max = Larger(error_max, scores.error[j] + 5 * kUnit * shift);
  }
  std::string why = Require("max |q||k|, summed over d,", magnitude_max / head.scale, 3e38);
  if (why.empty()) why = Require("1.5 max |scale q||k|, summed over d,", 1.5 * magnitude_max, 3e38);
  if (why.empty() && profile.score_rounding > 0 && head.dtype == Dtype::f16) {
    why = Require("max |q||k|, summed over d and stored in f16,",
                  magnitude_max * std::max(1.0, 1 / head.scale), 65000);
  }
  if (why.empty()) {
    why = Require("ln max|v| + ln(256 n) + 2 max exponent error",
                  std::log(std::max(1.0, value_max)) + std::log(256.0 * scores.n) + 2 * error_max,
                  std::log(3e38));
  }
  return why;
}

double HalfUlp(Dtype dtype, double x) {
  const DtypeFacts facts = FactsOf(dtype);
  return facts.unit_roundoff * x + facts.eta;
}

double WithReferenceError(double centre, double bound) {
  bound += (std::fabs(centre) + bound) * 0x1p-45;
  return bound >= 0 ? bound : std::numeric_limits<double>::infinity();  // NaN: nothing is known
}

}  // namespace padproof::reference
