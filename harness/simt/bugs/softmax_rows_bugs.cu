// Row softmax, one warp a row with 16-byte loads, as a stranger to this project would write it:
// three sweeps over the columns, the last one mirrored through shared memory.

#include <cuda_runtime.h>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

enum class Plant { none, tail_unguarded, stage_unsynchronised, lost_step };

constexpr int kWarps = 4;
constexpr int kStage = 32;  // float4 a warp stages at once

constexpr int kKernelLine = __LINE__;

template <Plant kPlant>
__device__ float reduce_max(float x) {
  for (int offset = 16; offset > (kPlant == Plant::lost_step ? 1 : 0); offset >>= 1)
    x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, offset));
  return x;
}

__device__ float reduce_sum(float x) {
  for (int offset = 16; offset > 0; offset >>= 1) x += __shfl_xor_sync(0xffffffff, x, offset);
  return x;
}

// y[rows, n] = softmax(x[rows, n]) by rows, mirrored: y[r, n-1-i] belongs to x[r, i]; n % 4 == 0
template <Plant kPlant>
__global__ void softmax_rows(float* y, const float* x, int rows, int n) {
  __shared__ float4 stage[kWarps][kStage];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int row = blockIdx.x * kWarps + warp;
  if (row >= rows) return;
  const float4* in = reinterpret_cast<const float4*>(x + (size_t)row * n);
  float4* out = reinterpret_cast<float4*>(y + (size_t)row * n);
  const int n4 = n / 4;

  float largest = -INFINITY, sum = 0.0f;
  const int end = kPlant == Plant::tail_unguarded ? (n4 + 31) / 32 * 32 : n4;
  for (int i = lane; i < end; i += 32) {
    const float4 v = in[i];
    largest = fmaxf(largest, fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)));
  }
  largest = reduce_max<kPlant>(largest);
  for (int i = lane; i < end; i += 32) {
    const float4 v = in[i];
    sum += __expf(v.x - largest) + __expf(v.y - largest) + __expf(v.z - largest) +
           __expf(v.w - largest);
  }
  const float scale = 1.0f / reduce_sum(sum);
  for (int base = 0; base < n4; base += kStage) {
    const int count = min(kStage, n4 - base);
    if (lane < count) {
      const float4 v = in[base + lane];
      stage[warp][lane] = make_float4(__expf(v.w - largest) * scale, __expf(v.z - largest) * scale,
                                      __expf(v.y - largest) * scale, __expf(v.x - largest) * scale);
    }
    if (kPlant != Plant::stage_unsynchronised) __syncwarp();
    if (lane < count) out[n4 - base - count + lane] = stage[warp][count - 1 - lane];
    __syncwarp();
  }
}

constexpr int kKernelEnd = __LINE__;

template <Plant kPlant>
void RunShape(int rows, int n) {
  Buffer<float> x(rows * n), y(rows * n);
  for (size_t i = 0; i < x.count(); i++) x[i] = 4.0f * ValueAt(1, i);
  RequireLaunched(simt::launch(softmax_rows<kPlant>, dim3((rows + kWarps - 1) / kWarps),
                               dim3(32 * kWarps), 0, nullptr, y.data(), x.data(), rows, n));
  Record(y);
  if (kPlant != Plant::none) return;
  const auto expected = [&](size_t at) {
    const size_t begin = at / n * n, mirrored = n - 1 - at % n;
    double sum = 0;
    for (int i = 0; i < n; i++) sum += exp(double{x[begin + i]});
    return exp(double{x[begin + mirrored]}) / sum;
  };
  RequireNear(y, expected, 0.0, 1e-5);
}

template <Plant kPlant>
void Run() {
  RunShape<kPlant>(1, 4);
  RunShape<kPlant>(5, 64);
  RunShape<kPlant>(6, 128);
  RunShape<kPlant>(4, 132);
  RunShape<kPlant>(9, 260);
}

namespace tail_unguarded {
SIMT_BUG({.name = "softmax/tail_unguarded",
          .title = "the last 16-byte loads of a row read into the next row, and past the end",
          .source = "FlagGems #774 (class)",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::tail_unguarded>,
          .schedules = All(kExposed),
          .asan = Found("heap-(buffer-overflow|use-after-free)"),
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Missed("nobody writes what is read"),
          .race = Missed("nobody writes what is read"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace tail_unguarded

namespace stage_unsynchronised {
SIMT_BUG({.name = "softmax/stage_unsynchronised",
          .title = "a warp reads its staging buffer without __syncwarp after the writes",
          .source = "llama.cpp #28358 (class)",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::stage_unsynchronised>,
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace stage_unsynchronised

namespace lost_step {
SIMT_BUG({.name = "softmax/lost_step",
          .title = "the maximum leaves out the last step of its butterfly",
          .source = "a wrong result alone: no tool can know",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::lost_step>,
          .schedules = All(kExposed),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace lost_step

}  // namespace
}  // namespace padproof::simt_bugs
