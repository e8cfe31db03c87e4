// Ten bugs planted into one whole kernel: tiled online-softmax attention with padded keys and a
// causal mask, which uses raw, macro and dynamic shared memory, barriers and shuffles. It runs over
// shapes on both sides of its tiles, and its clean twin is held against sums in double.

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

enum class Plant {
  none,
  key_read_past_end,
  raw_shared_overrun,
  macro_shared_overrun,
  dynamic_shared_overrun,
  no_barrier_before_load,
  no_barrier_after_load,
  value_pads_unwritten,
  no_syncwarp,
  early_return,
  rows_past_end,
};

constexpr int kTileQ = 16;
constexpr int kTileK = 32;
constexpr int kThreads = 128;
constexpr int kDim = 32;
constexpr int kRows = kTileQ / (kThreads / 32);  // of a warp
constexpr unsigned kAll = 0xffffffffu;

struct Shape {
  int heads, seqlen_q, seqlen_k;
  int real_k;  // keys from here on are padding
  bool causal;
};

/// Tensors are [heads, seqlen, kDim].
struct Tensors {
  const float *q, *k, *v;
  float* o;
  Shape shape;
  float scale;
};

__device__ float WarpMax(float x) {
  for (int m = 16; m != 0; m >>= 1) x = fmaxf(x, __shfl_xor_sync(kAll, x, m));
  return x;
}

__device__ float WarpSum(float x) {
  for (int m = 16; m != 0; m >>= 1) x += __shfl_xor_sync(kAll, x, m);
  return x;
}

constexpr int kKernelLine = __LINE__;

template <Plant kPlant>
__global__ void __launch_bounds__(kThreads) Attention(Tensors t) {
  __shared__ float tile_k[kTileK][kDim + 1];
  __shared__ float tile_q[kTileQ][kDim];
  SIMT_SHARED(tile_v, float[kTileK][kDim]);
  SIMT_DYNAMIC_SHARED(float, tile_p);
  const Shape& s = t.shape;
  const int tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
  const int head = blockIdx.y, first = blockIdx.x * kTileQ;
  const float* q = t.q + head * s.seqlen_q * kDim;
  const float* k = t.k + head * s.seqlen_k * kDim;
  const float* v = t.v + head * s.seqlen_k * kDim;
  if (kPlant == Plant::early_return && first + warp * kRows >= s.seqlen_q) return;

  for (int i = tid; i < kTileQ * kDim; i += kThreads) {
    const int row = i / kDim, d = i % kDim;
    tile_q[row][d] = first + row < s.seqlen_q ? q[(first + row) * kDim + d] : 0.0f;
  }
  float row_max[kRows], row_sum[kRows], sums[kRows];
  for (int r = 0; r < kRows; r++) {
    row_max[r] = -INFINITY;
    row_sum[r] = sums[r] = 0.0f;
  }
  const int end = s.causal ? min(s.real_k, first + kTileQ) : s.real_k;
  for (int k0 = 0; k0 < end; k0 += kTileK) {
    if (kPlant != Plant::no_barrier_before_load) __syncthreads();
    for (int i = tid; i < kTileK * kDim; i += kThreads) {
      const int j = i / kDim, d = i % kDim;
      const bool real = k0 + j < s.real_k;
      const bool read = kPlant == Plant::key_read_past_end ? true : real;
      tile_k[j][d] = read ? k[(k0 + j) * kDim + d] : 0.0f;
      if (kPlant == Plant::value_pads_unwritten && !real) continue;
      tile_v[j][d] = real ? v[(k0 + j) * kDim + d] : 0.0f;
    }
    if (tid == 5) {
      if (kPlant == Plant::raw_shared_overrun) (&tile_k[0][0])[kTileK * (kDim + 1)] = 1.0f;
      if (kPlant == Plant::macro_shared_overrun) (&tile_v[0][0])[kTileK * kDim] = 1.0f;
      if (kPlant == Plant::dynamic_shared_overrun) tile_p[kTileQ * kTileK] = 1.0f;
    }
    if (kPlant != Plant::no_barrier_after_load) __syncthreads();
    for (int r = 0; r < kRows; r++) {
      const int row = warp * kRows + r, i = first + row, j = k0 + lane;
      float score = 0.0f;
      for (int d = 0; d < kDim; d++) score += tile_q[row][d] * tile_k[lane][d];
      const bool keep = j < s.real_k && (!s.causal || j <= i);
      score = keep ? score * t.scale : -INFINITY;
      const float new_max = fmaxf(row_max[r], WarpMax(score));
      const float shift = new_max == -INFINITY ? 0.0f : new_max;
      const float p = __expf(score - shift);
      const float rescale = __expf(row_max[r] - shift);
      row_sum[r] = row_sum[r] * rescale + WarpSum(p);
      row_max[r] = new_max;
      tile_p[row * kTileK + lane] = p;
      if (kPlant != Plant::no_syncwarp) __syncwarp();
      sums[r] *= rescale;
      for (int n = 0; n < kTileK; n++) sums[r] += tile_p[row * kTileK + n] * tile_v[n][lane];
      __syncwarp();
    }
  }
  for (int r = 0; r < kRows; r++) {
    const int row = first + warp * kRows + r;
    if (kPlant != Plant::rows_past_end && row >= s.seqlen_q) continue;
    t.o[(head * s.seqlen_q + row) * kDim + lane] = row_sum[r] > 0.0f ? sums[r] / row_sum[r] : 0.0f;
  }
}

