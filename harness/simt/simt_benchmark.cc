// What CUDA on the host costs: a switch, a barrier, a shuffle, a launch, and a whole attention
// kernel against the same work split by hand into loops over the threads, which no emulator can
// beat.

#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/attention_test_kernel.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

// ---- single operations --------------------------------------------------------------------------

constexpr int kRounds = 64;

__global__ void Barriers() {
  for (int i = 0; i < kRounds; i++) __syncthreads();
}

__global__ void WarpBarriers() {
  for (int i = 0; i < kRounds; i++) __syncwarp();
}

__global__ void Shuffles(float* out) {
  float x = static_cast<float>(threadIdx.x);
  for (int i = 0; i < kRounds; i++) x += __shfl_xor_sync(0xffffffffu, x, 1 << (i & 3));
  out[threadIdx.x] = x;
}

__global__ void Nothing() {}

template <class... P, class... A>
void MeasureRounds(benchmark::State& state, void (*kernel)(P...), A... arguments) {
  const unsigned threads = static_cast<unsigned>(state.range(0));
  for (auto _ : state) simt::launch(kernel, dim3(1), dim3(threads), 0, nullptr, arguments...);
  // The time of one thread at one operation; the launch is a small part of it.
  state.counters["per_operation"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * threads * kRounds,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void Barrier(benchmark::State& state) { MeasureRounds(state, Barriers); }
void Syncwarp(benchmark::State& state) { MeasureRounds(state, WarpBarriers); }
void Shuffle(benchmark::State& state) {
  std::vector<float> out(1024);
  MeasureRounds(state, Shuffles, out.data());
}
BENCHMARK(Barrier)->Arg(32)->Arg(128)->Arg(1024);
BENCHMARK(Syncwarp)->Arg(32)->Arg(128)->Arg(1024);
BENCHMARK(Shuffle)->Arg(32)->Arg(128)->Arg(1024);

void EmptyLaunch(benchmark::State& state) {
  const unsigned threads = static_cast<unsigned>(state.range(0));
  for (auto _ : state) simt::launch(Nothing, dim3(1), dim3(threads), 0, nullptr);
}
BENCHMARK(EmptyLaunch)->Arg(1)->Arg(32)->Arg(128)->Arg(1024);

// ---- a whole kernel -----------------------------------------------------------------------------

constexpr int kHeads = 4, kSeqlen = 64, kDim = 32;

struct Inputs {
  std::vector<float> q, k, v, o;
  Inputs() : o(kHeads * kSeqlen * kDim) {
    Random random(1);
    for (auto* x : {&q, &k, &v}) {
      for (size_t i = 0; i < o.size(); i++)
        x->push_back(static_cast<float>(random.Below(201)) / 100 - 1);
    }
  }
  simt_test::AttentionTensors<float> Tensors() {
    return {q.data(), k.data(), v.data(), o.data(), kHeads, kSeqlen, kSeqlen, kSeqlen, 0.17f};
  }
};

/// AttentionKernel<float, kDim> with every section between two collectives as a loop over the
/// threads and every shuffle as a loop over the lanes: what a compiler that turns threads into
/// loops makes.
class HandSplit {
 public:
  explicit HandSplit(const simt_test::AttentionTensors<float>& t) : t_(t) {}

  __attribute__((noinline)) void Run() {
    for (int head = 0; head < t_.heads; head++) {
      for (int row = 0; row < t_.seqlen_q; row += kTileQ) RunBlock(head, row);
    }
  }

 private:
  static constexpr int kLanes = 32;
  static constexpr int kTileQ = simt_test::kTileQ, kTileK = simt_test::kTileK;
  using PerLane = float[kLanes];

  void RunBlock(int head, int first_row) {
    const size_t base = static_cast<size_t>(head) * t_.seqlen_q * kDim;
    for (int tid = 0; tid < simt_test::kThreads; tid++) {
      for (int i = tid; i < kTileQ * kDim; i += simt_test::kThreads) {
        const int row = i / kDim, d = i % kDim;
        const bool real = first_row + row < t_.seqlen_q;
        tile_q_[row][d] = real ? t_.q[base + (first_row + row) * kDim + d] : 0.0f;
      }
    }
    for (int r = 0; r < kTileQ; r++) {
      for (int lane = 0; lane < kLanes; lane++) {
        row_max_[r][lane] = -INFINITY;
        row_sum_[r][lane] = acc_[r][lane] = 0.0f;
      }
    }
    for (int k0 = 0; k0 < t_.real_k; k0 += kTileK) {
      LoadTiles(base, k0);
      for (int row = 0; row < kTileQ; row++) RunRow(row, k0);
    }
    for (int r = 0; r < kTileQ && first_row + r < t_.seqlen_q; r++) {
      for (int lane = 0; lane < kLanes; lane++) {
        const float inverse = row_sum_[r][lane] > 0.0f ? 1.0f / row_sum_[r][lane] : 0.0f;
        t_.o[base + (first_row + r) * kDim + lane] = acc_[r][lane] * inverse;
      }
    }
  }

  void LoadTiles(size_t base, int k0) {
    for (int tid = 0; tid < simt_test::kThreads; tid++) {
      for (int i = tid; i < kTileK * kDim; i += simt_test::kThreads) {
        const int j = i / kDim, d = i % kDim;
        const bool real = k0 + j < t_.real_k;
        tile_k_[j][d] = real ? t_.k[base + (k0 + j) * kDim + d] : 0.0f;
        tile_v_[j][d] = real ? t_.v[base + (k0 + j) * kDim + d] : 0.0f;
      }
    }
  }

  template <class Combine>
  static void Butterfly(PerLane& x, Combine combine) {
    for (int step = 16; step != 0; step >>= 1) {
      PerLane other;
      for (int lane = 0; lane < kLanes; lane++) other[lane] = x[lane ^ step];
      for (int lane = 0; lane < kLanes; lane++) x[lane] = combine(x[lane], other[lane]);
    }
  }

  void RunRow(int row, int k0) {
    PerLane score, tile_max, p, sum, rescale;
    for (int lane = 0; lane < kLanes; lane++) {
      score[lane] = 0.0f;
      for (int d = 0; d < kDim; d++) score[lane] += tile_q_[row][d] * tile_k_[lane][d];
      score[lane] = k0 + lane < t_.real_k ? score[lane] * t_.scale : -INFINITY;
      tile_max[lane] = score[lane];
    }
    Butterfly(tile_max, [](float a, float b) { return fmaxf(a, b); });
    for (int lane = 0; lane < kLanes; lane++) {
      const float new_max = fmaxf(row_max_[row][lane], tile_max[lane]);
      sum[lane] = p[lane] = expf(score[lane] - new_max);
      rescale[lane] = expf(row_max_[row][lane] - new_max);
      row_max_[row][lane] = new_max;
    }
    Butterfly(sum, [](float a, float b) { return a + b; });
    for (int lane = 0; lane < kLanes; lane++) {
      row_sum_[row][lane] = row_sum_[row][lane] * rescale[lane] + sum[lane];
      tile_p_[row][lane] = p[lane];
    }
    for (int lane = 0; lane < kLanes; lane++) {
      float out = acc_[row][lane] * rescale[lane];
      for (int j = 0; j < kTileK; j++) out += tile_p_[row][j] * tile_v_[j][lane];
      acc_[row][lane] = out;
    }
  }

  simt_test::AttentionTensors<float> t_;
  float tile_k_[kTileK][kDim + 1], tile_v_[kTileK][kDim], tile_q_[kTileQ][kDim];
  float tile_p_[kTileQ][kTileK];
  PerLane row_max_[kTileQ], row_sum_[kTileQ], acc_[kTileQ];
};

void AttentionByHand(benchmark::State& state) {
  Inputs inputs;
  HandSplit kernel(inputs.Tensors());
  for (auto _ : state) kernel.Run();
}
BENCHMARK(AttentionByHand)->Unit(benchmark::kMillisecond);

void AttentionOnFibers(benchmark::State& state) {
  Inputs inputs;
  simt::ApplySchedule(static_cast<Order>(state.range(0)), 1);
  for (auto _ : state) simt_test::Attention<float, kDim>(inputs.Tensors());
  simt::ApplySchedule(Order::forward, 0);
}
BENCHMARK(AttentionOnFibers)->DenseRange(0, 3)->ArgName("order")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace padproof

BENCHMARK_MAIN();
