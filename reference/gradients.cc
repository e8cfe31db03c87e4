// The backward oracle: dQ, dK, dV of one sequence and head with their bounds (README.md,
// "Backward").

#include <algorithm>
#include <cmath>

#include "reference/attention.h"
#include "reference/bounds.h"

namespace padproof::reference {
namespace {

/// What one query contributes through each of its visible keys.
struct RowGradient {
  std::vector<double> p, ds;     // P and dS at the reference's centre
  std::vector<double> ds_error;  // r_ij: error of dS but for the common errors of LSE and D
  std::vector<double> p_error;   // h_ij: error of the P that multiplies dO
  double common = 0;             // lam_i: relative error of the row's P through its LSE
  double delta_error = 0;        // BD_i: error of D_i
};

/// Sums for one element of a gradient.
struct Sum {
  double value = 0;      // the gradient, before scaling
  double error = 0;      // sum of the errors of its terms
  double magnitude = 0;  // sum of what its terms can be: accumulation rounds in proportion
  double operand = 0;    // sum of the other factors' magnitudes: a scaled dS may be flushed
  double ds = 0;         // sum of what |dS| can be: a pre-scaled operand may underflow
};

/// What is known of one row before its keys are visited.
struct RowInput {
  const Head& head;
  const NumericsProfile& profile;
  const Scores& scores;
  const std::vector<double>& exponent_errors;  // forward D_j
  const ForwardRow& forward;
  int i;
  bool conditional;
  double lse;  // the one that P is recomputed from
};

/// dP_ij = dO.v_j with its magnitude, error and spread.
struct ProbabilityGradient {
  std::vector<double> value, error;
  double magnitude_max = 0;
};

ProbabilityGradient ProbabilityGradientOf(const RowInput& in) {
  ProbabilityGradient dp;
  const size_t dim = static_cast<size_t>(in.head.dim);
  const double* d_o = in.head.d_o.data() + static_cast<size_t>(in.i) * dim;
  const double relative = Gamma(Units(in.profile, in.head.dim)) + in.profile.operand_rounding;
  const double narrow = in.profile.score_rounding;
  for (size_t j = 0; j < static_cast<size_t>(in.scores.n); ++j) {
    const Dot dot = DotOf(d_o, in.head.v.data() + j * dim, in.head.dim);
    double error = relative * dot.magnitude + dot.flushed;
    if (narrow > 0) error += HalfUlp(in.head.dtype, std::fabs(dot.value) + error);
    dp.value.push_back(dot.value);
    dp.error.push_back(error);
    dp.magnitude_max = Larger(dp.magnitude_max, dot.magnitude);
  }
  return dp;
}

/// Error of P_ij, relative, but for the common error of LSE.
double WeightError(const RowInput& in, size_t j) {
  const double s = in.scores.s[j];
  double exponent = in.scores.error[j] + 3 * kUnit * std::fabs(s) + kUnit * std::fabs(in.lse) +
                    5 * kUnit * std::fabs(s - in.lse) + in.profile.exp_error;
  // A kernel that keeps the weights of its forward has the forward's errors in them.
  if (!in.conditional) exponent = std::max(exponent, in.exponent_errors[j]);
  return std::expm1(exponent);
}

/// D_i and its error: rowsum(dO * O) of the O that the kernel reads, or rowsum(P * dP).
double DeltaOf(const RowInput& in, const ProbabilityGradient& dp, RowGradient& row) {
  const size_t dim = static_cast<size_t>(in.head.dim), i = static_cast<size_t>(in.i);
  std::vector<double> o(dim);
  const double* d_o = in.head.d_o.data() + i * dim;
  double error = 0;
  for (size_t c = 0; c < dim; ++c) {
    const Judged& out = in.forward.out[c];
    o[c] = in.conditional ? in.head.o[i * dim + c] : out.centre;
    if (in.conditional) continue;
    error += std::fabs(d_o[c]) *
             (out.radius + HalfUlp(in.head.dtype, std::fabs(out.centre) + out.radius));
  }
  const Dot dot = DotOf(d_o, o.data(), in.head.dim);
  error += Gamma(Units(in.profile, in.head.dim)) * (dot.magnitude + error) + dot.flushed;
  if (!in.conditional) {
    double through_p = 0, magnitude = 0;
    for (size_t j = 0; j < row.p.size(); ++j) {
      const double t = (1 + row.common) * (1 + WeightError(in, j)) * (1 + in.profile.p_rounding);
      const double most = std::fabs(dp.value[j]) + dp.error[j];
      const double p_error = row.p[j] * (t - 1) + in.profile.p_underflow + kFlush;
      through_p += row.p[j] * dp.error[j] + p_error * most + kFlush;
      magnitude += (row.p[j] + p_error) * most;
    }
    through_p += Gamma(Units(in.profile, in.scores.n) + 1) * magnitude;
    error = std::max(error, through_p);
  }
  if (in.profile.score_rounding > 0) {
    error += HalfUlp(in.head.dtype, std::fabs(dot.value) + error);
  }
  row.delta_error = error;
  return dot.value;
}

RowGradient RowGradientOf(const RowInput& in, const ProbabilityGradient& dp) {
  RowGradient row;
  const size_t n = static_cast<size_t>(in.scores.n);
  double lse_error = 2 * kUnit * std::fabs(in.lse);
  if (!in.conditional) {
    const double radius = in.forward.lse.radius;
    lse_error += radius + HalfUlp(Dtype::f32, std::fabs(in.lse) + radius);
  }
  row.common = std::expm1(lse_error);
  for (size_t j = 0; j < n; ++j) row.p.push_back(std::exp(in.scores.s[j] - in.lse));
  const double delta = DeltaOf(in, dp, row), bd = row.delta_error;
  // Flash rounds dS once; a kernel that stores P has rounded that too.
  const double u_p = in.profile.p_rounding, u_pair = PairRounding(in.profile),
               eta = in.profile.p_underflow;
  const double stored_p = in.conditional ? 0 : 1;
  for (size_t j = 0; j < n; ++j) {
    const double p = row.p[j], rho = WeightError(in, j), e = dp.error[j];
    const double gap = std::fabs(dp.value[j] - delta), most = gap + e + bd;
    const double core = (p * (1 + rho) + kFlush) * most;
    row.ds.push_back(p * (dp.value[j] - delta));
    row.ds_error.push_back(p * (1 + rho) * e + p * rho * (gap + bd) + kFlush * most +
                           (2 * kUnit + u_pair + stored_p * u_p * (1 + u_pair)) * core +
                           std::min(eta, core) + stored_p * eta * most + kFlush);
    const double p_most = p * (1 + row.common) * (1 + rho);
    row.p_error.push_back(p_most * (1 + u_pair) - p + std::min(eta, p_most) + kFlush);
  }
  return row;
}

/// The gradients of one head while queries are added one by one.
class Accumulator {
 public:
  Accumulator(const Head& head, const NumericsProfile& profile)
      : head_(head), profile_(profile), dim_(static_cast<size_t>(head.dim)) {
    dk_.resize(static_cast<size_t>(head.len_k) * dim_);
    dv_.resize(static_cast<size_t>(head.len_k) * dim_);
  }

