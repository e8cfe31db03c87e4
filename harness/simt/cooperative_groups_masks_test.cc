// Cooperative groups of every set of four neighbouring lanes, at three places of a warp: votes and
// matches for all predicates and assignments, reductions with every operator; the butterfly shuffle
// of tiles by the PTX ISA; and queries of groups, blocks and grids under all their names.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "harness/simt/cooperative_groups.h"
#include "harness/simt/launch_test_util.h"
#include "harness/simt/shuffle_reference.h"

namespace padproof {
namespace {

namespace cg = cooperative_groups;

constexpr unsigned kWarp = 32;

// ---- coalesced groups ---------------------------------------------------------------------------

constexpr unsigned kAssignments = 256;  // of four values to four lanes, two bits a lane

struct Together {
  unsigned rank, size, threads, meta_rank, meta_size, free_rank, free_size;
  unsigned ballot, match_any, match_all;
  int any, all, equal;
  int sum, least, largest, conjunction, disjunction, parity;
};

/// out[assignment][lane]; the members of `mask` are those with a true predicate of a partition.
__global__ void UseMembers(unsigned mask, unsigned first, const int* values, Together* out) {
  const unsigned lane = threadIdx.x;
  const auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  const cg::coalesced_group group = cg::binary_partition(warp, (mask >> lane & 1) != 0);
  if ((mask >> lane & 1) == 0) return;
  for (unsigned assignment = 0; assignment < kAssignments; assignment++) {
    const int value = values[assignment >> 2 * (lane - first) & 3];
    Together& r = out[assignment * kWarp + lane];
    r.rank = group.thread_rank(), r.size = group.size(), r.threads = group.num_threads();
    r.meta_rank = group.meta_group_rank(), r.meta_size = group.meta_group_size();
    r.free_rank = cg::thread_rank(group), r.free_size = cg::group_size(group);
    r.ballot = group.ballot(value);
    r.any = group.any(value);
    r.all = group.all(value);
    r.match_any = group.match_any(value);
    r.equal = 7;
    r.match_all = group.match_all(value, r.equal);
    r.sum = cg::reduce(group, value, cg::plus<int>());
    r.least = cg::reduce(group, value, cg::less<int>());
    r.largest = cg::reduce(group, value, cg::greater<int>());
    r.conjunction = cg::reduce(group, value, cg::bit_and<int>());
    r.disjunction = cg::reduce(group, value, cg::bit_or<int>());
    r.parity = cg::reduce(group, value, cg::bit_xor<int>());
    cg::sync(group);
  }
}

/// `values` are those of the members, by rank.
void CheckMember(const Together& r, const std::vector<int>& values, unsigned rank) {
  unsigned ballot = 0, equal = 0, sum = 0;
  int conjunction = -1, disjunction = 0, parity = 0;
  for (size_t i = 0; i < values.size(); i++) {
    ballot |= unsigned{values[i] != 0} << i;
    equal |= unsigned{values[i] == values[rank]} << i;
    sum += static_cast<unsigned>(values[i]);
    conjunction &= values[i], disjunction |= values[i], parity ^= values[i];
  }
  const unsigned full = (1u << values.size()) - 1;
  ASSERT_TRUE(r.rank == rank && r.free_rank == rank);
  ASSERT_TRUE(r.size == values.size() && r.threads == r.size && r.free_size == r.size);
  ASSERT_TRUE(r.meta_rank == 1 && r.meta_size == 2);
  ASSERT_EQ(r.ballot, ballot);
  ASSERT_EQ(r.any != 0, ballot != 0);
  ASSERT_EQ(r.all != 0, ballot == full);
  ASSERT_EQ(r.match_any, equal);
  ASSERT_EQ(r.match_all, equal == full ? full : 0);
  ASSERT_EQ(r.equal, equal == full ? 1 : 0);
  ASSERT_EQ(static_cast<unsigned>(r.sum), sum);  // wraps
  ASSERT_EQ(r.least, *std::min_element(values.begin(), values.end()));
  ASSERT_EQ(r.largest, *std::max_element(values.begin(), values.end()));
  ASSERT_EQ(r.conjunction, conjunction);
  ASSERT_EQ(r.disjunction, disjunction);
  ASSERT_EQ(r.parity, parity);
}

TEST(SimtGroupMasks, EveryMaskOfFourLanesAndEveryAssignment) {
  const int values[4] = {0, INT32_MAX, -3, 0x100};
  for (const unsigned first : {0u, 13u, 28u}) {
    for (unsigned members = 1; members < 16; members++) {
      std::vector<Together> out(kAssignments * kWarp);
      EXPECT_LAUNCHES(UseMembers, 1, kWarp, 0, nullptr, members << first, first, values,
                      out.data());
      for (unsigned assignment = 0; assignment < kAssignments; assignment++) {
        std::vector<int> mine;
        for (unsigned i = 0; i < 4; i++) {
          if (members >> i & 1) mine.push_back(values[assignment >> 2 * i & 3]);
        }
        for (unsigned i = 0; i < 4; i++) {
          if ((members >> i & 1) == 0) continue;
          const auto rank = static_cast<unsigned>(std::popcount(members & ((1u << i) - 1)));
          CheckMember(out[assignment * kWarp + first + i], mine, rank);
          if (testing::Test::HasFatalFailure()) FAIL() << members << " of " << assignment;
        }
      }
    }
  }
}

// ---- the butterfly of tiles ---------------------------------------------------------------------

template <unsigned kSize>
__global__ void Butterfly(int* out) {
  const auto tile = cg::tiled_partition<kSize>(cg::this_thread_block());
  const int t = threadIdx.x;
  for (unsigned i = 0; i < 35; i++) out[i * kWarp + t] = tile.shfl_xor(t, i);
}

template <unsigned kSize>
void CheckButterfly() {
  std::vector<int> out(35 * kWarp);
  EXPECT_LAUNCHES(Butterfly<kSize>, 1, kWarp, 0, nullptr, out.data());
  for (unsigned i = 0; i < out.size(); i++) {
    const unsigned lane = i % kWarp;
    const auto source = static_cast<unsigned>(SourceByPtx(Shuffle::bfly, static_cast<int>(lane),
                                                          static_cast<int>(i / kWarp), int{kSize}));
    // A lower tile's lane is no member: undefined on a device, the fill pattern here.
    const bool member = source / kSize == lane / kSize;
    ASSERT_EQ(out[i], member ? static_cast<int>(source) : -1) << kSize << " by " << i / kWarp;
  }
}

TEST(SimtGroupMasks, TheButterflyOfTilesByEveryMask) {
  CheckButterfly<1>();
  CheckButterfly<2>();
  CheckButterfly<4>();
  CheckButterfly<8>();
  CheckButterfly<16>();
  CheckButterfly<32>();
}

// ---- queries ------------------------------------------------------------------------------------

struct Queries {
  dim3 block_index, block_dim, threads_of_block, thread_index;
  dim3 blocks, grid_dim, threads_of_grid_block, index_of_block, index_of_thread;
  unsigned block_size, block_threads, block_rank, tile_threads, warp_rank, warp_size;
  unsigned long long grid_size, grid_threads, grid_rank, any_size, any_threads, any_rank;
};

__global__ void AskEverything(Queries* out) {
  const cg::thread_block block = cg::this_thread_block();
  const cg::grid_group grid = cg::this_grid();
  const cg::thread_group any = block;
  const auto tile = cg::tiled_partition<4>(block);
  Queries& q = out[grid.thread_rank()];
  q.block_index = block.group_index(), q.block_dim = block.group_dim();
  q.threads_of_block = block.dim_threads(), q.thread_index = block.thread_index();
  q.blocks = grid.group_dim(), q.grid_dim = grid.dim_blocks();
  q.threads_of_grid_block = grid.dim_threads();
  q.index_of_block = grid.block_index(), q.index_of_thread = grid.thread_index();
  q.block_size = block.size(), q.block_threads = block.num_threads();
  q.block_rank = block.thread_rank(), q.tile_threads = tile.num_threads();
  q.warp_rank = tile.meta_group_rank(), q.warp_size = tile.meta_group_size();
  q.grid_size = grid.size(), q.grid_threads = grid.num_threads();
  q.grid_rank = cg::thread_rank(grid);
  q.any_size = any.size(), q.any_threads = any.num_threads(), q.any_rank = any.thread_rank();
  any.sync();
}

bool Is(const dim3& d, unsigned x, unsigned y, unsigned z) {
  return d.x == x && d.y == y && d.z == z;
}

TEST(SimtGroupMasks, QueriesUnderAllTheirNames) {
  const dim3 grid(3, 2, 2), block(5, 4, 3);
  std::vector<Queries> out(12 * 60);
  EXPECT_LAUNCHES(AskEverything, grid, block, 0, nullptr, out.data());
  for (unsigned i = 0; i < out.size(); i++) {
    const Queries& q = out[i];
    const unsigned b = i / 60, t = i % 60;
    for (const dim3& index : {q.block_index, q.index_of_block}) {
      ASSERT_TRUE(Is(index, b % 3, b / 3 % 2, b / 6)) << i;
    }
    for (const dim3& index : {q.thread_index, q.index_of_thread}) {
      ASSERT_TRUE(Is(index, t % 5, t / 5 % 4, t / 20)) << i;
    }
    for (const dim3& dim : {q.block_dim, q.threads_of_block, q.threads_of_grid_block}) {
      ASSERT_TRUE(Is(dim, 5, 4, 3)) << i;
    }
    ASSERT_TRUE(Is(q.blocks, 3, 2, 2) && Is(q.grid_dim, 3, 2, 2)) << i;
    ASSERT_TRUE(q.block_size == 60 && q.block_threads == 60 && q.block_rank == t) << i;
    ASSERT_TRUE(q.tile_threads == 4 && q.warp_rank == t / 4 && q.warp_size == 15) << i;
    ASSERT_TRUE(q.grid_size == 720 && q.grid_threads == 720 && q.grid_rank == i) << i;
    ASSERT_TRUE(q.any_size == 60 && q.any_threads == 60 && q.any_rank == t) << i;
  }
}

}  // namespace
}  // namespace padproof