constexpr int kKernelEnd = __LINE__;

/// Element d of row i of a head, in double from the visible keys alone.
double Reference(const Tensors& t, int head, int i, int d) {
  const Shape& s = t.shape;
  const float* q = t.q + (head * s.seqlen_q + i) * kDim;
  const float* k = t.k + head * s.seqlen_k * kDim;
  const float* v = t.v + head * s.seqlen_k * kDim;
  double sum = 0, weights = 0;
  for (int j = 0; j < s.real_k && (!s.causal || j <= i); j++) {
    double score = 0;
    for (int c = 0; c < kDim; c++) score += double{q[c]} * k[j * kDim + c];
    const double weight = exp(score * t.scale);
    weights += weight;
    sum += weight * v[j * kDim + d];
  }
  return sum / weights;
}

/// Scores are below 6 in magnitude, weights are summed in float: the clean kernel stays far below.
constexpr double kMaxError = 1e-5;

template <Plant kPlant>
void RunShape(const Shape& shape) {
  Buffer<float> q(shape.heads * shape.seqlen_q * kDim), o(q.count());
  Buffer<float> k(shape.heads * shape.seqlen_k * kDim), v(k.count());
  FillWithValues(q, 1);
  FillWithValues(k, 2);
  FillWithValues(v, 3);
  const Tensors t{q.data(), k.data(), v.data(), o.data(), shape, 0.17677669f};  // 1 / sqrt(32)
  const dim3 grid((shape.seqlen_q + kTileQ - 1) / kTileQ, shape.heads);
  RequireLaunched(simt::launch(Attention<kPlant>, grid, dim3(kThreads),
                               kTileQ * kTileK * sizeof(float), nullptr, t));
  Record(o);
  if (kPlant != Plant::none) return;
  const auto expected = [&](size_t at) {
    const int row = static_cast<int>(at / kDim);
    return Reference(t, row / shape.seqlen_q, row % shape.seqlen_q, at % kDim);
  };
  RequireNear(o, expected, kMaxError);
}

template <Plant kPlant>
void Run() {
  // The first one has room for rows past seqlen_q of head 0 in head 1.
  constexpr Shape kShapes[] = {
      {2, 17, 33, 32, false}, {2, 1, 1, 1, false},   {1, 15, 17, 17, false}, {2, 16, 16, 16, true},
      {2, 31, 15, 11, false}, {1, 32, 32, 32, true}, {2, 33, 65, 64, false}, {1, 64, 31, 31, false},
      {2, 65, 64, 33, false}, {1, 70, 70, 70, true}, {1, 1, 70, 67, false},  {2, 17, 1, 1, false},
  };
  for (const Shape& shape : kShapes) RunShape<kPlant>(shape);
}

