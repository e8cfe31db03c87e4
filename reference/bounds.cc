#include "reference/bounds.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace padproof::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool IsTiny(double x) { return x != 0 && std::fabs(x) < kFlush; }

/// Of the scores of one query: what is the same for all keys.
struct ScoreErrors {
  double relative = 0;         // of A_j, order of the sum aside
  double absolute = 0;         // flushed products
  double any_order = 0;        // of A_j, by a sum in any order
  double in_order = 0;         // of the largest partial sum, by one in order
  double narrow = 0, eta = 0;  // scores stored below fp32
  double query_sum = 0;        // sum |q|
  bool prescaled = false;
};

ScoreErrors ScoreErrorsOf(const Head& head, const NumericsProfile& profile, const double* q) {
  ScoreErrors errors;
  // With a bias and no softcap the sum may begin with the bias: one term more.
  const bool joins = !head.bias.empty() && head.softcap == 0;
  const double terms = head.dim + (joins ? 1 : 0);
  errors.relative = profile.qk_scale_rounding + profile.operand_rounding;
  errors.absolute = head.scale * 2 * kFlush * head.dim + kFlush;
  errors.any_order = Gamma(Units(profile, terms) + (joins ? 3 : 2));
  errors.in_order = Gamma(Units(profile, terms));
  errors.narrow = profile.score_rounding;
  errors.eta = FactsOf(head.dtype).eta;
  errors.prescaled = StoresPrescaled(profile, head.dtype);
  if (errors.prescaled) {
    for (int t = 0; t < head.dim; ++t) errors.query_sum += std::fabs(q[t]);
  }
  return errors;
}

/// The softcap s = c tanh(x / c) of each score, its slope, and the errors of both. Each is at most
/// the error of its argument times the largest slope there is within it, and the error of tanh.
void ApplySoftcap(const Head& head, const NumericsProfile& profile, Scores& scores) {
  const double c = head.softcap, narrow = profile.score_rounding;
  const double eta = narrow > 0 ? FactsOf(head.dtype).eta : 0;
  const auto capped = [&](double x, double t, double error) {
    const double argument =
        error + (3 * kUnit + narrow) * (std::fabs(x) + error) + c * (kFlush + eta);
    const double nearest = std::max(0.0, std::fabs(x) - argument) / c;
    const double moved = std::min(argument / std::pow(std::cosh(nearest), 2), 2 * c);
    return moved + (profile.tanh_error + 2 * kUnit + 2 * narrow) * (c * std::fabs(t) + moved) +
           (2 * c + 1) * (kFlush + eta);
  };
  for (size_t j = 0; j < scores.s.size(); ++j) {
    const double x = scores.s[j], t = std::tanh(x / c);
    scores.error[j] = capped(x, t, scores.error[j]);
    if (!scores.in_order.empty()) scores.in_order[j] = capped(x, t, scores.in_order[j]);
    scores.s[j] = c * t;
    const double slope = 1 / std::pow(std::cosh(x / c), 2), off = scores.error[j] / c;
    scores.slope.push_back(slope);
    scores.slope_error.push_back((2 * std::fabs(t) + off) * off + 6 * kUnit + narrow * slope + eta);
  }
}

/// The bias is an input, exact, or a slope times a distance in fp32, with up to four roundings. It
/// meets the product in one sum, whose error is among the errors of the product without a softcap.
void AddBias(const Head& head, const NumericsProfile& profile, int i, Scores& scores) {
  const double* bias = head.bias.data() + static_cast<size_t>(i) * static_cast<size_t>(head.len_k);
  const double narrow = profile.score_rounding, eta = FactsOf(head.dtype).eta;
  for (size_t j = 0; j < scores.s.size(); ++j) {
    const double b = bias[scores.keys[j]], size = std::fabs(b), before = std::fabs(scores.s[j]);
    scores.s[j] += b;
    const auto add = [&](double& error) {
      error += 5 * kUnit * size + kFlush;
      if (head.softcap > 0) error += 2 * kUnit * (before + error + size);
      if (narrow > 0) error += narrow * (std::fabs(scores.s[j]) + error) + eta;
    };
    add(scores.error[j]);
    if (!scores.in_order.empty()) add(scores.in_order[j]);
    scores.magnitude[j] += size;
  }
}

