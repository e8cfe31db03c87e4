// Blocks, grids and tiles of the SIMT layer's cooperative groups against plain loops; and what is
// reported about groups whose members do not come.

#include "harness/simt/cooperative_groups.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/launch_test_util.h"

namespace padproof {
namespace {

namespace cg = cooperative_groups;

// ---- queries ------------------------------------------------------------------------------------

struct Queries {
  unsigned block_rank, block_size, block_index[3], thread_index[3], block_dim[3];
  unsigned long long grid_rank, grid_size, rank_of_block, blocks;
  bool is_valid;
};

__global__ void AskGroups(Queries* out) {
  const cg::thread_block block = cg::this_thread_block();
  const cg::grid_group grid = cg::this_grid();
  const dim3 index = block.group_index(), thread = block.thread_index(), dim = block.dim_threads();
  cg::sync(block);
  block.sync();
  out[grid.thread_rank()] = {block.thread_rank(),
                             static_cast<unsigned>(cg::group_size(block)),
                             {index.x, index.y, index.z},
                             {thread.x, thread.y, thread.z},
                             {dim.x, dim.y, dim.z},
                             cg::thread_rank(grid),
                             grid.size(),
                             grid.block_rank(),
                             grid.num_blocks(),
                             grid.is_valid()};
}

TEST(SimtCooperativeGroups, BlocksAndGridsKnowTheirPlace) {
  const dim3 grid(3, 2, 2), block(5, 4, 3);
  std::vector<Queries> out(12 * 60);
  EXPECT_LAUNCHES(AskGroups, grid, block, 0, nullptr, out.data());
  for (unsigned i = 0; i < out.size(); i++) {
    const Queries& q = out[i];
    const unsigned b = i / 60, t = i % 60;
    ASSERT_EQ(q.block_rank, t);
    ASSERT_EQ(q.block_size, 60u);
    ASSERT_EQ(q.block_index[0] + 3 * (q.block_index[1] + 2 * q.block_index[2]), b);
    ASSERT_EQ(q.thread_index[0] + 5 * (q.thread_index[1] + 4 * q.thread_index[2]), t);
    ASSERT_EQ(q.block_dim[0] * 100 + q.block_dim[1] * 10 + q.block_dim[2], 543u);
    ASSERT_EQ(q.grid_rank, i);
    ASSERT_EQ(q.grid_size, 720u);
    ASSERT_EQ(q.rank_of_block, b);
    ASSERT_EQ(q.blocks, 12u);
    ASSERT_FALSE(q.is_valid);
  }
}

// ---- tiles --------------------------------------------------------------------------------------

constexpr int kBlock = 96;

/// Results of one thread; inner index: the argument of the operation.
struct TileResults {
  unsigned rank, size, meta_rank, meta_size;
  int shfl[35], up[35], down[35], bfly[35];
  unsigned ballot, match_any, match_all_equal, match_all_other;
  int any, all, equal, other;
};

template <unsigned kSize>
__global__ void UseTile(const int* in, TileResults* out) {
  const auto tile = cg::tiled_partition<kSize>(cg::this_thread_block());
  const unsigned t = threadIdx.x;
  TileResults& r = out[t];
  r.rank = tile.thread_rank();
  r.size = tile.size();
  r.meta_rank = tile.meta_group_rank();
  r.meta_size = tile.meta_group_size();
  for (int i = 0; i < 35; i++) r.shfl[i] = tile.shfl(in[t], i);
  for (int i = 0; i < 35; i++) r.up[i] = tile.shfl_up(in[t], i);
  for (int i = 0; i < 35; i++) r.down[i] = tile.shfl_down(in[t], i);
  for (unsigned i = 0; i < kSize; i++) r.bfly[i] = tile.shfl_xor(in[t], i);
  tile.sync();
  const int bit = in[t] & 1;
  r.ballot = tile.ballot(bit);
  r.any = tile.any(bit);
  r.all = tile.all(bit);
  r.match_any = tile.match_any(in[t] & 3);
  r.match_all_equal = tile.match_all(7, r.equal);
  r.match_all_other = tile.match_all(in[t], r.other);
}

template <unsigned kSize>
void CheckTile() {
  std::vector<int> in(kBlock);
  Random random(kSize);
  for (int& x : in) x = static_cast<int>(random.Below(1000));
  for (Order order : kOrders) {
    const Scheduled scheduled(order);
    std::vector<TileResults> out(kBlock);
    EXPECT_LAUNCHES(UseTile<kSize>, 1, kBlock, 0, nullptr, in.data(), out.data());
    for (unsigned t = 0; t < kBlock; t++) {
      SCOPED_TRACE(testing::Message() << "size " << kSize << " thread " << t);
      const TileResults& r = out[t];
      const unsigned first = t / kSize * kSize, rank = t % kSize;
      ASSERT_EQ(r.rank, rank);
      ASSERT_EQ(r.size, kSize);
      ASSERT_EQ(r.meta_rank, t / kSize);
      ASSERT_EQ(r.meta_size, kBlock / kSize);
      for (unsigned i = 0; i < 35; i++) {
        const unsigned by = i % 32;  // the hardware looks at five bits
        ASSERT_EQ(r.shfl[i], in[first + i % kSize]);
        ASSERT_EQ(r.up[i], in[by <= rank ? t - by : t]);
        ASSERT_EQ(r.down[i], in[rank + by < kSize ? t + by : t]);
        ASSERT_EQ(r.bfly[i], i < kSize ? in[t ^ i] : 0);
      }
      unsigned ballot = 0, equal = 0;
      bool all_same = true;
      for (unsigned i = 0; i < kSize; i++) {
        ballot |= static_cast<unsigned>(in[first + i] & 1) << i;
        equal |= static_cast<unsigned>((in[first + i] & 3) == (in[t] & 3)) << i;
        all_same = all_same && in[first + i] == in[t];
      }
      const unsigned full = kAll >> (32 - kSize);
      ASSERT_EQ(r.ballot, ballot);
      ASSERT_EQ(r.any != 0, ballot != 0);
      ASSERT_EQ(r.all != 0, ballot == full);
      ASSERT_EQ(r.match_any, equal);
      ASSERT_EQ(r.match_all_equal, full);
      ASSERT_NE(r.equal, 0);
      ASSERT_EQ(r.match_all_other, all_same ? full : 0u);
      ASSERT_EQ(r.other != 0, all_same);
    }
  }
}

TEST(SimtCooperativeGroups, TilesOfAllSizes) {
  CheckTile<1>();
  CheckTile<2>();
  CheckTile<4>();
  CheckTile<8>();
  CheckTile<16>();
  CheckTile<32>();
}

struct Wide {
  double a;
  int b[4];
};

__global__ void NestTiles(unsigned* ranks, Wide* wide) {
  const auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  const auto quarter = cg::tiled_partition<8>(warp);
  const cg::thread_block_tile<2> pair = cg::tiled_partition<2>(quarter);
  const unsigned t = threadIdx.x;
  ranks[4 * t] = quarter.meta_group_rank() * 100 + quarter.meta_group_size();
  ranks[4 * t + 1] = pair.meta_group_rank() * 100 + pair.meta_group_size();
  ranks[4 * t + 2] = pair.shfl(t, 0);
  ranks[4 * t + 3] = cg::this_thread().size();
  const Wide mine{t * 0.5, {static_cast<int>(t), 1, 2, static_cast<int>(2 * t)}};
  wide[t] = quarter.shfl(mine, 5);
}

TEST(SimtCooperativeGroups, TilesOfTilesAndWideShuffles) {
  std::vector<unsigned> ranks(4 * 64);
  std::vector<Wide> wide(64);
  EXPECT_LAUNCHES(NestTiles, 1, 64, 0, nullptr, ranks.data(), wide.data());
  for (unsigned t = 0; t < 64; t++) {
    EXPECT_EQ(ranks[4 * t], t % 32 / 8 * 100 + 4);
    EXPECT_EQ(ranks[4 * t + 1], t % 8 / 2 * 100 + 4);
    EXPECT_EQ(ranks[4 * t + 2], t / 2 * 2);
    EXPECT_EQ(ranks[4 * t + 3], 1u);
    const int source = static_cast<int>(t / 8 * 8 + 5);
    EXPECT_EQ(wide[t].a, source * 0.5);
    EXPECT_EQ(wide[t].b[0], source);
    EXPECT_EQ(wide[t].b[3], 2 * source);
  }
}

// ---- errors -------------------------------------------------------------------------------------

enum class Misuse { absent_lane, two_places, absent_thread, uneven, bad_size, none };

__global__ void Misused(Misuse misuse, unsigned size, int* out) {
  const auto block = cg::this_thread_block();
  if (misuse == Misuse::uneven) {
    out[0] = cg::tiled_partition<32>(block).thread_rank();
    return;
  }
  if (misuse == Misuse::bad_size) {
    out[0] = static_cast<int>(cg::tiled_partition(block, size).size());
    return;
  }
  const auto tile = cg::tiled_partition<8>(block);
  if (misuse == Misuse::absent_lane && tile.thread_rank() == 5) {
    block.sync();  // MARK absent
  }
  if (misuse == Misuse::two_places && tile.thread_rank() < 3) {
    out[0] = cg::reduce(tile, 1, cg::plus<int>());
  }
  if (misuse == Misuse::absent_thread && tile.meta_group_rank() == 0) return;
  if (misuse == Misuse::absent_thread) block.sync();
  out[1] = tile.shfl(1, 0);
}

TEST(SimtCooperativeGroupsDeathTest, MembersThatDoNotComeAreReportedWithTheKernelsLine) {
  std::vector<int> out(2);
  const auto run = [&](Misuse misuse, unsigned threads, unsigned size = 8) {
    (void)simt::launch(Misused, 1, threads, 0, nullptr, misuse, size, out.data());
  };
  run(Misuse::none, 40);
  EXPECT_EQ(out[1], 1);
  EXPECT_DEATH(run(Misuse::absent_lane, 64),
               "deadlock(.|\n)*waits at the warp operation of [^ ]*cooperative_groups_test.cc");
  EXPECT_DEATH(run(Misuse::two_places, 64),
               "different warp operations\n  at [^ ]*cooperative_groups_test.cc");
  EXPECT_DEATH(run(Misuse::absent_thread, 64),
               "__syncthreads(.|\n)*at [^ ]*cooperative_groups_test.cc");
  EXPECT_DEATH(run(Misuse::uneven, 40),
               "not a multiple of its tiles'\n  at [^ ]*cooperative_groups_test.cc");
  EXPECT_DEATH(run(Misuse::bad_size, 64, 12),
               "not a power of two up to 32\n  at [^ ]*cooperative_groups_test.cc");
  EXPECT_DEATH(run(Misuse::bad_size, 64, 64), "not a power of two up to 32");
  EXPECT_DEATH(run(Misuse::bad_size, 64, 0), "not a power of two up to 32");
}

}  // namespace
}  // namespace padproof
