// The backward oracle: dQ, dK, dV of a head, and of its biases and sinks, with their bounds
// (derivations.md, "Backward"). Queries come in chunks: first what each contributes through each of
// its keys, then the sums over the chunk.

#include "reference/gradients.h"

#include <algorithm>
#include <cmath>

namespace padproof::reference {
namespace {

constexpr int kMostQueries = 16;  // whose contributions are kept before they are added up

/// The gradients of a head while chunks of queries are added.
/// Of dK and dV of one query head of several, which are stored before they are summed: by kernels
/// that store all their steps, and by those that declare it. 0 where sums stay in fp32.
double HeadRounding(const Head& head, const NumericsProfile& profile) {
  if (head.query_heads <= 1) return 0;
  const double expanded = profile.expanded_gradients != 0 ? FactsOf(head.dtype).unit_roundoff : 0;
  return std::max(profile.score_rounding, expanded);
}

class Accumulator {
 public:
  Accumulator(const HeadPanels& panels, const NumericsProfile& profile, Gradients& out)
      : panels_(panels),
        head_(panels.head),
        profile_(profile),
        out_(out),
        queries_(static_cast<size_t>(std::clamp(head_.len_q, 1, kMostQueries))) {
    const auto keys = static_cast<size_t>(head_.len_k);
    for (std::vector<double>* each : {&dk_, &dk_bound_}) {
      each->assign(keys * static_cast<size_t>(head_.dim), 0);
    }
    for (std::vector<double>* each : {&dv_, &dv_bound_}) {
      each->assign(keys * static_cast<size_t>(head_.dim_v), 0);
    }
    dk_magnitude_.assign(StoresUnscaled() ? dk_.size() : 0, 0);
    ds_.assign(keys, 0);
    for (Coefficients* each : {&key_ds_, &key_bound_, &key_p_, &key_p_bound_}) {
      each->assign(keys * queries_, 0);
    }
    if (StoresUnscaled()) key_most_ = key_ds_;
  }

  /// dQ of one query; its share of the others waits until the chunk is full.
  void AddRow(int i, const Scores& scores, const RowGradient& row) {
    JudgeQuery(i, scores, row);
    const double gamma = SumOfQueries();
    const auto slot = chunk_.size();
    for (size_t j = 0; j < scores.keys.size(); ++j) {
      const auto key = static_cast<size_t>(scores.keys[j]);
      const double magnitude = std::fabs(row.ds[j]);
      // LSE and D are one number a row: their errors meet signed sums in dQ, single terms in dK.
      const double t = row.common * magnitude +
                       (1 + row.common) * (row.p_slope[j] * row.delta_error + row.ds_error[j]);
      const size_t at = key * queries_ + slot;
      key_ds_[at] = row.ds[j];
      key_bound_[at] = CoefficientOf(t, magnitude + t, gamma);
      key_p_[at] = row.p_kept[j];
      key_p_bound_[at] = row.p_error[j] + gamma * (row.p_kept[j] + row.p_error[j]);
      if (!key_most_.empty()) key_most_[at] = magnitude + t;
      ds_[key] += magnitude + t;
    }
    if (!scores.keys.empty()) {
      first_key_ = std::min(first_key_, scores.keys.front());
      last_key_ = std::max(last_key_, scores.keys.back() + 1);
    }
    tiny_q_ = tiny_q_ || HasTiny(RowAt(head_.q, head_.dim, i), static_cast<size_t>(head_.dim));
    chunk_.push_back(i);
    if (chunk_.size() == queries_) AddChunk();
  }

  void Finish() {
    AddChunk();
    const auto keys = static_cast<size_t>(head_.len_k);
    const auto dim = static_cast<size_t>(head_.dim), dim_v = static_cast<size_t>(head_.dim_v);
    out_.dk.assign(keys, std::vector<Judged>(dim));
    out_.dv.assign(keys, std::vector<Judged>(dim_v));
    for (size_t j = 0; j < keys; ++j) {
      for (size_t c = 0; c < dim; ++c) {
        const size_t at = j * dim + c;
        const double most = dk_magnitude_.empty() ? 0 : dk_magnitude_[at];
        if (StoresHeads()) {
          stored_max_ = std::max(stored_max_, std::max(1.0, head_.scale) * most + dk_bound_[at]);
        }
        out_.dk[j][c] = Scaled(dk_[at], 0, dk_bound_[at] + HeadsUnderflow(), ds_[j], head_.len_q,
                               tiny_q_, most);
      }
      for (size_t c = 0; c < dim_v; ++c) {
        const double value = dv_[j * dim_v + c];
        Budget budget;
        budget.Add(kTerms, dv_bound_[j * dim_v + c]);
        budget.Add("underflow", 2 * head_.len_q * flush() + HeadsUnderflow());
        budget.Add("its rounding in fp32", kUnit * (std::fabs(value) + budget.bound()) + kFlush);
        out_.dv[j][c] = budget.Around(value);
      }
    }
  }
  double stored_max() const { return stored_max_; }