/// Scores before softcap and bias, from dot products with the keys of the range.
void ScaleDots(const HeadPanels& panels, const NumericsProfile& profile, int i, const Dots& dots,
               bool in_order, Scores& scores) {
  const Head& head = panels.head;
  const double* q = head.q.data() + static_cast<size_t>(i) * static_cast<size_t>(head.dim);
  const ScoreErrors e = ScoreErrorsOf(head, profile, q);
  const bool joins = !head.bias.empty() && head.softcap == 0;
  const double* bias =
      joins ? head.bias.data() + static_cast<size_t>(i) * static_cast<size_t>(head.len_k) : nullptr;
  const int first = head.visible[static_cast<size_t>(i)].first;
  const double stored = 1 + e.narrow;
  const bool tiny = panels.tiny_k || HasTiny(q, head.dim);
  for (size_t j = 0; j < scores.keys.size(); ++j) {
    const int key = scores.keys[j];
    const auto at = static_cast<size_t>(key - first);
    const double s = head.scale * dots.value[at], magnitude = head.scale * dots.magnitude[at];
    const double with_bias = joins ? magnitude + std::fabs(bias[key]) : magnitude;
    double error = e.relative * magnitude + e.absolute;
    if (e.prescaled) {  // operands may become subnormal in storage
      error +=
          e.eta * (e.query_sum + panels.key_sum[static_cast<size_t>(key - panels.range.first)] +
                   head.dim * e.eta);
    }
    if (tiny) {
      const double* k = head.k.data() + static_cast<size_t>(key) * static_cast<size_t>(head.dim);
      error += head.scale * TinyProducts(q, k, head.dim);
    }
    error *= stored;
    if (e.narrow > 0) error += e.narrow * std::fabs(s) + e.eta;
    scores.s[j] = s;
    scores.magnitude[j] = magnitude;
    scores.error[j] = error + stored * e.any_order * with_bias;
    if (!in_order) continue;
    const double partial = head.scale * dots.partial[at] + (with_bias - magnitude);
    scores.in_order[j] = error + stored * (e.in_order * partial + 3 * kUnit * with_bias);
    if (profile.in_order_keys > 0) scores.error[j] = scores.in_order[j];
  }
}

/// Maximum, sum and weights.
void Normalise(Scores& scores) {
  const size_t terms = scores.terms(), n = static_cast<size_t>(scores.n);
  if (terms == 0) return;
  scores.max = *std::max_element(scores.s.begin(), scores.s.end());
  if (n == terms) {
    scores.key_max = scores.max;
  } else if (n > 0) {
    scores.key_max =
        *std::max_element(scores.s.begin(), scores.s.begin() + static_cast<std::ptrdiff_t>(n));
  }
  scores.p.resize(terms);
  double sum = 0;
  for (size_t j = 0; j < terms; ++j) sum += scores.p[j] = std::exp(scores.s[j] - scores.max);
  scores.sum = sum;
  scores.lse = scores.max + std::log(scores.sum);
  for (double& p : scores.p) p /= scores.sum;
}

}  // namespace

double Gamma(double roundings) { return Quotient(roundings * kUnit); }

double Quotient(double x) { return x < 1 ? x / (1 - x) : kInfinity; }

bool StoresPrescaled(const NumericsProfile& profile, Dtype dtype) {
  return profile.qk_scale_rounding >= FactsOf(dtype).unit_roundoff;
}

double LagOf(const NumericsProfile& profile) { return profile.max_lag * std::log(2.0); }

double PairRounding(const NumericsProfile& profile) {
  return (1 + profile.p_rounding) * (1 + profile.operand_rounding) - 1;
}

double Units(const NumericsProfile& profile, double products, double span, double runs) {
  const double simt = profile.accumulation_factor * products;
  if (profile.tensor_block <= 0) return simt;
  // Each of the terms of a block, the accumulator among them, loses less than one unit of the
  // common grid, 2^(1-p) u of the largest; the result of a block is cut off to fp32, 2u. Blocks of
  // zeros lose nothing.
  const double cut = std::exp2(1 - profile.tensor_extra_bits);
  const double blocks =
      std::min(products, runs * (std::ceil(span / runs / profile.tensor_block) + 1));
  return std::max(simt, products * cut + blocks * (cut + 2));
}

