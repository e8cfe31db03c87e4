// Blocks and threads that meet in global memory: rows that two blocks write, and sums of half2 that
// lose updates.

#include "harness/simt/bugs/bug.h"
#include "harness/simt/half.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

namespace row_of_neighbour {

constexpr int kTile = 8;
constexpr int kDim = 32;

/// Each block writes the rows of one tile of out [rows, 32].
template <bool kBug>
__global__ void Kernel(float* out, const float* in, int rows) {
  const int first = blockIdx.x * kTile;
  const int last = min(rows, first + kTile + (kBug ? 1 : 0));
  const float scale = in[first * kDim];  // one for the tile
  for (int row = first; row < last; row++) {
    out[row * kDim + threadIdx.x] = in[row * kDim + threadIdx.x] * scale;
  }
}

template <bool kBug>
void Run() {
  constexpr int kRows = 30;
  Buffer<float> in(kRows * kDim), out(kRows * kDim);
  FillWithValues(in, 1);
  const dim3 grid((kRows + kTile - 1) / kTile);
  RequireLaunched(
      simt::launch(Kernel<kBug>, grid, dim3(kDim), 0, nullptr, out.data(), in.data(), kRows));
  Record(out);
}

SIMT_BUG({.name = "block/row_of_neighbour",
          .title = "a tile's last row is also the first of the next block's tile",
          .source = "flash-attention-minimal #1 (head 0 writes rows of head 1)",
          .kind = Kind::race,
          .clean = Run<false>,
          .broken = Run<true>,
          // Where blocks go up, the right one comes last.
          .schedules = {kHidden, kExposed, kExposed, kHidden, kExposed},
          .tsan = Missed("blocks run one after another, and each start orders what came before"),
          .race = Found("race")});

}  // namespace row_of_neighbour

namespace scope_of_block {

constexpr int kBlocks = 4;

constexpr int kKernelLine = __LINE__;

/// out[0]: the sum of one value a block, by the last block to come; out[1..4]: the values.
template <bool kWeakFence, bool kWeakAtomic>
__global__ void Kernel(float* out, const float* in, unsigned* counter) {
  if (threadIdx.x != 0) return;
  out[1 + blockIdx.x] = in[blockIdx.x];
  kWeakFence ? __threadfence_block() : __threadfence();
  const unsigned before = kWeakAtomic ? atomicAdd_block(counter, 1u) : atomicAdd(counter, 1u);
  if (before != gridDim.x - 1) return;
  __threadfence();
  float sum = 0.0f;
  for (unsigned b = 0; b < gridDim.x; b++) sum += out[1 + b];
  out[0] = sum;
}

constexpr int kKernelEnd = __LINE__;

template <bool kWeakFence, bool kWeakAtomic>
void Run() {
  Buffer<float> in(kBlocks), out(1 + kBlocks);
  Buffer<unsigned> counter(1);
  FillWithValues(in, 1);
  counter.Zero();
  RequireLaunched(simt::launch(Kernel<kWeakFence, kWeakAtomic>, dim3(kBlocks), dim3(32), 0, nullptr,
                               out.data(), in.data(), counter.data()));
  Record(out);
}

namespace fence {
SIMT_BUG({.name = "block/fence_of_block",
          .title = "a value is published to other blocks after __threadfence_block",
          .source = "CUDA programming guide, memory fence functions",
          .kind = Kind::race,
          .clean = Run<false, false>,
          .broken = Run<true, false>,
          .schedules = All(kHidden),  // memory is sequentially consistent here
          .tsan = Missed("blocks run one after another, and each start orders what came before"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace fence

namespace atomic {
SIMT_BUG({.name = "block/atomic_of_block",
          .title = "blocks count in one word with atomicAdd_block",
          .source = "CUDA programming guide, atomic functions",
          .kind = Kind::race,
          .clean = Run<false, false>,
          .broken = Run<false, true>,
          .schedules = All(kHidden),
          .tsan = Missed("blocks run one after another, and each start orders what came before"),
          .race = Found("race \\(atomic/atomic\\)"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace atomic

}  // namespace scope_of_block

namespace half2_sum {

constexpr int kThreads = 128;
constexpr int kColumns = 8;

/// Column sums of small integers: exact in half, so the order of the additions does not matter.
template <bool kBug>
__global__ void Kernel(__half2* sums) {
  const int t = threadIdx.x, column = t % kColumns;
  const __half2 x =
      __floats2half2_rn(static_cast<float>(t % 5), static_cast<float>(t / kColumns % 3));
  if (kBug) {
    sums[column] = __hadd2(sums[column], x);
  } else {
    atomicAdd(&sums[column], x);
  }
}

template <bool kBug>
void Run() {
  Buffer<__half2> sums(kColumns);
  sums.Zero();
  RequireLaunched(simt::launch(Kernel<kBug>, dim3(1), dim3(kThreads), 0, nullptr, sums.data()));
  Record(sums);
}

SIMT_BUG({.name = "block/half2_sum",
          .title = "half2 sums read, added and written back without atomicAdd",
          .source = "flash-attention #2755 (class)",
          .kind = Kind::race,
          .clean = Run<false>,
          .broken = Run<true>,
          .schedules = {kHidden, kHidden, kHidden, kHidden, kExposed},
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace half2_sum

}  // namespace
}  // namespace padproof::simt_bugs