 private:
  using Coefficients = std::vector<double>;  // [key][query of the chunk]
  static constexpr const char* kTerms = "errors of P, dP and dS, and their sum";

  static const double* RowAt(const std::vector<double>& m, int columns, int row) {
    return m.data() + static_cast<size_t>(row) * static_cast<size_t>(columns);
  }

  /// A sum over all queries: one query head after another, each of which may be stored first.
  double SumOfQueries() const {
    const double gamma =
        Gamma(Units(profile_, head_.len_q, head_.len_q, head_.query_heads) + head_.len_q / 16.0);
    return gamma + (1 + gamma) * HeadRounding(head_, profile_);
  }
  bool StoresHeads() const { return HeadRounding(head_, profile_) > 0; }
  double HeadsUnderflow() const {
    return StoresHeads() ? head_.query_heads * FactsOf(head_.dtype).eta * std::max(1.0, head_.scale)
                         : 0;
  }
  bool StoresUnscaled() const {
    return (StoresPrescaled(profile_, head_.dtype) || StoresHeads()) && head_.dtype == Dtype::f16;
  }
  /// Of sums that the scale of dropout multiplies at the end.
  double flush() const { return kFlush * std::max(1.0, head_.keep_scale); }
  double factor() const { return head_.scale * (1 + 3 * kUnit); }
  /// Of what is summed over |q| or |k|: error and magnitude of dS, times what both come to in the
  /// gradient. The last term is for a scaled dS that is flushed.
  double CoefficientOf(double error, double magnitude, double gamma) const {
    const double prescaled = 2 * profile_.qk_scale_rounding;
    return factor() * (error + gamma * magnitude) * (1 + prescaled) +
           prescaled * head_.scale * magnitude + flush();
  }

  void JudgeQuery(int i, const Scores& scores, const RowGradient& row) {
    const auto dim = static_cast<size_t>(head_.dim), n = scores.keys.size();
    const double gamma = Gamma(Units(profile_, scores.n, scores.span) + scores.n / 16.0);
    std::vector<double> value(dim), p_k(dim), bound(dim), coefficients(n), most(n);
    double ds = 0;
    for (size_t j = 0; j < n; ++j) {
      const double error = (1 + row.common) * row.ds_error[j];
      most[j] = (1 + row.common) *
                (std::fabs(row.ds[j]) + row.p_slope[j] * row.delta_error + row.ds_error[j]);
      coefficients[j] = CoefficientOf(error, most[j], gamma);
      ds += most[j];
    }
    const Rows keys{head_.k.data(), head_.dim, scores.keys.data(), static_cast<int>(n)};
    AddRows<2, 1>(keys, {row.ds.data(), row.p_slope.data(), coefficients.data()},
                  {value.data(), p_k.data(), bound.data()});
    std::vector<double> magnitude(dim);
    if (StoresUnscaled()) AddRows<0, 1>(keys, {most.data()}, {magnitude.data()});
    std::vector<Judged>& judged = out_.dq[static_cast<size_t>(i)];
    for (size_t c = 0; c < dim; ++c) {
      const double common =
          row.common * std::fabs(value[c]) + (1 + row.common) * row.delta_error * std::fabs(p_k[c]);
      judged[c] = Scaled(value[c], common, bound[c], ds, scores.n, panels_.tiny_k, magnitude[c]);
    }
  }

