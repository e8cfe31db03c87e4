// Idioms of warps as strangers to this project write them: halves of a warp, masks computed from a
// count, reductions without masks, and a warp that loads for the others.

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

constexpr int kThreads = 96;

/// Runs a kernel (out, in) on two blocks of 96 threads, each with 96 values of in.
void RunOnBlocks(void (*kernel)(float* out, const float* in)) {
  Buffer<float> in(2 * kThreads), out(2 * kThreads);
  FillWithValues(in, 1);
  out.Zero();
  RequireLaunched(simt::launch(kernel, dim3(2), dim3(kThreads), 0, nullptr, out.data(), in.data()));
  Record(out);
}

namespace half_warp_mask {

template <bool kBug>
__global__ void sum_half_warps(float* out, const float* in) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31;
  const unsigned mask = kBug || lane < 16 ? 0x0000ffffu : 0xffff0000u;
  float x = in[i];
  for (int offset = 8; offset > 0; offset /= 2) x += __shfl_down_sync(mask, x, offset, 16);
  if ((lane & 15) == 0) out[i / 16] = x;
}

SIMT_BUG({.name = "idiom/half_warp_mask",
          .title = "both halves of a warp reduce with the mask of the lower half",
          .source = "CUDA programming guide, warp shuffle functions",
          .kind = Kind::divergence,
          .clean = [] { RunOnBlocks(sum_half_warps<false>); },
          .broken = [] { RunOnBlocks(sum_half_warps<true>); },
          .schedules = All(kExposed),
          .runtime = Found("not named in the mask")});

}  // namespace half_warp_mask

namespace half_warp_branches {

template <bool kBug>
__global__ void halves_apart(float* out, const float* in) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31;
  float x = in[i];
  if (lane < 16) {
    x += __shfl_xor_sync(kBug ? 0xffffffffu : 0x0000ffffu, x, 8);
  } else {
    x -= __shfl_xor_sync(kBug ? 0xffffffffu : 0xffff0000u, x, 8);
  }
  out[i] = x;
}

SIMT_BUG({.name = "idiom/half_warp_branches",
          .title = "the halves shuffle in branches of their own, each with the mask of all",
          .source = "llama.cpp #27870 (class)",
          .kind = Kind::divergence,
          .clean = [] { RunOnBlocks(halves_apart<false>); },
          .broken = [] { RunOnBlocks(halves_apart<true>); },
          .schedules = All(kExposed),
          .runtime = Found("different warp operations")});

}  // namespace half_warp_branches

namespace mask_of_count {

template <bool kBug>
__global__ void sum_first_lanes(float* out, const float* in) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int count = min(32, 12 + 10 * warp);  // 12, 22, 32: in the last warp all
  if (lane >= count) return;
  const unsigned mask = count == 32 && !kBug ? 0xffffffffu : (1u << count) - 1;
  float x = in[threadIdx.x];
  for (int offset = 16; offset > 0; offset >>= 1) {
    const float other = __shfl_down_sync(mask, x, offset);
    if (lane + offset < count) x += other;
  }
  if (lane == 0) out[blockIdx.x * 3 + warp] = x;
}

SIMT_BUG({.name = "idiom/mask_of_count",
          .title = "(1u << count) - 1 as the mask of a warp that is full",
          .source = "tail handling in general",
          .kind = Kind::divergence,
          .clean = [] { RunOnBlocks(sum_first_lanes<false>); },
          .broken = [] { RunOnBlocks(sum_first_lanes<true>); },
          // g++ shifts by 0 and the mask is empty, clang makes it full.
          .schedules = UndefinedOutput(kCompilerDecides),
          .runtime = Undefined(kCompilerDecides),
          .asan = Found("shift exponent 32")});

}  // namespace mask_of_count

namespace warp_synchronous {

template <bool kBug>
__device__ void add(volatile float* s, int lane, int distance) {
  const float sum = s[lane] + (lane + distance < 32 ? s[lane + distance] : 0.0f);
  if (!kBug) __syncwarp();
  s[lane] = sum;
  if (!kBug) __syncwarp();
}

template <bool kBug>
__global__ void sum_warps(float* out, const float* in) {
  __shared__ float s[kThreads];
  const int t = threadIdx.x, lane = t & 31;
  s[t] = in[t];
  __syncwarp();
  for (int distance = 16; distance > 0; distance >>= 1) add<kBug>(s + t - lane, lane, distance);
  if (lane == 0) out[blockIdx.x * 3 + (t >> 5)] = s[t];
}

SIMT_BUG({.name = "idiom/warp_synchronous",
          .title = "a volatile reduction that trusts lanes to run in step",
          .source = "the reduction of CUDA's early samples, wrong since Volta",
          .kind = Kind::race,
          .clean = [] { RunOnBlocks(sum_warps<false>); },
          .broken = [] { RunOnBlocks(sum_warps<true>); },
          .schedules = All(kExposed),
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace warp_synchronous

namespace warp_specialised {

constexpr int kTiles = 3;

/// Warp 0 loads a tile into one of two stages while the others add up the one before.
template <bool kBug>
__global__ void produce_and_consume(float* out, const float* in) {
  __shared__ float stages[2][32];
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  float sum = 0.0f;
  for (int tile = 0; tile <= kTiles; tile++) {
    if (warp == 0 && tile < kTiles) stages[tile & 1][lane] = in[tile * 32 + lane];
    if (warp != 0 && tile > 0) sum += stages[(tile - 1) & 1][lane ^ warp];
    if (kBug) {
      __syncwarp();
    } else {
      __syncthreads();
    }
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

SIMT_BUG({.name = "idiom/warp_specialised",
          .title = "a loading and two adding warps hand tiles over with __syncwarp alone",
          .source = "llama.cpp #13438 (class)",
          .kind = Kind::race,
          .clean = [] { RunOnBlocks(produce_and_consume<false>); },
          .broken = [] { RunOnBlocks(produce_and_consume<true>); },
          .schedules = All(kExposed),
          .msan = Missed("the loading warp runs first in forward order"),
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace warp_specialised

}  // namespace
}  // namespace padproof::simt_bugs
