// Misuse of warp operations and of barriers under divergence: masks, lanes that are gone, values
// that were never set, and shuffles taken for memory barriers.

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

constexpr int kThreads = 64;
constexpr unsigned kAll = 0xffffffffu;

/// Runs a kernel (out, in, count) on one block of 64 threads; count is 24.
void RunOnBlock(void (*kernel)(float* out, const float* in, int count)) {
  Buffer<float> in(kThreads), out(kThreads);
  FillWithValues(in, 1);
  out.Zero();
  RequireLaunched(
      simt::launch(kernel, dim3(1), dim3(kThreads), 0, nullptr, out.data(), in.data(), 24));
  Record(out);
}

namespace exited_lane {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int count) {
  const int lane = threadIdx.x % 32;
  if (kBug && lane >= count) return;
  float x = lane < count ? in[threadIdx.x] : 0.0f;
  for (int m = 16; m != 0; m >>= 1) x += __shfl_xor_sync(kAll, x, m);
  if (lane == 0) out[threadIdx.x] = x;
}

SIMT_BUG({.name = "warp/exited_lane",
          .title = "a full-mask reduction after the lanes of the tail have returned",
          .source = "llama.cpp #27870 (class)",
          .kind = Kind::divergence,
          .clean = [] { RunOnBlock(Kernel<false>); },
          .broken = [] { RunOnBlock(Kernel<true>); },
          .schedules = All(kExposed),
          .runtime = Missed("a lane that is gone hands out the fill: NaN, which the sum shows"),
          .msan = Found("use-of-uninitialized-value")});

}  // namespace exited_lane

namespace exited_lane_maximum {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int count) {
  const int lane = threadIdx.x % 32;
  if (kBug && lane >= count) return;
  float x = lane < count ? in[threadIdx.x] : -INFINITY;
  for (int offset = 16; offset != 0; offset >>= 1) {
    x = fmaxf(x, __shfl_down_sync(kAll, x, offset));
  }
  if (lane == 0) out[threadIdx.x] = x;
}

SIMT_BUG({.name = "warp/exited_lane_maximum",
          .title = "the same for a maximum: fmaxf drops the NaN that such a lane hands out",
          .source = "llama.cpp #27870 (class)",
          .kind = Kind::divergence,
          .clean = [] { RunOnBlock(Kernel<false>); },
          .broken = [] { RunOnBlock(Kernel<true>); },
          .schedules = All(kHidden),
          .runtime = Missed("a lane that is gone hands out the fill: NaN, which fmaxf drops"),
          .msan = Found("use-of-uninitialized-value")});

}  // namespace exited_lane_maximum

namespace lane_outside_mask {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  const int lane = threadIdx.x % 32;
  float x = in[threadIdx.x];
  if (lane < 16) {
    for (int m = kBug ? 16 : 8; m != 0; m >>= 1) x += __shfl_xor_sync(0xffffu, x, m);
  }
  out[threadIdx.x] = x;
}

SIMT_BUG({.name = "warp/lane_outside_mask",
          .title = "a shuffle reads a lane that its mask does not name",
          .source = "CUDA programming guide, warp shuffle functions",
          .kind = Kind::divergence,
          .clean = [] { RunOnBlock(Kernel<false>); },
          .broken = [] { RunOnBlock(Kernel<true>); },
          .schedules = All(kExposed),
          .runtime = Missed("such a lane hands out the fill: NaN, which the sum shows"),
          .msan = Found("use-of-uninitialized-value")});

}  // namespace lane_outside_mask

namespace wrong_syncwarp_mask {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  __shared__ float row[kThreads];
  const int t = threadIdx.x;
  row[t] = in[t];
  __syncwarp(kBug ? 0xffffu : kAll);
  out[t] = row[t ^ 1];
}