  /// Of dQ and dK: times the softmax scale, which may be folded in anywhere.
  Judged Scaled(double sum, double common, double bound, double ds, double terms, bool tiny,
                double magnitude) {
    const double value = head_.scale * sum, prescaled = 2 * profile_.qk_scale_rounding;
    Budget budget;
    budget.Add("errors of LSE and D", factor() * common * (1 + prescaled));
    budget.Add(kTerms, bound);
    budget.Add("underflow", factor() * 2 * terms * flush() * (1 + prescaled));
    // A kernel that flushes reads a subnormal operand as 0, whatever dS it meets.
    if (tiny) budget.Add("underflow", factor() * ds * kFlush);
    if (StoresPrescaled(profile_, head_.dtype)) {
      budget.Add("underflow of pre-scaled operands", FactsOf(head_.dtype).eta * (ds + terms + 2));
      stored_max_ = std::max(stored_max_, magnitude + budget.bound());
    }
    budget.Add("scaling", 3 * kUnit * (std::fabs(value) + budget.bound()));
    budget.Add("underflow", (2 * terms + 1) * flush());
    return budget.Around(value);
  }

  void AddChunk() {
    const int count = static_cast<int>(chunk_.size());
    const auto dim = static_cast<size_t>(head_.dim), dim_v = static_cast<size_t>(head_.dim_v);
    const Rows q{head_.q.data(), head_.dim, chunk_.data(), count};
    const Rows d_o{head_.d_o.data(), head_.dim_v, chunk_.data(), count};
    for (auto key = static_cast<size_t>(first_key_); key < static_cast<size_t>(last_key_); ++key) {
      const size_t at = key * queries_;
      AddRows<1, 1>(q, {&key_ds_[at], &key_bound_[at]}, {&dk_[key * dim], &dk_bound_[key * dim]});
      AddRows<1, 1>(d_o, {&key_p_[at], &key_p_bound_[at]},
                    {&dv_[key * dim_v], &dv_bound_[key * dim_v]});
      if (StoresUnscaled()) AddRows<0, 1>(q, {&key_most_[at]}, {&dk_magnitude_[key * dim]});
      for (Coefficients* each : {&key_ds_, &key_bound_, &key_p_, &key_p_bound_, &key_most_}) {
        if (!each->empty()) std::fill_n(&(*each)[at], queries_, 0.0);
      }
    }
    first_key_ = head_.len_k;
    last_key_ = 0;
    chunk_.clear();
  }

