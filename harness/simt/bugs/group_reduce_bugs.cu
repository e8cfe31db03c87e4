// Block reductions with cooperative groups, as a stranger to this project would write them.

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_runtime.h>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace cg = cooperative_groups;

namespace padproof::simt_bugs {
namespace {

enum class Plant { none, no_block_sync, partial_tile, no_tile_sync };

constexpr int kThreads = 96;
constexpr int kTiles = kThreads / 32;

constexpr int kKernelLine = __LINE__;

// sums[blocks]: each block's sum of squares of its 96 values; n values in all
template <Plant kPlant>
__global__ void sum_of_squares(float* sums, const float* x, int n) {
  __shared__ float parts[kTiles];
  __shared__ float turned[kThreads];
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<32> tile = cg::tiled_partition<32>(block);
  const int i = block.group_index().x * block.size() + block.thread_rank();

  // each lane takes its mirror image's value, through shared memory
  turned[block.thread_rank()] = i < n ? x[i] : 0.0f;
  if (kPlant != Plant::no_tile_sync) tile.sync();
  const float value = turned[block.thread_rank() - tile.thread_rank() + 31 - tile.thread_rank()];

  float sum = 0.0f;
  if (kPlant == Plant::partial_tile) {
    if (i < n) sum = cg::reduce(tile, value * value, cg::plus<float>());
  } else {
    sum = cg::reduce(tile, value * value, cg::plus<float>());
  }
  if (tile.thread_rank() == 0) parts[tile.meta_group_rank()] = sum;
  if (kPlant != Plant::no_block_sync) block.sync();
  if (block.thread_rank() == 0) {
    float total = 0.0f;
    for (unsigned t = 0; t < tile.meta_group_size(); t++) total += parts[t];
    sums[block.group_index().x] = total;
  }
}

constexpr int kKernelEnd = __LINE__;

template <Plant kPlant>
void Run() {
  constexpr int kCount = 3 * kThreads - 41, kBlocks = 3;
  Buffer<float> x(kCount), sums(kBlocks);
  FillWithValues(x, 1);
  RequireLaunched(simt::launch(sum_of_squares<kPlant>, dim3(kBlocks), dim3(kThreads), 0, nullptr,
                               sums.data(), x.data(), kCount));
  Record(sums);
  if (kPlant != Plant::none) return;
  const auto expected = [&](size_t block) {
    double sum = 0;
    for (size_t i = block * kThreads; i < kCount && i < (block + 1) * kThreads; i++) {
      sum += double{x[i]} * x[i];
    }
    return sum;
  };
  RequireNear(sums, expected, 1e-4);
}

namespace no_block_sync {
SIMT_BUG({.name = "groups/no_block_sync",
          .title = "thread 0 adds the tiles' sums without block.sync()",
          .source = "llama.cpp #13438 (class)",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_block_sync>,
          // Thread 0 comes last in reverse order.
          .schedules = {kExposed, kHidden, kExposed, kExposed, kExposed},
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_block_sync

namespace no_tile_sync {
SIMT_BUG({.name = "groups/no_tile_sync",
          .title = "lanes exchange through shared memory without tile.sync()",
          .source = "llama.cpp #28358 (class)",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_tile_sync>,
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_tile_sync

namespace partial_tile {
SIMT_BUG({.name = "groups/partial_tile",
          .title = "cg::reduce is reached by the lanes inside the tensor alone",
          .source = "llama.cpp #27870 (class)",
          .kind = Kind::divergence,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::partial_tile>,
          .schedules = All(kExposed),
          .runtime = Found("wait|deadlock|mask"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace partial_tile

}  // namespace
}  // namespace padproof::simt_bugs