SIMT_BUG({.name = "warp/wrong_syncwarp_mask",
          .title = "__syncwarp by lanes that its mask does not name",
          .source = "CUDA programming guide, __syncwarp",
          .kind = Kind::divergence,
          .clean = [] { RunOnBlock(Kernel<false>); },
          .broken = [] { RunOnBlock(Kernel<true>); },
          .schedules = All(kExposed),
          .runtime = Found("mask")});

}  // namespace wrong_syncwarp_mask

namespace unset_register {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int count) {
  const int lane = threadIdx.x % 32;
  float parts[4];
  const int set = lane < count ? 4 : 3;
  if (!kBug) parts[3] = 0.0f;
  for (int i = 0; i < set; i++) parts[i] = in[(threadIdx.x + i) % kThreads];
  float x = __shfl_xor_sync(kAll, parts[3], 1);
  for (int m = 16; m != 0; m >>= 1) x = fmaxf(x, __shfl_xor_sync(kAll, x, m));
  out[threadIdx.x] = x;
}

SIMT_BUG({.name = "warp/unset_register",
          .title = "lanes of the tail hand an unset register to a shuffle",
          .source = "pytorch #21392 (class)",
          .kind = Kind::memory,
          .clean = [] { RunOnBlock(Kernel<false>); },
          .broken = [] { RunOnBlock(Kernel<true>); },
          .schedules = UndefinedOutput(kCompilerDecides),
          .msan = Found("use-of-uninitialized-value")});

}  // namespace unset_register

namespace shuffle_as_barrier {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  __shared__ float row[kThreads];
  const int t = threadIdx.x;
  row[t] = in[t];
  const float other = __shfl_xor_sync(kAll, in[t], 2);
  if (!kBug) __syncwarp();
  out[t] = row[t ^ 1] + other;
}

SIMT_BUG({.name = "warp/shuffle_as_barrier",
          .title = "shared memory exchanged with only a shuffle between",
          .source = "llama.cpp #28358 (masked by scheduling luck)",
          .kind = Kind::race,
          .clean = [] { RunOnBlock(Kernel<false>); },
          .broken = [] { RunOnBlock(Kernel<true>); },
          .schedules = All(kHidden),
          .tsan = Missed("ThreadSanitizer is told that every warp operation orders memory"),
          .race = Found("race")});

}  // namespace shuffle_as_barrier

namespace first_warp_leaves {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  __shared__ float row[kThreads];
  const int t = threadIdx.x;
  row[t] = in[t];
  if (kBug && t < 32) return;
  __syncthreads();
  out[t] = t < 32 ? 0.0f : row[t - 32];
}

SIMT_BUG({.name = "warp/first_warp_leaves",
          .title = "a warp that has only to load returns before the barrier of the others",
          .source = "llama.cpp #27678 (class)",
          .kind = Kind::divergence,
          .clean = [] { RunOnBlock(Kernel<false>); },
          .broken = [] { RunOnBlock(Kernel<true>); },
          .schedules = All(kExposed),
          .runtime = Found("reached after threads of the block have left")});

}  // namespace first_warp_leaves

namespace divergent_barrier {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  __shared__ float row[kThreads];
  const int t = threadIdx.x;
  row[t] = in[t];
  if (kBug) {
    if (t < 32) {
      row[t] *= 2.0f;
      __syncthreads();
    } else {
      __syncthreads();
    }
  } else {
    if (t < 32) row[t] *= 2.0f;
    __syncthreads();
  }
  out[t] = row[kThreads - 1 - t];
}

SIMT_BUG({.name = "warp/divergent_barrier",
          .title = "the two sides of a branch wait at barriers of their own",
          .source = "llama.cpp #27955",
          .kind = Kind::divergence,
          .clean = [] { RunOnBlock(Kernel<false>); },
          .broken = [] { RunOnBlock(Kernel<true>); },
          .schedules = All(kExposed),
          .runtime = Found("different __syncthreads")});

}  // namespace divergent_barrier

}  // namespace
}  // namespace padproof::simt_bugs