  const HeadPanels& panels_;
  const Head& head_;
  const NumericsProfile& profile_;
  Gradients& out_;
  std::vector<double> dk_, dk_bound_, dk_magnitude_, dv_, dv_bound_;
  std::vector<double> ds_;  // by key: sum of what |dS| can be
  Coefficients key_ds_, key_bound_, key_p_, key_p_bound_, key_most_;
  size_t queries_;  // of a chunk
  std::vector<int> chunk_;
  int first_key_ = 0, last_key_ = 0;
  bool tiny_q_ = false;
  double stored_max_ = 0;  // largest gradient that a pre-scaling kernel stores unscaled
};

/// "" or why the O and LSE that the backward reads are no basis for a verdict on its gradients: the
/// laws of the forward speak about stored ones.
std::string ForwardDomainOf(const QueryInput& in) {
  if (!in.conditional) {
    double largest = 0;
    for (const Judged& out : in.forward.out) {
      largest = Larger(largest, std::fabs(out.centre) + out.radius);
    }
    return Require("max |O| stored", largest, FactsOf(in.head().dtype).max_finite);
  }
  // Written so that NaN is refused too.
  if (!(std::fabs(in.lse - in.scores.lse) < 1)) return "stored LSE within 1 of the reference";
  const size_t dim = static_cast<size_t>(in.head().dim_v), i = static_cast<size_t>(in.i);
  for (size_t c = 0; c < dim; ++c) {
    if (!std::isfinite(in.head().o[i * dim + c])) return "stored O finite";
  }
  return {};
}

std::string GradientDomainOf(const QueryInput& in, const std::vector<double>& key_max,
                             const RowGradient& row) {
  const Head& head = in.head();
  const auto i = static_cast<size_t>(in.i), dim = static_cast<size_t>(head.dim);
  const auto dim_v = static_cast<size_t>(head.dim_v);
  const double g = row.dp_magnitude_max;
  double operand = LargestOf(head.q.data() + i * dim, dim);
  for (int key : in.scores.keys) operand = std::max(operand, key_max[static_cast<size_t>(key)]);
  std::string why = Require("max |dO||v|, summed over d,", g, 1e30);
  if (why.empty()) {
    why = Require("max(|q|,|k|) max |dO||v|, summed over d,", operand * g, 1e36);
  }
  if (why.empty()) {
    const bool stored = head.dtype == Dtype::f16 && HeadRounding(head, in.profile) > 0;
    why = Require("max |dO| times queries",
                  LargestOf(head.d_o.data() + i * dim_v, dim_v) * head.len_q * head.keep_scale,
                  stored ? 65000 : 3e38);
  }
  if (why.empty()) why = Require("6 u |LSE|", 6 * kUnit * std::fabs(in.lse), 3);
  const bool narrow = in.profile.p_rounding > 0 || in.profile.score_rounding > 0;
  if (why.empty() && narrow && head.dtype == Dtype::f16) {
    double largest = in.profile.score_rounding > 0 ? g : 0;
    largest = std::max(largest, std::fabs(row.d_sink.centre) + row.d_sink.radius);
    for (size_t j = 0; j < row.ds.size(); ++j) {
      const double off = row.p[j] * row.delta_error + row.d_score_error[j];
      largest = std::max(largest, (1 + row.common) * (std::fabs(row.d_score[j]) + off));
    }
    why = Require("max |dS| stored in f16", largest, 65000);
  }
  return why;
}

/// dS itself is the gradient of the bias, and -P D that of the sink.
void JudgeBias(const QueryInput& in, const RowGradient& row, Gradients& out) {
  if (out.dbias.empty()) return;
  std::vector<Judged>& judged = out.dbias[static_cast<size_t>(in.i)];
  for (size_t j = 0; j < row.d_score.size(); ++j) {
    Budget budget;
    const double ds = row.d_score[j];
    budget.Add("errors of LSE and D",
               row.common * std::fabs(ds) + (1 + row.common) * row.p[j] * row.delta_error);
    budget.Add("errors of P, dP and dS", (1 + row.common) * row.d_score_error[j]);
    budget.Add("its rounding in fp32", kUnit * (std::fabs(ds) + budget.bound()) + kFlush);
    judged[static_cast<size_t>(in.scores.keys[j])] = budget.Around(ds);
  }
}

}  // namespace

Gradients Backward(const Head& head, const NumericsProfile& profile, bool conditional) {
  Gradients gradients;
  const auto len_q = static_cast<size_t>(head.len_q), len_k = static_cast<size_t>(head.len_k);
  gradients.dq.resize(len_q, std::vector<Judged>(static_cast<size_t>(head.dim)));
  if (!head.bias.empty()) gradients.dbias.resize(len_q, std::vector<Judged>(len_k));
  if (!head.sink.empty()) gradients.dsink.resize(len_q);
  const HeadPanels panels(head, profile, {0, head.len_k}, true);
  const std::vector<double> key_max = RowMaxima(head.k.data(), head.len_k, head.dim);
  Accumulator sums(panels, profile, gradients);
  for (int i = 0; i < head.len_q && gradients.out_of_domain.empty(); ++i) {
    const Scores scores = ScoresOf(panels, profile, i, false);
    if (scores.n == 0) continue;  // sees nothing: contributes exactly 0
    QueryInput in{panels, profile, scores, i, conditional};
    gradients.out_of_domain = DomainOf(panels, scores, profile, Pass::backward);
    if (gradients.out_of_domain.empty()) in.Prepare();
    if (gradients.out_of_domain.empty()) gradients.out_of_domain = ForwardDomainOf(in);
    if (!gradients.out_of_domain.empty()) break;
    const RowGradient row = RowGradientOf(in);
    gradients.out_of_domain = GradientDomainOf(in, key_max, row);
    sums.AddRow(i, scores, row);
    JudgeBias(in, row, gradients);
    if (!head.sink.empty()) gradients.dsink[static_cast<size_t>(i)] = row.d_sink;
  }
  sums.Finish();
  if (gradients.out_of_domain.empty() && head.dtype == Dtype::f16) {
    gradients.out_of_domain =
        Require("largest unscaled gradient stored in f16", sums.stored_max(), 65000);
  }
  return gradients;
}

Gradients Backward(const Problem& problem, const NumericsProfile& profile, int b, int head_kv,
                   bool conditional) {
  return Backward(ReadHead(problem, b, head_kv), profile, conditional);
}

}  // namespace padproof::reference