  std::vector<Judged> AddRow(int i, const RowGradient& row) {
    const double* q = head_.q.data() + static_cast<size_t>(i) * dim_;
    const double* d_o = head_.d_o.data() + static_cast<size_t>(i) * dim_;
    const size_t n = row.p.size();
    std::vector<double> p_k(dim_, 0);
    std::vector<Sum> dq(dim_);
    for (size_t j = 0; j < n; ++j) {
      const double* k = head_.k.data() + j * dim_;
      const double ds = row.ds[j], magnitude = std::fabs(ds);
      const double shifted = row.p[j] * row.delta_error;
      // LSE and D are one number a row: their errors meet signed sums in dQ, single terms in dK.
      const double t = row.common * magnitude + (1 + row.common) * (shifted + row.ds_error[j]);
      for (size_t c = 0; c < dim_; ++c) {
        const double abs_k = std::fabs(k[c]), abs_q = std::fabs(q[c]), abs_d_o = std::fabs(d_o[c]);
        p_k[c] += row.p[j] * k[c];
        dq[c].value += ds * k[c];
        dq[c].error += row.ds_error[j] * abs_k;
        // A kernel that flushes reads a subnormal operand as 0, whatever dS it meets.
        if (abs_k < kFlush) dq[c].error += (magnitude + shifted + row.ds_error[j]) * abs_k;
        dq[c].magnitude += (magnitude + shifted + row.ds_error[j]) * abs_k;
        dq[c].ds += magnitude + shifted + row.ds_error[j];
        Sum& dk = dk_[j * dim_ + c];
        dk.ds += magnitude + t;
        dq[c].operand += abs_k;
        dk.operand += abs_q;
        dk.value += ds * q[c];
        dk.error += abs_q < kFlush ? (magnitude + 2 * t) * abs_q : t * abs_q;
        dk.magnitude += (magnitude + t) * abs_q;
        Sum& dv = dv_[j * dim_ + c];
        dv.value += row.p[j] * d_o[c];
        dv.error += row.p_error[j] * abs_d_o;
        dv.magnitude += (row.p[j] + row.p_error[j]) * abs_d_o;
      }
    }
    std::vector<Judged> judged(dim_);
    for (size_t c = 0; c < dim_; ++c) {
      dq[c].error = row.common * std::fabs(dq[c].value) +
                    (1 + row.common) * (row.delta_error * std::fabs(p_k[c]) + dq[c].error);
      dq[c].magnitude *= 1 + row.common;
      dq[c].ds *= 1 + row.common;
      judged[c] = Scaled(dq[c], static_cast<double>(n));
    }
    return judged;
  }

