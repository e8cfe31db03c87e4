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
