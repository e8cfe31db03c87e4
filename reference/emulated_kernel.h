// Correct attention kernels in fp32, emulated on the host: what the bound must never accuse. The
// tests of the oracle run them over families of inputs and climb towards the bound with them.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "harness/base/dtype.h"
#include "harness/base/random.h"
#include "reference/attention.h"

namespace padproof::reference {

/// A way to compute attention that a correct kernel may choose.
struct Emulation {
  const char* name = "three_pass";
  int tile = 0;              // keys a tile of the online softmax; 0: three passes
  bool reverse = false;      // keys from last to first
  int lanes = 1;             // strided lanes with softmaxes of their own, merged at the end
  bool fma = false;          // fused multiply-add, and exp2 with the scale folded in
  int exp_ulps = 0;          // noise of the exponential, in ulp
  bool flush = false;        // results below the smallest normal become 0
  bool round_p = false;      // P rounded to the storage type before it meets V
  bool sum_rounded = false;  // and its row sum takes the rounded P
  bool autograd = false;     // backward from a stored softmax, D = rowsum(P * dP)
};

/// The profile that such a kernel declares.
inline NumericsProfile ProfileOf(const Emulation& e, Dtype dtype) {
  NumericsProfile profile;
  profile.tile_keys = e.tile > 0 ? e.tile : 1 << 20;
  profile.split = e.lanes > 1 ? 1 : 0;
  if (e.round_p && dtype != Dtype::f32) {
    profile.p_rounding = FactsOf(dtype).unit_roundoff;
    profile.p_underflow = FactsOf(dtype).eta;
    profile.row_sum_of_rounded_p = e.sum_rounded ? 1 : 0;
  }
  return profile;
}

/// fp32 arithmetic in the manner of one emulation.
class Arithmetic {
 public:
  Arithmetic(const Emulation& e, Dtype dtype, uint64_t noise)
      : e_(e), dtype_(dtype), noise_(noise) {}

  float Flush(float x) const {
    return e_.flush && std::fabs(x) < std::numeric_limits<float>::min() ? 0.0f : x;
  }
  float MulAdd(float a, float b, float sum) const {
    return Flush(e_.fma ? std::fma(a, b, sum) : Flush(a * b) + sum);
  }
  /// 2^x, off by up to exp_ulps from the correctly rounded result; exact at 0 and -inf.
  float Exp2(float x) { return Noisy(static_cast<float>(std::exp2(static_cast<double>(x))), x); }
  float Exp(float x) { return Noisy(static_cast<float>(std::exp(static_cast<double>(x))), x); }
  float RoundP(float p) const {
    return e_.round_p ? static_cast<float>(Decode(dtype_, Encode(dtype_, p))) : p;
  }

 private:
  float Noisy(float y, float x) {
    if (x == 0 || y == 0 || std::isinf(y)) return y;
    for (int step = noise_.Between(-e_.exp_ulps, e_.exp_ulps); step != 0;
         step += step < 0 ? 1 : -1) {
      y = std::nextafter(y, step < 0 ? 0.0f : std::numeric_limits<float>::infinity());
    }
    return Flush(y);
  }

  const Emulation& e_;
  Dtype dtype_;
  Random noise_;
};

struct EmulatedRow {
  std::vector<uint32_t> out;  // stored bits
  uint32_t lse = 0;
};

/// What one lane has after its keys.
struct PartialSoftmax {
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0;
  std::vector<float> acc;
};

class EmulatedKernel {
 public:
  EmulatedKernel(const Emulation& e, const Head& head, uint64_t noise)
      : e_(e), head_(head), dim_(static_cast<size_t>(head.dim)), math_(e, head.dtype, noise) {}

  EmulatedRow Forward(int i) {
    const int n = head_.visible[static_cast<size_t>(i)];
    PartialSoftmax all = Walk(i, n, 0);
    for (int lane = 1; lane < e_.lanes; ++lane) Merge(all, Walk(i, n, lane));
    EmulatedRow row;
    const float inverse = all.sum > 0 ? 1.0f / all.sum : 0.0f;
    for (float x : all.acc) row.out.push_back(Encode(head_.dtype, math_.Flush(x * inverse)));
    const float log = static_cast<float>(std::log(static_cast<double>(all.sum)));
    row.lse = Encode(Dtype::f32, all.sum > 0 ? Natural(all.max) + log : all.max);
    return row;
  }

  /// Gradients from the O and LSE stored in the head; [token][dim] bits.
  struct Gradient {
    std::vector<uint32_t> dq, dk, dv;
  };
  Gradient Backward() {
    std::vector<float> dq(head_.q.size()), dk(head_.k.size()), dv(head_.k.size());
    for (int i = 0; i < head_.len_q; ++i) BackwardRow(i, dq, dk, dv);
    const auto store = [&](const std::vector<float>& x) {
      std::vector<uint32_t> bits;
      for (float value : x) bits.push_back(Encode(head_.dtype, value));
      return bits;
    };
    return {store(dq), store(dk), store(dv)};
  }

