// What the bounds cost: a row of the oracle, with and without them. By hand, never a test:
// build/check/reference_benchmark

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "reference/attention.h"
#include "reference/emulation/families.h"
#include "reference/rounding_model.h"

namespace padproof::reference {
namespace {

Head HeadFor(const benchmark::State& state, Dtype dtype) {
  const int n = static_cast<int>(state.range(0)), dim = static_cast<int>(state.range(1));
  Head head = HeadOf(Family::randn, {1, n, dim, dtype}, 1);
  head.visible = {n};
  return head;
}

/// O of one row in fp64, as plainly as it can be written.
std::vector<double> PlainRow(const Head& head) {
  const auto n = static_cast<size_t>(head.visible[0]), dim = static_cast<size_t>(head.dim);
  std::vector<double> p(n), o(dim);
  for (size_t j = 0; j < n; ++j) {
    for (size_t c = 0; c < dim; ++c) p[j] += head.q[c] * head.k[j * dim + c];
    p[j] *= head.scale;
  }
  const double max = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& x : p) sum += x = std::exp(x - max);
  for (size_t j = 0; j < n; ++j) {
    for (size_t c = 0; c < dim; ++c) o[c] += p[j] / sum * head.v[j * dim + c];
  }
  return o;
}

void Plain(benchmark::State& state) {
  const Head head = HeadFor(state, Dtype::f32);
  for (auto _ : state) benchmark::DoNotOptimize(PlainRow(head));
}

void WithBounds(benchmark::State& state) {
  const Head head = HeadFor(state, Dtype::f32);
  for (auto _ : state) benchmark::DoNotOptimize(Forward(head, {}, 0));
}

void WithBoundsInOrder(benchmark::State& state) {
  const Head head = HeadFor(state, Dtype::f32);
  const NumericsProfile profile{.tile_keys = 64, .in_order_keys = 64};
  for (auto _ : state) benchmark::DoNotOptimize(Forward(head, profile, 0));
}

void OneRoundingModel(benchmark::State& state) {
  const Head head = HeadFor(state, Dtype::bf16);
  const NumericsProfile profile{.p_rounding = 0x1p-8, .p_underflow = 0x1p-134};
  for (auto _ : state) {
    benchmark::DoNotOptimize(ForwardByModel(head, profile, 0, {.tile = 64}));
  }
}

void Shapes(benchmark::internal::Benchmark* b) {
  b->Args({17, 16})->Args({32, 16})->Args({1024, 64});
}
BENCHMARK(Plain)->Apply(Shapes);
BENCHMARK(WithBounds)->Apply(Shapes);
BENCHMARK(WithBoundsInOrder)->Apply(Shapes);
BENCHMARK(OneRoundingModel)->Apply(Shapes);

}  // namespace
}  // namespace padproof::reference

BENCHMARK_MAIN();