namespace key_read_past_end {
SIMT_BUG({.name = "attention/key_read_past_end",
          .title = "a K tile is read past the end of K; its scores are masked",
          .source = "FlagGems #774",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::key_read_past_end>,
          .schedules = All(kHidden),
          .asan = Found("heap-(buffer-overflow|use-after-free)"),
          .msan = Missed("what lies behind the buffer is masked, written or not"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace key_read_past_end

namespace raw_shared_overrun {
SIMT_BUG({.name = "attention/raw_shared_overrun",
          .title = "a write past the end of a raw __shared__ array",
          .source = "flash-attention #1155 (class)",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::raw_shared_overrun>,
          .schedules = UndefinedOutput(kLinkerDecides),
          .runtime = Missed("raw __shared__ arrays are plain static variables here"),
          .asan = Found("global-buffer-overflow|insufficient space"),
          .msan = Undefined(kLinkerDecides),
          .tsan = Undefined(kLinkerDecides),
          .race = Undefined(kLinkerDecides),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace raw_shared_overrun

namespace macro_shared_overrun {
SIMT_BUG({.name = "attention/macro_shared_overrun",
          .title = "a write past the end of a SIMT_SHARED array",
          .source = "flash-attention #1155 (class)",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::macro_shared_overrun>,
          .schedules = All(kExposed),
          .runtime = Found("write past the end of shared array 'tile_v'"),
          .asan = Found("heap-(buffer-overflow|use-after-free)"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace macro_shared_overrun

namespace dynamic_shared_overrun {
SIMT_BUG({.name = "attention/dynamic_shared_overrun",
          .title = "a write past the end of dynamic shared memory",
          .source = "flash-attention #1155 (class)",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::dynamic_shared_overrun>,
          .schedules = All(kExposed),
          .runtime = FoundWithoutLine("write past the end of shared array"),
          .asan = Found("heap-(buffer-overflow|use-after-free)"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace dynamic_shared_overrun

namespace no_barrier_before_load {
SIMT_BUG({.name = "attention/no_barrier_before_load",
          .title = "the next tile is loaded while the last one is still read",
          .source = "flash-attention 1c41d2b0 (race on sK)",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_barrier_before_load>,
          .schedules = All(kExposed),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_barrier_before_load

namespace no_barrier_after_load {
SIMT_BUG({.name = "attention/no_barrier_after_load",
          .title = "a tile is read before all of it is loaded",
          .source = "llama.cpp #13438",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_barrier_after_load>,
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_barrier_after_load

namespace value_pads_unwritten {
SIMT_BUG({.name = "attention/value_pads_unwritten",
          .title = "rows of the V tile past the last key are never written (0 * NaN)",
          .source = "SageAttention #376, flash-attention #1745",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::value_pads_unwritten>,
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace value_pads_unwritten

namespace no_syncwarp {
SIMT_BUG({.name = "attention/no_syncwarp",
          .title = "lanes read probabilities of other lanes without __syncwarp",
          .source = "llama.cpp #28358",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_syncwarp>,
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_syncwarp

namespace early_return {
SIMT_BUG({.name = "attention/early_return",
          .title = "warps without rows return before the barriers of the others",
          .source = "llama.cpp #27678",
          .kind = Kind::divergence,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::early_return>,
          .schedules = All(kExposed),
          .runtime = Found("left the kernel"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace early_return

namespace rows_past_end {
SIMT_BUG({.name = "attention/rows_past_end",
          .title = "rows past seqlen_q are stored: over the next head, and past the end",
          .source = "flash-attention #2091",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::rows_past_end>,
          // Where blocks go up, the next head repairs its rows.
          .schedules = {kHidden, kExposed, kExposed, kHidden, kExposed},
          .asan = Found("heap-(buffer-overflow|use-after-free)"),
          .tsan = Missed("blocks run one after another, and each start orders what came before"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace rows_past_end

}  // namespace
}  // namespace padproof::simt_bugs
