// Backward of an emulated kernel: P recomputed from the stored LSE or kept by automatic
// differentiation, dS, and the three products with their sums in the order of the emulation.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "reference/emulation/kernel.h"

namespace padproof::reference {
namespace {

constexpr float kLog2E = 1.44269504f;
constexpr int kScatteredTile = 16;  // terms a partial sum that an atomic adds

std::vector<int> FirstInts(int n) {
  std::vector<int> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<float> ColumnOf(const Matrix& m, int column, int rows) {
  std::vector<float> x;
  for (int i = 0; i < rows; ++i) x.push_back(m.row(i)[column]);
  return x;
}

}  // namespace

std::vector<float> EmulatedKernel::Recomputed(int i, const std::vector<int>& keys,
                                              std::vector<float>& tanhs) {
  const float lse = static_cast<float>(head_.lse[static_cast<size_t>(i)]);
  std::vector<float> p;
  const auto add = [&](float s, int key, float value) {
    p.push_back(
        e_.scaling == Scaling::folded
            ? math_.Exp2(math_.Flush(std::fma(s, folded(), -math_.Mul(lse, kLog2E))), key, value)
            : math_.Exp(math_.Add(s, -lse), key, value));
  };
  for (int key : keys) {
    add(ScoreOf(i, key), key, v_.row(key)[0]);
    tanhs.push_back(tanh_);
  }
  if (!head_.sink.empty()) add(SinkOf(i), -1, 0);
  return p;
}

std::vector<float> EmulatedKernel::Softmax(int i, const std::vector<int>& keys,
                                           std::vector<float>& tanhs) {
  std::vector<float> p;
  for (int key : keys) {
    p.push_back(ScoreOf(i, key));
    tanhs.push_back(tanh_);
  }
  if (!head_.sink.empty()) p.push_back(SinkOf(i));
  if (p.empty()) return p;
  const float max = *std::max_element(p.begin(), p.end());
  for (size_t j = 0; j < p.size(); ++j) p[j] = Weight(p[j], max, j < keys.size() ? keys[j] : -1);
  const float sum = math_.Total(0, p.data(), static_cast<int>(p.size()));
  for (float& x : p) x = math_.RoundP(math_.Flush(x / sum));
  return p;
}

void EmulatedKernel::BackwardRow(int i, Matrix& p, Matrix& ds, Gradient& out) {
  const std::vector<int> keys = KeysOf(head_, i);
  const int n = static_cast<int>(keys.size());
  const bool drop_late = e_.drop_late && !head_.dropped.empty();
  std::vector<float> tanhs, dp;
  const std::vector<float> weights =
      e_.autograd ? Softmax(i, keys, tanhs) : Recomputed(i, keys, tanhs);
  for (int key : keys) {
    const float x = Stored(math_.Accumulate(0, dp_d_o_.row(i), pv_v_.row(key), dim_v_));
    const bool dropped = !head_.dropped.empty() && head_.dropped[at(i, key)] != 0;
    dp.push_back(dropped                              ? 0
                 : head_.dropped.empty() || drop_late ? x
                                                      : Stored(math_.Mul(x, keep())));
  }
  float delta = 0;
  if (e_.autograd) {
    delta = math_.AccumulateSimt(0, weights.data(), dp.data(), n);
  } else {
    delta = math_.AccumulateSimt(0, d_o_.row(i), o_.row(i), dim_v_);
  }
  if (drop_late) delta = math_.Mul(delta, 1 / keep());
  for (int j = 0; j < n; ++j) {
    const auto k = static_cast<size_t>(j);
    p.row(i)[keys[k]] = math_.RoundOperand(Dropped(i, keys[k], weights[k]));
    float x = math_.Mul(weights[k], math_.Add(dp[k], -delta));
    if (!out.dbias.empty()) {
      out.dbias[at(i, keys[k])] = Encode(head_.dtype, drop_late ? math_.Mul(x, keep()) : x);
    }
    if (head_.softcap > 0) {
      const float slope = Stored(math_.Add(1, -math_.Mul(tanhs[k], tanhs[k])));
      x = Stored(math_.Mul(Stored(x), slope));
    }
    x = math_.RoundP(x);
    if (e_.scaling == Scaling::scores && e_.sum != Sum::tensor_core) x = math_.Mul(x, scale());
    ds.row(i)[keys[k]] = math_.RoundOperand(x);
  }
  if (!out.dsink.empty() && n > 0) {
    const float x = math_.RoundP(math_.Mul(weights.back(), -delta));
    out.dsink[static_cast<size_t>(i)] = Encode(Dtype::f32, drop_late ? math_.Mul(x, keep()) : x);
  }
}

std::vector<float> EmulatedKernel::Product(const std::vector<float>& left, const Matrix& right,
                                           int parts) {
  const int terms = static_cast<int>(left.size());
  std::vector<int> order = FirstInts(terms);
  if (e_.scattered) {
    for (int t = terms - 1; t > 0; --t) {
      std::swap(order[static_cast<size_t>(t)], order[order_.Below(static_cast<uint32_t>(t) + 1)]);
    }
  }
  std::vector<float> x, y(left.size()), sums;
  for (int t : order) x.push_back(left[static_cast<size_t>(t)]);
  const int tile = e_.scattered ? kScatteredTile : std::max(1, terms / parts);
  for (int c = 0; c < right.columns; ++c) {
    for (size_t t = 0; t < y.size(); ++t) y[t] = x[t] == 0 ? 0 : right.row(order[t])[c];
    float sum = 0;
    for (int first = 0; first < terms; first += tile) {
      const int size = std::min(tile, terms - first);
      const float part = math_.Accumulate(0, x.data() + first, y.data() + first, size);
      const bool expanded = parts > 1 && e_.expand_gradients;
      sum = math_.Add(sum, expanded ? math_.RoundToStorage(part) : parts > 1 ? Stored(part) : part);
    }
    sums.push_back(sum);
  }
  return sums;
}

void EmulatedKernel::StoreScaled(const std::vector<float>& sums, float factor,
                                 std::vector<uint32_t>& out) const {
  for (float sum : sums) {
    const float first = Stored(sum);
    out.push_back(Encode(head_.dtype, factor == 1 ? first : math_.Mul(first, factor)));
  }
}

EmulatedKernel::Gradient EmulatedKernel::Backward() {
  const size_t cells = static_cast<size_t>(head_.len_q) * static_cast<size_t>(head_.len_k);
  Matrix p{head_.len_k, std::vector<float>(cells)}, ds = p;
  Gradient out;
  if (!head_.bias.empty()) out.dbias.resize(cells);
  out.dsink.resize(head_.sink.size());
  for (int i = 0; i < head_.len_q; ++i) BackwardRow(i, p, ds, out);
  const bool scaled_terms = e_.scaling == Scaling::scores && e_.sum != Sum::tensor_core;
  const bool drop_late = e_.drop_late && !head_.dropped.empty();
  const float dropout = drop_late ? keep() : 1.0f;
  const float late = math_.Mul(scaled_terms ? 1.0f : scale(), dropout);
  for (int i = 0; i < head_.len_q; ++i) {
    const int n = head_.visible[static_cast<size_t>(i)].last;
    const std::vector<float> row(ds.row(i), ds.row(i) + std::max(0, n));
    StoreScaled(Product(row, qk_k_, 1), late, out.dq);
  }
  const int heads = head_.query_heads;
  for (int j = 0; j < head_.len_k; ++j) {
    StoreScaled(Product(ColumnOf(ds, j, head_.len_q), qk_q_, heads), prescaled() ? dropout : late,
                out.dk);
    StoreScaled(Product(ColumnOf(p, j, head_.len_q), dp_d_o_, heads), dropout, out.dv);
  }
  return out;
}

}  // namespace padproof::reference
