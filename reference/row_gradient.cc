#include <algorithm>
#include <cmath>

#include "reference/gradients.h"

namespace padproof::reference {
namespace {

/// dP_ij = dO.v_j, times what dropout makes of P_ij; of a sink it is 0.
struct ProbabilityGradient {
  std::vector<double> value, error;
  std::vector<double> kept;  // 0 or the scale of dropout
  double magnitude_max = 0;
};

const double* QueryRow(const std::vector<double>& m, int columns, int i) {
  return m.data() + static_cast<size_t>(i) * static_cast<size_t>(columns);
}

ProbabilityGradient ProbabilityGradientOf(const QueryInput& in) {
  const Head& head = in.head();
  const size_t dim = static_cast<size_t>(head.dim_v), n = in.scores.keys.size();
  const double* d_o = QueryRow(head.d_o, head.dim_v, in.i);
  const KeyRange range = head.visible[static_cast<size_t>(in.i)];
  Dots dots;
  in.panels.v.Multiply(d_o, range.first, range.last, false, dots);
  const double relative = Gamma(Units(in.profile, head.dim_v)) + in.profile.operand_rounding;
  const double narrow = in.profile.score_rounding, flushed = 2 * kFlush * head.dim_v;
  const bool tiny = in.panels.tiny_v || HasTiny(d_o, dim);
  ProbabilityGradient dp;
  dp.kept = KeptOf(head, in.scores, in.i);
  for (std::vector<double>* each : {&dp.value, &dp.error}) each->resize(in.scores.terms());
  for (size_t j = 0; j < n; ++j) {
    const auto at = static_cast<size_t>(in.scores.keys[j] - range.first);
    const double magnitude = dots.magnitude[at], value = dots.value[at];
    double error = relative * magnitude + flushed;
    if (tiny) {
      error += TinyProducts(d_o, QueryRow(head.v, head.dim_v, in.scores.keys[j]), head.dim_v);
    }
    if (narrow > 0) error += HalfUlp(head.dtype, std::fabs(value) + error);
    dp.magnitude_max = Larger(dp.magnitude_max, magnitude);
    dp.value[j] = value;
    dp.error[j] = error;
  }
  if (dp.kept.empty()) return dp;
  for (size_t j = 0; j < n; ++j) {  // in fp32 or, stored once more, below
    dp.value[j] *= dp.kept[j];
    dp.error[j] = dp.error[j] * dp.kept[j] * (1 + 3 * kUnit) + 3 * kUnit * std::fabs(dp.value[j]);
    if (narrow > 0) dp.error[j] += HalfUlp(head.dtype, std::fabs(dp.value[j]) + dp.error[j]);
  }
  dp.magnitude_max *= std::max(1.0, head.keep_scale);
  return dp;
}

/// Errors of P_ij, relative, but for the common error of LSE.
std::vector<double> WeightErrorsOf(const QueryInput& in) {
  std::vector<double> rho(in.scores.terms());
  const double of_lse = kUnit * std::fabs(in.lse) + in.profile.exp_error;
  for (size_t j = 0; j < rho.size(); ++j) {
    const double s = in.scores.s[j];
    double exponent =
        in.scores.error[j] + 3 * kUnit * std::fabs(s) + of_lse + 5 * kUnit * std::fabs(s - in.lse);
    // A kernel that keeps the weights of its forward has the forward's errors in them.
    if (!in.conditional) exponent = std::max(exponent, in.exponent_errors[j]);
    rho[j] = GrowthOf(exponent);
  }
  return rho;
}

/// Error of rowsum(P * dP), for kernels that take D from it.
double ErrorThroughP(const QueryInput& in, const ProbabilityGradient& dp,
                     const std::vector<double>& rho, const RowGradient& row) {
  double error = 0, magnitude = 0;
  for (size_t j = 0; j < in.scores.keys.size(); ++j) {
    const double t = (1 + row.common) * (1 + rho[j]) * (1 + in.profile.p_rounding);
    const double most = std::fabs(dp.value[j]) + dp.error[j];
    const double p_error = row.p[j] * (t - 1) + in.profile.p_underflow + kFlush;
    error += row.p[j] * dp.error[j] + p_error * most + kFlush;
    magnitude += (row.p[j] + p_error) * most;
  }
  return error + Gamma(Units(in.profile, in.scores.n, in.scores.span) + 1) * magnitude;
}

/// D_i and its error: rowsum(dO * O) of the O that the kernel reads, or rowsum(P * dP).
double DeltaOf(const QueryInput& in, const ProbabilityGradient& dp, const std::vector<double>& rho,
               RowGradient& row) {
  const Head& head = in.head();
  const int dim = head.dim_v;
  const double* d_o = QueryRow(head.d_o, dim, in.i);
  double error = 0, delta = 0, magnitude = 0, flushed = 0;
  for (int c = 0; c < dim; ++c) {
    double o = 0;
    if (in.conditional) {
      o = QueryRow(head.o, dim, in.i)[c];
    } else {
      const Judged& out = in.forward.out[static_cast<size_t>(c)];
      o = out.centre;
      error += std::fabs(d_o[c]) *
               (out.radius + HalfUlp(head.dtype, std::fabs(out.centre) + out.radius));
    }
    delta += d_o[c] * o;
    magnitude += std::fabs(d_o[c] * o);
    flushed += 2 * kFlush + TinyProducts(d_o + c, &o, 1);
  }
  error += Gamma(Units(in.profile, dim)) * (magnitude + error) + flushed;
  if (!in.conditional) error = std::max(error, ErrorThroughP(in, dp, rho, row));
  if (!dp.kept.empty()) error += 3 * kUnit * (std::fabs(delta) + error);
  if (in.profile.score_rounding > 0) error += HalfUlp(head.dtype, std::fabs(delta) + error);
  row.delta_error = error;
  return delta;
}

/// dS and its error of all terms of the row.
void AddScoreGradients(const QueryInput& in, const ProbabilityGradient& dp,
                       const std::vector<double>& rho, double delta, RowGradient& row) {
  // Flash rounds dS once; a kernel that stores P has rounded that too.
  const double u_p = in.profile.p_rounding, u_pair = PairRounding(in.profile);
  // What is lost before the scale of dropout joins counts by that scale.
  const double keep = std::max(1.0, in.head().keep_scale), flush = kFlush * keep;
  const double eta = in.profile.p_underflow * keep, stored_p = in.conditional ? 0 : 1;
  const double rounding =
      (dp.kept.empty() ? 2 : 4) * kUnit + u_pair + stored_p * u_p * (1 + u_pair);
  const double bd = row.delta_error;
  row.d_score.resize(rho.size());
  row.d_score_error.resize(rho.size());
  for (size_t j = 0; j < rho.size(); ++j) {
    const double p = row.p[j], e = dp.error[j], grown = p * (1 + rho[j]);
    const double gap = std::fabs(dp.value[j] - delta), most = gap + e + bd;
    const double core = (grown + flush + stored_p * eta) * most;
    row.d_score[j] = p * (dp.value[j] - delta);
    row.d_score_error[j] = grown * e + p * rho[j] * (gap + bd) + flush * most + rounding * core +
                           std::min(eta, core) + stored_p * eta * most + flush;
  }
}

/// P as it multiplies dO.
void AddKeptWeights(const QueryInput& in, const ProbabilityGradient& dp,
                    const std::vector<double>& rho, RowGradient& row) {
  const double eta = in.profile.p_underflow, u_pair = PairRounding(in.profile);
  const size_t n = in.scores.keys.size();
  row.p_kept.assign(row.p.begin(), row.p.begin() + static_cast<std::ptrdiff_t>(n));
  row.p_error.resize(n);
  for (size_t j = 0; j < n; ++j) {
    const double p = row.p[j], most = p * (1 + row.common) * (1 + rho[j]);
    row.p_error[j] = most * (1 + u_pair) - p + std::min(eta, most) + kFlush;
  }
  double again = 3 * kUnit;  // scaled in fp32; a P that was stored is stored once more
  if (in.profile.score_rounding > 0 || !in.conditional) again += in.profile.p_rounding;
  for (size_t j = 0; j < dp.kept.size(); ++j) {
    row.p_kept[j] *= dp.kept[j];
    row.p_error[j] = row.p_error[j] * dp.kept[j] * (1 + again) + again * row.p_kept[j];
    if (dp.kept[j] > 0) row.p_error[j] += eta + kFlush;
  }
}

/// dS through the softcap: times 1 - tanh^2.
void AddSlopes(const QueryInput& in, RowGradient& row) {
  row.ds = row.d_score;
  row.ds_error = row.d_score_error;
  row.p_slope = row.p;
  const double c = in.head().softcap, narrow = in.profile.score_rounding;
  if (c == 0) return;
  const double keep = std::max(1.0, in.head().keep_scale);
  const double eta = narrow > 0 ? FactsOf(in.head().dtype).eta : 0;
  for (size_t j = 0; j < in.scores.keys.size(); ++j) {
    const double slope = in.scores.slope[j], off = in.scores.slope_error[j];
    const double most =
        std::fabs(row.d_score[j]) + row.p[j] * row.delta_error + row.d_score_error[j];
    row.ds[j] *= slope;
    row.p_slope[j] *= slope;
    // Rounded to storage here, or before.
    row.ds_error[j] = slope * row.d_score_error[j] +
                      (off + (2 * kUnit + 3 * narrow) * (slope + off)) * most +
                      std::min(in.profile.p_underflow * keep, (slope + off) * most) +
                      (2 / c + 1) * eta + kFlush * keep;
  }
}

/// The sink is a term whose dP is 0.
Judged SinkOf(const RowGradient& row) {
  const double ds = row.d_score.back();
  Budget budget;
  budget.Add("errors of LSE and D",
             row.common * std::fabs(ds) + (1 + row.common) * row.p.back() * row.delta_error);
  budget.Add("errors of P and dS", (1 + row.common) * row.d_score_error.back());
  budget.Add("its rounding in fp32", kUnit * (std::fabs(ds) + budget.bound()) + kFlush);
  return budget.Around(ds);
}

}  // namespace

void QueryInput::Prepare() {
  if (conditional) {
    lse = head().lse[static_cast<size_t>(i)];
    return;
  }
  lse = scores.lse;
  const std::vector<double> rescales = RescalesOf(scores, profile);
  exponent_errors = ExponentErrors(scores, rescales, profile);
  forward.out.resize(static_cast<size_t>(head().dim_v));
  JudgeRow(panels, scores, profile, i, rescales, exponent_errors, forward);
}

RowGradient RowGradientOf(const QueryInput& in) {
  RowGradient row;
  const ProbabilityGradient dp = ProbabilityGradientOf(in);
  row.dp_magnitude_max = dp.magnitude_max;
  double lse_error = 2 * kUnit * std::fabs(in.lse);
  if (in.conditional) {
    row.p.resize(in.scores.terms());
    for (size_t j = 0; j < row.p.size(); ++j) row.p[j] = std::exp(in.scores.s[j] - in.lse);
  } else {
    row.p = in.scores.p;
    const double radius = in.forward.lse.radius;
    lse_error += radius + HalfUlp(Dtype::f32, std::fabs(in.lse) + radius);
  }
  row.common = std::expm1(lse_error);
  const std::vector<double> rho = WeightErrorsOf(in);
  const double delta = DeltaOf(in, dp, rho, row);
  AddScoreGradients(in, dp, rho, delta, row);
  AddKeptWeights(in, dp, rho, row);
  if (in.scores.has_sink) {
    row.d_sink = SinkOf(row);
    for (std::vector<double>* each : {&row.p, &row.d_score, &row.d_score_error}) each->pop_back();
  }
  AddSlopes(in, row);
  return row;
}

}  // namespace padproof::reference