 private:
  float At(const std::vector<double>& m, int row, size_t c) const {
    return static_cast<float>(m[static_cast<size_t>(row) * dim_ + c]);
  }
  float DotProduct(const std::vector<double>& x, int i, const std::vector<double>& y, int j) const {
    float sum = 0;
    for (size_t c = 0; c < dim_; ++c) sum = math_.MulAdd(At(x, i, c), At(y, j, c), sum);
    return sum;
  }
  float scale() const { return static_cast<float>(head_.scale); }
  float folded() const { return scale() * 1.44269504f; }
  // With fma, scores stay unscaled and the scale is folded into exp2.
  float Score(int i, int j) const {
    const float dot = DotProduct(head_.q, i, head_.k, j);
    return e_.fma ? dot : math_.Flush(dot * scale());
  }
  float Weight(float score, float max) {
    return e_.fma ? math_.Exp2(std::fma(score, folded(), -(max * folded())))
                  : math_.Exp(score - max);
  }
  float Rescale(float from, float to) {
    return e_.fma ? math_.Exp2((from - to) * folded()) : math_.Exp(from - to);
  }
  float Natural(float max) const { return e_.fma ? max * scale() : max; }

  PartialSoftmax Walk(int i, int n, int lane) {
    PartialSoftmax state;
    state.acc.assign(dim_, 0.0f);
    std::vector<int> keys;
    for (int j = lane; j < n; j += e_.lanes) keys.push_back(j);
    if (e_.reverse) std::reverse(keys.begin(), keys.end());
    const size_t tile = e_.tile > 0 ? static_cast<size_t>(e_.tile) : keys.size();
    for (size_t first = 0; first < keys.size(); first += tile) {
      const size_t last = std::min(keys.size(), first + tile);
      float max = state.max;
      std::vector<float> scores;
      for (size_t at = first; at < last; ++at) {
        scores.push_back(Score(i, keys[at]));
        max = std::max(max, scores.back());
      }
      if (first > 0) Shift(state, Rescale(state.max, max));
      state.max = max;
      for (size_t at = first; at < last; ++at) Add(state, scores[at - first], keys[at]);
    }
    return state;
  }
  void Shift(PartialSoftmax& state, float factor) const {
    state.sum = math_.Flush(state.sum * factor);
    for (float& x : state.acc) x = math_.Flush(x * factor);
  }
  void Add(PartialSoftmax& state, float score, int key) {
    const float p = Weight(score, state.max), rounded = math_.RoundP(p);
    state.sum += e_.sum_rounded ? rounded : p;
    for (size_t c = 0; c < dim_; ++c) {
      state.acc[c] = math_.MulAdd(rounded, At(head_.v, key, c), state.acc[c]);
    }
  }
  void Merge(PartialSoftmax& all, PartialSoftmax other) {
    if (other.sum == 0) return;
    const float max = std::max(all.max, other.max);
    Shift(all, Rescale(all.max, max));
    Shift(other, Rescale(other.max, max));
    all.max = max;
    all.sum += other.sum;
    for (size_t c = 0; c < dim_; ++c) all.acc[c] += other.acc[c];
  }

  void BackwardRow(int i, std::vector<float>& dq, std::vector<float>& dk, std::vector<float>& dv) {
    const int n = head_.visible[static_cast<size_t>(i)];
    const std::vector<float> p = e_.autograd ? Softmax(i, n) : Recomputed(i, n);
    std::vector<float> dp;
    for (int j = 0; j < n; ++j) dp.push_back(DotProduct(head_.d_o, i, head_.v, j));
    float delta = 0;
    if (e_.autograd) {
      for (size_t j = 0; j < p.size(); ++j) delta = math_.MulAdd(p[j], dp[j], delta);
    } else {
      delta = DotProduct(head_.d_o, i, head_.o, i);
    }
    const size_t row = static_cast<size_t>(i) * dim_;
    for (int j = 0; j < n; ++j) {
      const size_t at = static_cast<size_t>(j), key = at * dim_;
      const float ds = math_.RoundP(math_.Flush(p[at] * (dp[at] - delta)));
      for (size_t c = 0; c < dim_; ++c) {
        dq[row + c] = math_.MulAdd(math_.Flush(ds * scale()), At(head_.k, j, c), dq[row + c]);
        dk[key + c] = math_.MulAdd(math_.Flush(ds * scale()), At(head_.q, i, c), dk[key + c]);
        dv[key + c] = math_.MulAdd(math_.RoundP(p[at]), At(head_.d_o, i, c), dv[key + c]);
      }
    }
  }
  // Weights from the stored LSE, as a fused backward has them.
  std::vector<float> Recomputed(int i, int n) {
    const float lse = static_cast<float>(head_.lse[static_cast<size_t>(i)]);
    std::vector<float> p;
    for (int j = 0; j < n; ++j) {
      const float dot = DotProduct(head_.q, i, head_.k, j);
      p.push_back(e_.fma ? math_.Exp2(std::fma(dot, folded(), -(lse * 1.44269504f)))
                         : math_.Exp(dot * scale() - lse));
    }
    return p;
  }
  // Weights of a softmax in three passes, stored, as automatic differentiation keeps them.
  std::vector<float> Softmax(int i, int n) {
    std::vector<float> p;
    float max = -std::numeric_limits<float>::infinity(), sum = 0;
    for (int j = 0; j < n; ++j) max = std::max(max, Score(i, j));
    for (int j = 0; j < n; ++j) sum += p.emplace_back(Weight(Score(i, j), max));
    for (float& x : p) x = math_.RoundP(math_.Flush(x / sum));
    return p;
  }

  const Emulation& e_;
  const Head& head_;
  size_t dim_;
  Arithmetic math_;
};

}  // namespace padproof::reference