  std::vector<std::vector<Judged>> dk() {
    return Keys(dk_, [this](const Sum& sum) { return Scaled(sum, head_.len_q); });
  }
  std::vector<std::vector<Judged>> dv() {
    return Keys(dv_, [this](const Sum& sum) { return Unscaled(sum, head_.len_q); });
  }
  double stored_max() const { return stored_max_; }

 private:
  /// Errors of the terms, of accumulating `terms` of them in any order, and of flushing.
  void AddAccumulated(const Sum& sum, double terms, double scale, Budget& budget) const {
    budget.Add("errors of P, dP and dS", scale * sum.error);
    budget.Add("the sum", scale * Gamma(Units(profile_, terms) + terms / 16) * sum.magnitude);
    budget.Add("underflow", scale * 2 * terms * kFlush);
  }

  /// Of dQ and dK: times the softmax scale, which may be folded in anywhere.
  Judged Scaled(const Sum& sum, double terms) {
    const double value = head_.scale * sum.value;
    Budget budget;
    AddAccumulated(sum, terms, head_.scale * (1 + 3 * kUnit), budget);
    if (profile_.qk_scale_rounding > 0) {  // of the operand, and of the gradient on its way back
      budget.Add("pre-scaled operands",
                 2 * profile_.qk_scale_rounding * (head_.scale * sum.magnitude + budget.bound()));
    }
    if (StoresPrescaled(profile_, head_.dtype)) {
      budget.Add("underflow of pre-scaled operands",
                 FactsOf(head_.dtype).eta * (sum.ds + terms + 2));
      stored_max_ = std::max(stored_max_, sum.magnitude + budget.bound());
    }
    budget.Add("scaling", 3 * kUnit * (std::fabs(value) + budget.bound()));
    budget.Add("underflow", (2 * terms + 1 + sum.operand) * kFlush);
    return budget.Around(value);
  }

  Judged Unscaled(const Sum& sum, double terms) const {
    Budget budget;
    AddAccumulated(sum, terms, 1, budget);
    budget.Add("its rounding in fp32", kUnit * (std::fabs(sum.value) + budget.bound()) + kFlush);
    return budget.Around(sum.value);
  }

  template <class Judge>
  std::vector<std::vector<Judged>> Keys(const std::vector<Sum>& sums, Judge judge) {
    std::vector<std::vector<Judged>> keys(static_cast<size_t>(head_.len_k));
    for (size_t at = 0; at < sums.size(); ++at) keys[at / dim_].push_back(judge(sums[at]));
    return keys;
  }