HeadPanels::HeadPanels(const Head& head_in, const NumericsProfile& profile, KeyRange range_in,
                       bool backward)
    : head(head_in),
      range{range_in.first, std::max(range_in.first, range_in.last)},
      k(head.k, range.first, range.last, head.dim) {
  const auto keys = static_cast<size_t>(range.last - range.first);
  const auto first_of = [this](const std::vector<double>& m, int columns) {
    return m.data() + static_cast<size_t>(range.first) * static_cast<size_t>(columns);
  };
  if (backward) {
    v = Panels(head.v, range.first, range.last, head.dim_v);
    tiny_v = HasTiny(first_of(head.v, head.dim_v), keys * static_cast<size_t>(head.dim_v));
  }
  tiny_k = HasTiny(first_of(head.k, head.dim), keys * static_cast<size_t>(head.dim));
  value_max = RowMaxima(first_of(head.v, head.dim_v), range.last - range.first, head.dim_v);
  if (!StoresPrescaled(profile, head.dtype)) return;
  for (int j = range.first; j < range.last; ++j) {
    const double* row = head.k.data() + static_cast<size_t>(j) * static_cast<size_t>(head.dim);
    double sum = 0;
    for (int c = 0; c < head.dim; ++c) sum += std::fabs(row[c]);
    key_sum.push_back(sum);
  }
}

double Scores::sink_gap() const {
  return has_sink ? std::max(0.0, s.back() - key_max) + (n == 0 ? std::fabs(s.back()) : 0) : 0;
}

Scores ScoresOf(const HeadPanels& panels, const NumericsProfile& profile, int i, bool in_order) {
  const Head& head = panels.head;
  in_order = in_order || profile.in_order_keys > 0;
  Scores scores;
  scores.keys = KeysOf(head, i);
  scores.n = static_cast<int>(scores.keys.size());
  scores.slots = std::max(head.len_k, head.slots_k);
  const size_t n = scores.keys.size();
  for (std::vector<double>* each : {&scores.s, &scores.magnitude, &scores.error}) {
    each->reserve(n + 1);
    each->resize(n);
  }
  if (in_order) scores.in_order.resize(n);
  if (n > 0) {
    scores.span = scores.keys.back() - scores.keys.front() + 1;
    const KeyRange range = head.visible[static_cast<size_t>(i)];
    Dots dots;
    panels.k.Multiply(head.q.data() + static_cast<size_t>(i) * static_cast<size_t>(head.dim),
                      range.first, range.last, in_order, dots);
    ScaleDots(panels, profile, i, dots, in_order, scores);
    if (head.softcap > 0) ApplySoftcap(head, profile, scores);
    if (!head.bias.empty()) AddBias(head, profile, i, scores);
  }
  if (!head.sink.empty()) {  // an exact input
    scores.has_sink = true;
    scores.s.push_back(head.sink[static_cast<size_t>(i)]);
    scores.magnitude.push_back(std::fabs(scores.s.back()));
    scores.error.push_back(0);
    if (in_order) scores.in_order.push_back(0);
  }
  Normalise(scores);
  return scores;
}

std::vector<double> RescalesOf(const Scores& scores, const NumericsProfile& profile) {
  const size_t n = static_cast<size_t>(scores.n);
  const double tile = std::max(1, profile.tile_keys);
  // Tiles are of slots: those that hold a visible key count, and only those can rescale.
  const double cap =
      scores.span <= tile ? 1 : std::min<double>(scores.n, std::ceil(scores.span / tile) + 1);
  const bool each = profile.inexact_unit_rescale != 0;
  std::vector<double> rescales(n, each ? std::ceil(scores.slots / tile) + 1 : cap);
  if (cap > 1 && !each) {
    const double slack =
        2 * *std::max_element(scores.error.begin(), scores.error.begin() + scores.n);
    const int most = static_cast<int>(cap);
    const std::vector<int> climbs = ClimbsOf(scores.s, scores.n, slack, most);
    std::copy(climbs.begin(), climbs.end(), rescales.begin());
  }
  if (scores.has_sink) {
    // It comes first, with all climbs after it, or last, as one step more of each.
    for (double& r : rescales) r += 1;
    rescales.push_back(n == 0 ? 0 : *std::max_element(rescales.begin(), rescales.end()));
  }
  for (double& r : rescales) r += profile.split;
  return rescales;
}

