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

std::vector<float> EmulatedKernel::Recomputed(int i, int n) {
  const float lse = static_cast<float>(head_.lse[static_cast<size_t>(i)]);
  const std::vector<float> scores = ScoresOf(i, FirstInts(n));
  std::vector<float> p;
  for (int j = 0; j < n; ++j) {
    const float s = scores[static_cast<size_t>(j)], value = v_.row(j)[0];
    p.push_back(
        e_.scaling == Scaling::folded
            ? math_.Exp2(math_.Flush(std::fma(s, folded(), -math_.Mul(lse, kLog2E))), j, value)
            : math_.Exp(math_.Add(s, -lse), j, value));
  }
  return p;
}

std::vector<float> EmulatedKernel::Softmax(int i, int n) {
  const std::vector<float> scores = ScoresOf(i, FirstInts(n));
  std::vector<float> p;
  if (n == 0) return p;
  const float max = *std::max_element(scores.begin(), scores.end());
  for (int j = 0; j < n; ++j) p.push_back(Weight(scores[static_cast<size_t>(j)], max, j));
  const float sum = math_.Total(0, p.data(), n);
  for (float& x : p) x = math_.RoundP(math_.Flush(x / sum));
  return p;
}

void EmulatedKernel::BackwardRow(int i, Matrix& p, Matrix& ds) {
  const int n = head_.visible[static_cast<size_t>(i)];
  const std::vector<float> weights = e_.autograd ? Softmax(i, n) : Recomputed(i, n);
  std::vector<float> dp;
  for (int j = 0; j < n; ++j) {
    const float x = math_.Accumulate(0, dp_d_o_.row(i), pv_v_.row(j), dim_);
    dp.push_back(e_.store_scores ? math_.RoundToStorage(x) : x);
  }
  float delta = 0;
  if (e_.autograd) {
    delta = math_.AccumulateSimt(0, weights.data(), dp.data(), n);
  } else {
    delta = math_.AccumulateSimt(0, d_o_.row(i), o_.row(i), dim_);
  }
  for (int j = 0; j < n; ++j) {
    const size_t at = static_cast<size_t>(j);
    p.row(i)[j] = math_.RoundOperand(math_.RoundP(weights[at]));
    float x = math_.RoundP(math_.Mul(weights[at], math_.Add(dp[at], -delta)));
    if (e_.scaling == Scaling::scores && e_.sum != Sum::tensor_core) x = math_.Mul(x, scale());
    ds.row(i)[j] = math_.RoundOperand(x);
  }
}

std::vector<float> EmulatedKernel::Product(const std::vector<float>& left, const Matrix& right) {
  const int terms = static_cast<int>(left.size());
  std::vector<int> order = FirstInts(terms);
  if (e_.scattered) {
    for (int t = terms - 1; t > 0; --t) {
      std::swap(order[static_cast<size_t>(t)], order[order_.Below(static_cast<uint32_t>(t) + 1)]);
    }
  }
  std::vector<float> x, y(left.size()), sums;
  for (int t : order) x.push_back(left[static_cast<size_t>(t)]);
  const int tile = e_.scattered ? kScatteredTile : std::max(1, terms);
  for (int c = 0; c < dim_; ++c) {
    for (size_t t = 0; t < y.size(); ++t) y[t] = right.row(order[t])[c];
    float sum = 0;
    for (int first = 0; first < terms; first += tile) {
      const int size = std::min(tile, terms - first);
      sum = math_.Add(sum, math_.Accumulate(0, x.data() + first, y.data() + first, size));
    }
    sums.push_back(sum);
  }
  return sums;
}

void EmulatedKernel::StoreScaled(const std::vector<float>& sums, float factor,
                                 std::vector<uint32_t>& out) const {
  for (float sum : sums) {
    const float first = e_.store_scores ? math_.RoundToStorage(sum) : sum;
    out.push_back(Encode(head_.dtype, factor == 1 ? first : math_.Mul(first, factor)));
  }
}

EmulatedKernel::Gradient EmulatedKernel::Backward() {
  const size_t cells = static_cast<size_t>(head_.len_q) * static_cast<size_t>(head_.len_k);
  Matrix p{head_.len_k, std::vector<float>(cells)}, ds = p;
  for (int i = 0; i < head_.len_q; ++i) BackwardRow(i, p, ds);
  const bool scaled_terms = e_.scaling == Scaling::scores && e_.sum != Sum::tensor_core;
  const float late = scaled_terms ? 1.0f : scale();
  Gradient out;
  for (int i = 0; i < head_.len_q; ++i) {
    const int n = head_.visible[static_cast<size_t>(i)];
    const std::vector<float> row(ds.row(i), ds.row(i) + n);
    StoreScaled(Product(row, qk_k_), late, out.dq);
  }
  for (int j = 0; j < head_.len_k; ++j) {
    StoreScaled(Product(ColumnOf(ds, j, head_.len_q), qk_q_), prescaled() ? 1.0f : late, out.dk);
    StoreScaled(Product(ColumnOf(p, j, head_.len_q), dp_d_o_), 1.0f, out.dv);
  }
  return out;
}

}  // namespace padproof::reference