  const Head& head_;
  const NumericsProfile& profile_;
  size_t dim_;
  std::vector<Sum> dk_, dv_;
  double stored_max_ = 0;  // largest gradient that a pre-scaling kernel stores unscaled
};

double LargestOf(const std::vector<double>& values) {
  double largest = 0;
  for (double x : values) largest = Larger(largest, std::fabs(x));
  return largest;
}

/// "" or why the stored O and LSE of a row are no basis for a verdict on its gradients: the laws of
/// the forward speak about them.
std::string StoredOf(const RowInput& in) {
  // Written so that NaN is refused too.
  if (!(std::fabs(in.lse - in.forward.lse.centre) < 1)) {
    return "stored LSE within 1 of the reference";
  }
  const size_t dim = static_cast<size_t>(in.head.dim), i = static_cast<size_t>(in.i);
  for (size_t c = 0; c < dim; ++c) {
    if (!std::isfinite(in.head.o[i * dim + c])) return "stored O finite";
  }
  return {};
}

std::string GradientDomainOf(const RowInput& in, const ProbabilityGradient& dp,
                             const RowGradient& row) {
  const double g = dp.magnitude_max;
  std::string why = Require("max |dO||v|, summed over d,", g, 1e30);
  if (why.empty()) {
    const double operand = std::max(LargestOf(in.head.q), LargestOf(in.head.k));
    why = Require("max(|q|,|k|) max |dO||v|, summed over d,", operand * g, 1e36);
  }
  if (why.empty())
    why = Require("max |dO| times queries", LargestOf(in.head.d_o) * in.head.len_q, 3e38);
  if (why.empty()) why = Require("6 u |LSE|", 6 * kUnit * std::fabs(in.lse), 3);
  const bool narrow = in.profile.p_rounding > 0 || in.profile.score_rounding > 0;
  if (why.empty() && narrow && in.head.dtype == Dtype::f16) {
    double largest = in.profile.score_rounding > 0 ? g : 0;
    for (size_t j = 0; j < row.ds.size(); ++j) {
      largest = std::max(largest, std::fabs(row.ds[j]) + row.ds_error[j]);
    }
    why = Require("max |dS| stored in f16", largest, 65000);
  }
  return why;
}

}  // namespace

Gradients Backward(const Head& head, const NumericsProfile& profile, bool conditional) {
  Gradients gradients;
  gradients.dq.resize(static_cast<size_t>(head.len_q),
                      std::vector<Judged>(static_cast<size_t>(head.dim)));
  Accumulator sums(head, profile);
  for (int i = 0; i < head.len_q && gradients.out_of_domain.empty(); ++i) {
    const Scores scores = ScoresOf(head, profile, i);
    if (scores.n == 0) continue;  // sees nothing: contributes exactly 0
    const ForwardRow forward = Forward(head, profile, i);
    const std::vector<double> errors = ExponentErrors(scores, RescalesOf(scores, profile), profile);
    const double lse = conditional ? head.lse[static_cast<size_t>(i)] : scores.lse;
    const RowInput in{head, profile, scores, errors, forward, i, conditional, lse};
    gradients.out_of_domain = forward.out_of_domain;
    if (gradients.out_of_domain.empty() && conditional) gradients.out_of_domain = StoredOf(in);
    if (!gradients.out_of_domain.empty()) break;
    const ProbabilityGradient dp = ProbabilityGradientOf(in);
    const RowGradient row = RowGradientOf(in, dp);
    gradients.out_of_domain = GradientDomainOf(in, dp, row);
    gradients.dq[static_cast<size_t>(i)] = sums.AddRow(i, row);
  }
  gradients.dk = sums.dk();
  gradients.dv = sums.dv();
  if (gradients.out_of_domain.empty() && head.dtype == Dtype::f16) {
    gradients.out_of_domain =
        Require("largest unscaled gradient stored in f16", sums.stored_max(), 65000);
  }
  return gradients;
}

Gradients Backward(const Problem& problem, const NumericsProfile& profile, int b, int h,
                   bool conditional) {
  return Backward(ReadHead(problem, b, h), profile, conditional);
}

}  // namespace padproof::reference