std::vector<double> ExponentErrors(const Scores& scores, const std::vector<double>& rescales,
                                   const NumericsProfile& profile) {
  const double sigma = profile.split, lag = LagOf(profile), max = scores.max;
  const double terms = static_cast<double>(scores.terms());
  const double once = (1 + sigma) * profile.exp_error + sigma * (8 + 4 * std::log(terms)) * kUnit;
  const double of_shift = (1 + 4 * sigma) * kUnit, of_gap = (5 + 3 * sigma) * kUnit;
  std::vector<double> errors(scores.terms());
  for (size_t j = 0; j < errors.size(); ++j) {
    const double s = scores.s[j];
    // A shift that lags is below the running maximum, by at most the lag. Each rescale may round a
    // maximum anew: exp2(fma(m_old, c, -m_new c)).
    const double shift = std::max(std::fabs(max), std::fabs(s)) + lag;
    errors[j] = scores.error[j] + of_shift * shift + of_gap * (max - s + lag) +
                rescales[j] * (profile.exp_error + kUnit * shift) + once;
  }
  if (scores.has_sink) errors.back() += of_gap * scores.sink_gap();
  return errors;
}

std::string Require(const char* what, double value, double limit) {
  if (value < limit) return {};
  char text[120];
  std::snprintf(text, sizeof text, "%s < %.3g", what, limit);
  return text;
}

double Larger(double most, double x) {
  if (std::isnan(x)) return kInfinity;
  return std::max(most, x);
}

/// Largest exponent of a weight, up to the error of the shift it is taken from.
double OvershootOf(const Scores& scores, const NumericsProfile& profile, Pass pass) {
  if (profile.stored_scores == 0) {
    // Relative to a running maximum, with what a folded shift leaves over.
    return 2 * (LargestOf(scores.error.data(), scores.terms()) +
                5 * kUnit * LargestOf(scores.s.data(), scores.terms()));
  }
  if (pass == Pass::forward) return 0;
  double overshoot = 0, of_max = 0;
  for (size_t j = 0; j < scores.terms(); ++j) {
    const double below = scores.max - scores.s[j];
    const double error = scores.error[j] + 5 * kUnit * std::fabs(scores.s[j]);
    overshoot = Larger(overshoot, error - below);
    if (below == 0) of_max = Larger(of_max, error);
  }
  return overshoot + of_max;
}

std::string DomainOf(const HeadPanels& panels, const Scores& scores, const NumericsProfile& profile,
                     Pass pass) {
  const Head& head = panels.head;
  const double magnitude_max = LargestOf(scores.magnitude.data(), scores.terms());
  const double* values = panels.value_max.data();
  const int first = panels.range.first;
  double value_max = 0;
  if (scores.n == scores.span && scores.n > 0) {
    value_max = LargestOf(values + (scores.keys.front() - first), scores.keys.size());
  } else {
    for (int key : scores.keys) value_max = std::max(value_max, values[key - first]);
  }
  value_max *= std::max(1.0, head.keep_scale);
  std::string why = Require("max |q||k|, summed over d,", magnitude_max / head.scale, 3e38);
  if (why.empty()) why = Require("1.5 max |scale q||k|, summed over d,", 1.5 * magnitude_max, 3e38);
  if (why.empty() && profile.score_rounding > 0 && head.dtype == Dtype::f16) {
    why = Require("max |q||k|, summed over d and stored in f16,",
                  magnitude_max * std::max(1.0, 1 / head.scale), 65000);
  }
  if (why.empty()) {
    why = Require("ln max|v| + ln(256 n) + 2 max exponent error",
                  std::log(std::max(1.0, value_max)) + std::log(256.0 * std::max(1, scores.n)) +
                      OvershootOf(scores, profile, pass),
                  std::log(3e38));
  }
  // A kernel may add exp(sink - maximum of the scores) to its row sum.
  if (why.empty()) why = Require("sink - max score", scores.sink_gap(), 80);
  return why;
}

double TinyProducts(const double* x, const double* y, int size) {
  double sum = 0;
  for (int t = 0; t < size; ++t) {
    if (IsTiny(x[t]) || IsTiny(y[t])) sum += std::fabs(x[t] * y[t]);
  }
  return sum;
}

double HalfUlp(Dtype dtype, double x) {
  const DtypeFacts facts = FactsOf(dtype);
  return facts.unit_roundoff * x + facts.eta;
}

double WithReferenceError(double centre, double bound) {
  bound += (std::fabs(centre) + bound) * 0x1p-45;
  return bound >= 0 ? bound : kInfinity;  // NaN: nothing is known
}

}  // namespace padproof::reference
