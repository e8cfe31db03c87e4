// What the bounds cost: the oracle beside plain fp64 attention of the same layout and vectors, for
// one query and for a head of 64. By hand, never a test: build/check/reference_benchmark

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "reference/attention.h"
#include "reference/emulation/families.h"
#include "reference/panels.h"
#include "reference/rounding_model.h"

namespace padproof::reference {
namespace {

using Pair = double __attribute__((vector_size(16)));
constexpr int kWidth = 8, kChunk = 16;

/// len_q, keys, dim.
Head HeadFor(const benchmark::State& state, Dtype dtype) {
  const int len_q = static_cast<int>(state.range(0)), n = static_cast<int>(state.range(1));
  Head head = HeadOf(Family::randn, {len_q, n, static_cast<int>(state.range(2)), dtype}, 1);
  for (double& x : head.d_o) x = std::remainder(x, 1) + 0.5;  // no subnormal numbers
  head.visible.assign(static_cast<size_t>(len_q), {0, n});
  for (int i = 0; i < len_q; ++i) {
    const ForwardRow row = Forward(head, {}, i);
    head.lse.push_back(row.lse.centre);
    for (const Judged& out : row.out) head.o.push_back(out.centre);
  }
  return head;
}

// ---- plain attention ----------------------------------------------------------------------------

/// Rows of a matrix in panels of eight, as the oracle has them; products without magnitudes.
class PlainPanels {
 public:
  PlainPanels(const std::vector<double>& m, int rows, int columns) : columns_(columns) {
    const int panels = (rows + kWidth - 1) / kWidth;
    packed_.resize(static_cast<size_t>(panels * columns * kWidth));
    for (int row = 0; row < rows; ++row) {
      double* to = packed_.data() + static_cast<size_t>(row / kWidth * columns * kWidth);
      for (int t = 0; t < columns; ++t) {
        to[t * kWidth + row % kWidth] = m[static_cast<size_t>(row * columns + t)];
      }
    }
  }
  void Multiply(const double* x, std::vector<double>& out) const {
    const double* panel = packed_.data();
    for (size_t row = 0; row < out.size(); row += kWidth) {
      Pair sum[4] = {};
      for (int t = 0; t < columns_; ++t, panel += kWidth) {
        const Pair factor = {x[t], x[t]};
#pragma GCC unroll 4
        for (int l = 0; l < 4; ++l) {
          Pair y;
          std::memcpy(&y, panel + 2 * l, sizeof y);
          sum[l] += factor * y;
        }
      }
      std::memcpy(out.data() + row, sum,
                  sizeof(double) * std::min<size_t>(kWidth, out.size() - row));
    }
  }

 private:
  int columns_;
  std::vector<double> packed_;
};

class PlainHead {
 public:
  explicit PlainHead(const Head& head)
      : head_(head), k_(head.k, head.len_k, head.dim), n_(static_cast<size_t>(head.len_k)) {
    for (int j = 0; j < head.len_k; ++j) keys_.push_back(j);
  }

  std::vector<double> Weights(int i) const {
    std::vector<double> p(n_);
    k_.Multiply(Row(head_.q, i), p);
    for (double& x : p) x *= head_.scale;
    const double max = *std::max_element(p.begin(), p.end());
    double sum = 0;
    for (double& x : p) sum += x = std::exp(x - max);
    for (double& x : p) x /= sum;
    return p;
  }

  std::vector<double> Forward(int i) const {
    std::vector<double> o(Dim());
    AddRows<1, 0>(Of(head_.v, keys_), {Weights(i).data()}, {o.data()});
    return o;
  }

  struct Gradient {
    std::vector<double> dq, dk, dv;
  };
  Gradient Backward() const {
    const PlainPanels v(head_.v, head_.len_k, head_.dim);
    Gradient out{std::vector<double>(head_.q.size()), std::vector<double>(head_.k.size()),
                 std::vector<double>(head_.v.size())};
    std::vector<double> dp(n_), ds(n_), p_of(n_ * kChunk), ds_of(n_ * kChunk);
    for (int first = 0; first < head_.len_q; first += kChunk) {
      std::vector<int> rows;
      for (int i = first; i < std::min(head_.len_q, first + kChunk); ++i) {
        const std::vector<double> p = Weights(i);
        v.Multiply(Row(head_.d_o, i), dp);
        double delta = 0;
        for (size_t j = 0; j < n_; ++j) delta += p[j] * dp[j];
        for (size_t j = 0; j < n_; ++j) {
          ds[j] = head_.scale * p[j] * (dp[j] - delta);
          p_of[j * kChunk + rows.size()] = p[j];
          ds_of[j * kChunk + rows.size()] = ds[j];
        }
        AddRows<1, 0>(Of(head_.k, keys_), {ds.data()},
                      {out.dq.data() + static_cast<size_t>(i) * Dim()});
        rows.push_back(i);
      }
      for (size_t j = 0; j < n_; ++j) {
        AddRows<1, 0>(Of(head_.q, rows), {&ds_of[j * kChunk]}, {&out.dk[j * Dim()]});
        AddRows<1, 0>(Of(head_.d_o, rows), {&p_of[j * kChunk]}, {&out.dv[j * Dim()]});
      }
    }
    return out;
  }

 private:
  size_t Dim() const { return static_cast<size_t>(head_.dim); }
  const double* Row(const std::vector<double>& m, int i) const {
    return m.data() + static_cast<size_t>(i) * Dim();
  }
  Rows Of(const std::vector<double>& m, const std::vector<int>& rows) const {
    return {m.data(), head_.dim, rows.data(), static_cast<int>(rows.size())};
  }

  const Head& head_;
  PlainPanels k_;
  size_t n_;
  std::vector<int> keys_;
};

// ---- beside the oracle --------------------------------------------------------------------------

void Plain(benchmark::State& state) {
  const Head head = HeadFor(state, Dtype::f32);
  for (auto _ : state) {
    const PlainHead plain(head);
    for (int i = 0; i < head.len_q; ++i) benchmark::DoNotOptimize(plain.Forward(i));
  }
}

void WithBounds(benchmark::State& state, Dtype dtype, const NumericsProfile& profile) {
  const Head head = HeadFor(state, dtype);
  for (auto _ : state) {
    const ForwardOracle oracle(head, profile);
    for (int i = 0; i < head.len_q; ++i) benchmark::DoNotOptimize(oracle.Row(i));
  }
}

void PlainBackward(benchmark::State& state) {
  const Head head = HeadFor(state, Dtype::f32);
  for (auto _ : state) benchmark::DoNotOptimize(PlainHead(head).Backward());
}

void BackwardWithBounds(benchmark::State& state, bool conditional) {
  const Head head = HeadFor(state, Dtype::f32);
  const NumericsProfile profile;
  for (auto _ : state) benchmark::DoNotOptimize(Backward(head, profile, conditional));
}

void OneRoundingModel(benchmark::State& state) {
  const Head head = HeadFor(state, Dtype::bf16);
  const NumericsProfile profile{.p_rounding = 0x1p-8, .p_underflow = 0x1p-134};
  for (auto _ : state) {
    benchmark::DoNotOptimize(ForwardByModel(head, profile, 0, {.tile = 64}));
  }
}

constexpr NumericsProfile kTiles{.tile_keys = 64}, kInOrder{.tile_keys = 64, .in_order_keys = 64};
constexpr NumericsProfile kRoundedP{.p_rounding = 0x1p-11, .p_underflow = 0x1p-25, .tile_keys = 64};

void Shapes(benchmark::internal::Benchmark* b) {
  b->Args({1, 17, 16})->Args({1, 32, 16})->Args({1, 1024, 64})->Args({64, 1024, 64});
}
BENCHMARK(Plain)->Apply(Shapes);
BENCHMARK_CAPTURE(WithBounds, any, Dtype::f32, {})->Apply(Shapes);
BENCHMARK_CAPTURE(WithBounds, tiles, Dtype::f32, kTiles)->Apply(Shapes);
BENCHMARK_CAPTURE(WithBounds, in_order, Dtype::f32, kInOrder)->Apply(Shapes);
BENCHMARK_CAPTURE(WithBounds, f16_rounded_p, Dtype::f16, kRoundedP)->Apply(Shapes);
BENCHMARK(PlainBackward)->Apply(Shapes);
BENCHMARK_CAPTURE(BackwardWithBounds, conditional, true)->Apply(Shapes);
BENCHMARK_CAPTURE(BackwardWithBounds, unconditional, false)->Apply(Shapes);
BENCHMARK(OneRoundingModel)->Args({1, 17, 16})->Args({1, 32, 16})->Args({1, 1024, 64});

}  // namespace
}  // namespace padproof::reference

BENCHMARK_MAIN();
