// Coalesced groups, partitions, reductions, scans and invoke_one of the SIMT layer against plain
// loops, for all masks of small groups.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/cooperative_groups.h"
#include "harness/simt/launch_test_util.h"

namespace padproof {
namespace {

namespace cg = cooperative_groups;

// ---- coalesced groups ---------------------------------------------------------------------------

struct GroupResults {
  unsigned rank, size, meta_rank, meta_size, ballot, match, leader;
  int shfl[8], up[8], down[8], absent;
  int sum, largest, inclusive, exclusive, inclusive_max, exclusive_max;
};

/// Everything a group of any lanes can do.
template <class Group>
__device__ GroupResults Use(const Group& group, int value) {
  GroupResults r{};
  r.rank = group.thread_rank();
  r.size = group.size();
  r.meta_rank = group.meta_group_rank();
  r.meta_size = group.meta_group_size();
  group.sync();
  r.ballot = group.ballot(value & 1);
  r.match = group.match_any(value & 3);
  for (unsigned i = 0; i < 8; i++) {
    r.shfl[i] = group.shfl(value, static_cast<int>(i < r.size ? i : 0));
    r.up[i] = group.shfl_up(value, i);
    r.down[i] = group.shfl_down(value, i);
  }
  r.absent = group.shfl(value, static_cast<int>(r.size));
  r.sum = cg::reduce(group, value, cg::plus<int>());
  r.largest = cg::reduce(group, value, cg::greater<int>());
  r.inclusive = cg::inclusive_scan(group, value);
  r.exclusive = cg::exclusive_scan(group, value);
  r.inclusive_max = cg::inclusive_scan(group, value, cg::greater<int>());
  r.exclusive_max = cg::exclusive_scan(group, value, cg::greater<int>());
  return r;
}

/// `values` are those of the members, by rank.
void CheckGroup(const GroupResults& r, const std::vector<int>& values, unsigned rank) {
  const int size = static_cast<int>(values.size()), me = static_cast<int>(rank);
  ASSERT_EQ(r.rank, rank);
  ASSERT_EQ(r.size, values.size());
  unsigned ballot = 0, match = 0;
  int sum = 0, largest = 0, below = 0, largest_below = 0;
  for (int i = 0; i < size; i++) {
    ballot |= static_cast<unsigned>(values[i] & 1) << i;
    match |= static_cast<unsigned>((values[i] & 3) == (values[me] & 3)) << i;
    sum += values[i];
    largest = std::max(largest, values[i]);
    if (i < me) {
      below += values[i];
      largest_below = std::max(largest_below, values[i]);
    }
  }
  ASSERT_EQ(r.ballot, ballot);
  ASSERT_EQ(r.match, match);
  for (int i = 0; i < 8; i++) {
    ASSERT_EQ(r.shfl[i], values[i < size ? i : 0]);
    ASSERT_EQ(r.up[i], values[i <= me ? me - i : me]);
    ASSERT_EQ(r.down[i], values[me + i < size ? me + i : me]);
  }
  ASSERT_EQ(r.absent, size == 32 ? values[0] : -1);  // the fill pattern
  ASSERT_EQ(r.sum, sum);
  ASSERT_EQ(r.largest, largest);
  ASSERT_EQ(r.inclusive, below + values[me]);
  ASSERT_EQ(r.exclusive, below);
  ASSERT_EQ(r.inclusive_max, std::max(largest_below, values[me]));
  ASSERT_EQ(r.exclusive_max, largest_below);
}

std::vector<int> ValuesOf(unsigned lanes, const std::vector<int>& in) {
  std::vector<int> values;
  for (; lanes != 0; lanes &= lanes - 1) values.push_back(in[std::countr_zero(lanes)]);
  return values;
}

unsigned RankOf(unsigned lanes, unsigned lane) {
  return static_cast<unsigned>(std::popcount(lanes & ((1u << lane) - 1)));
}

std::vector<int> RandomValues(uint64_t seed) {
  std::vector<int> in(32);
  Random random(seed);
  for (int& x : in) x = static_cast<int>(random.Below(1000));
  return in;
}

__global__ void SplitInTwo(const int* in, unsigned lanes, GroupResults* out) {
  const auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  const unsigned t = threadIdx.x;
  out[t] = Use(cg::binary_partition(warp, lanes >> t & 1), in[t]);
}

void CheckBinaryPartition(unsigned lanes) {
  const std::vector<int> in = RandomValues(lanes);
  std::vector<GroupResults> out(32);
  EXPECT_LAUNCHES(SplitInTwo, 1, 32, 0, nullptr, in.data(), lanes, out.data());
  for (unsigned t = 0; t < 32; t++) {
    SCOPED_TRACE(testing::Message() << "lanes " << lanes << " thread " << t);
    const bool first = lanes == 0 || lanes == kAll;
    const bool is_in = lanes >> t & 1;
    const unsigned mine = is_in ? lanes : ~lanes;
    CheckGroup(out[t], ValuesOf(mine, in), RankOf(mine, t));
    ASSERT_EQ(out[t].meta_size, first ? 1u : 2u);
    ASSERT_EQ(out[t].meta_rank, !first && is_in ? 1u : 0u);
  }
}

TEST(SimtCooperativeGroups, GroupsOfAnyLanes) {
  for (Order order : kOrders) {
    const Scheduled scheduled(order);
    for (unsigned lanes = 0; lanes < 256; lanes++) CheckBinaryPartition(lanes);
    for (unsigned lanes : {kAll, kAll << 1, 0x55555555u, 0x80000001u, 0xffff0000u, 0x00ff00f0u}) {
      CheckBinaryPartition(lanes);
    }
  }
}

__global__ void BranchTogether(const int* in, unsigned lanes, GroupResults* out) {
  const unsigned t = threadIdx.x;
  if ((lanes >> t & 1) == 0) return;
  const auto group = cg::coalesced_threads();
  out[t] = Use(group, in[t]);
  out[t].leader = group.shfl(t, 0);
}

/// CUDA promises no more than that the caller is a member; the fixed orders keep a branch together.
TEST(SimtCooperativeGroups, ThreadsOfABranchAreCoalesced) {
  for (Order order : kOrders) {
    const Scheduled scheduled(order);
    for (unsigned lanes : {1u, 6u, 0xf0f0u, 0x80000000u, kAll}) {
      const std::vector<int> in = RandomValues(lanes);
      std::vector<GroupResults> out(32);
      EXPECT_LAUNCHES(BranchTogether, 1, 32, 0, nullptr, in.data(), lanes, out.data());
      for (unsigned t = 0; t < 32; t++) {
        if ((lanes >> t & 1) == 0) continue;
        unsigned mine = 0;
        for (unsigned i = 0; i < 32; i++) {
          if ((lanes >> i & 1) && out[i].leader == out[t].leader) mine |= 1u << i;
        }
        EXPECT_TRUE(mine == lanes || order == Order::random) << mine;
        CheckGroup(out[t], ValuesOf(mine, in), RankOf(mine, t));
        EXPECT_EQ(out[t].meta_size, 1u);
      }
    }
  }
}

template <class Label>
__global__ void SplitByLabel(const int* in, const Label* labels, GroupResults* out) {
  const auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  const unsigned t = threadIdx.x;
  out[t] = Use(cg::labeled_partition(warp, labels[t]), in[t]);
}

template <class Label>
void CheckLabels(int count, Label (*label_of)(int)) {
  for (Order order : kOrders) {
    const Scheduled scheduled(order);
    const std::vector<int> in = RandomValues(count);
    std::vector<GroupResults> out(32);
    std::vector<Label> labels(32);
    Random random(count);
    for (Label& label : labels) label = label_of(static_cast<int>(random.Below(count)));
    EXPECT_LAUNCHES(SplitByLabel<Label>, 1, 32, 0, nullptr, in.data(), labels.data(), out.data());
    for (unsigned t = 0; t < 32; t++) {
      unsigned mine = 0, groups = 0, lower_groups = 0;
      for (unsigned i = 0; i < 32; i++) {
        mine |= static_cast<unsigned>(labels[i] == labels[t]) << i;
        bool is_first = true, starts_before_mine = true;
        for (unsigned j = 0; j < i; j++) is_first = is_first && labels[j] != labels[i];
        for (unsigned j = 0; j <= i; j++) starts_before_mine &= labels[j] != labels[t];
        groups += is_first;
        lower_groups += is_first && starts_before_mine;
      }
      CheckGroup(out[t], ValuesOf(mine, in), RankOf(mine, t));
      ASSERT_EQ(out[t].meta_size, groups);
      ASSERT_EQ(out[t].meta_rank, lower_groups);
    }
  }
}

TEST(SimtCooperativeGroups, GroupsOfOneLabel) {
  for (int count : {1, 3, 40}) {
    CheckLabels<int>(count, [](int i) { return i - 1; });
    CheckLabels<signed char>(count, [](int i) { return static_cast<signed char>(-i); });
    CheckLabels<long long>(count, [](int i) { return static_cast<long long>(i) << 40; });
  }
}

// ---- sizes known at run time --------------------------------------------------------------------

__global__ void PartitionAtRunTime(unsigned size, unsigned lanes, unsigned* block_tile,
                                   unsigned* nested, GroupResults* out, const int* in) {
  const unsigned t = threadIdx.x;
  const cg::thread_group tile = cg::tiled_partition(cg::this_thread_block(), size);
  tile.sync();
  block_tile[t] = static_cast<unsigned>(tile.size() * 100 + tile.thread_rank());
  if (size > 1) {
    const cg::thread_group half = cg::tiled_partition(tile, size / 2);
    cg::sync(half);
    nested[t] = static_cast<unsigned>(half.size() * 100 + half.thread_rank());
  }
  if (t >= 32) return;
  const auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  const cg::coalesced_group part = cg::binary_partition(warp, lanes >> t & 1);
  out[t] = Use(cg::tiled_partition(part, size), in[t]);
}

TEST(SimtCooperativeGroups, TilesOfSizesKnownAtRunTime) {
  constexpr unsigned kThreads = 64;
  const unsigned lanes = 0x0ff1f03cu;
  const std::vector<int> in = RandomValues(9);
  for (unsigned size : {1u, 2u, 4u, 8u, 16u, 32u}) {
    std::vector<unsigned> block_tile(kThreads), nested(kThreads);
    std::vector<GroupResults> out(32);
    EXPECT_LAUNCHES(PartitionAtRunTime, 1, kThreads, 0, nullptr, size, lanes, block_tile.data(),
                    nested.data(), out.data(), in.data());
    for (unsigned t = 0; t < kThreads; t++) {
      EXPECT_EQ(block_tile[t], size * 100 + t % size);
      EXPECT_EQ(nested[t], size == 1 ? 0 : size / 2 * 100 + t % (size / 2));
    }
    for (unsigned t = 0; t < 32; t++) {
      const unsigned part = lanes >> t & 1 ? lanes : ~lanes;
      unsigned mine = 0;
      for (unsigned i = 0; i < 32; i++) {
        const bool together = RankOf(part, i) / size == RankOf(part, t) / size;
        if ((part >> i & 1) && together) mine |= 1u << i;
      }
      CheckGroup(out[t], ValuesOf(mine, in), RankOf(mine, t));
    }
  }
}

__global__ void PartitionUnevenly(unsigned* sizes) {
  const auto tile = cg::tiled_partition(cg::this_thread_block(), 16);
  sizes[threadIdx.x] = static_cast<unsigned>(tile.size());
}

TEST(SimtCooperativeGroups, TheLastTileMayBeSmallerAtRunTime) {
  std::vector<unsigned> sizes(40);
  EXPECT_LAUNCHES(PartitionUnevenly, 1, 40, 0, nullptr, sizes.data());
  for (unsigned t = 0; t < 40; t++) EXPECT_EQ(sizes[t], t < 32 ? 16u : 8u);
}

// ---- reductions ---------------------------------------------------------------------------------

template <unsigned kSize>
__global__ void ReduceTile(const float* f, const int* i, float* sums, int* results) {
  const auto tile = cg::tiled_partition<kSize>(cg::this_thread_block());
  const unsigned t = threadIdx.x;
  sums[t] = cg::reduce(tile, f[t], cg::plus<float>());
  results[6 * t] = cg::reduce(tile, i[t], cg::plus<int>());
  results[6 * t + 1] = cg::reduce(tile, i[t], cg::less<int>());
  results[6 * t + 2] = cg::reduce(tile, i[t], cg::bit_and<int>());
  results[6 * t + 3] = cg::reduce(tile, i[t], cg::bit_or<int>());
  results[6 * t + 4] = cg::reduce(tile, i[t], cg::bit_xor<int>());
  results[6 * t + 5] = cg::reduce(tile, i[t], [](int a, int b) { return (a | b) & ~1; });
}

template <unsigned kSize>
void CheckReduce() {
  std::vector<float> f(64), sums(64);
  std::vector<int> ints(64), results(6 * 64);
  Random random(kSize);
  for (float& x : f) x = static_cast<float>(random.Between(-1000000, 1000000)) * 0x1.3p-7f;
  for (int& x : ints) x = static_cast<int>(random.Next());  // sums wrap
  for (Order order : kOrders) {
    const Scheduled scheduled(order);
    EXPECT_LAUNCHES(ReduceTile<kSize>, 1, 64, 0, nullptr, f.data(), ints.data(), sums.data(),
                    results.data());
    for (unsigned first = 0; first < 64; first += kSize) {
      // Halves are added pairwise, as by the toolkit.
      std::vector<float> tree(f.begin() + first, f.begin() + first + kSize);
      for (unsigned half = kSize / 2; half != 0; half /= 2) {
        for (unsigned i = 0; i < half; i++) tree[i] += tree[i + half];
      }
      unsigned sum = 0, conjunction = kAll, disjunction = 0, parity = 0;
      int least = ints[first];
      for (unsigned i = 0; i < kSize; i++) {
        const unsigned x = static_cast<unsigned>(ints[first + i]);
        sum += x, conjunction &= x, disjunction |= x, parity ^= x;
        least = std::min(least, ints[first + i]);
      }
      const unsigned own = kSize == 1 ? disjunction : disjunction & ~1u;
      const unsigned expected[] = {
          sum, static_cast<unsigned>(least), conjunction, disjunction, parity, own};
      for (unsigned i = 0; i < kSize; i++) {
        ASSERT_EQ(sums[first + i], tree[0]);
        for (int k = 0; k < 6; k++) {
          ASSERT_EQ(static_cast<unsigned>(results[6 * (first + i) + k]), expected[k]) << k;
        }
      }
    }
  }
}

TEST(SimtCooperativeGroups, ReductionsOfTiles) {
  CheckReduce<1>();
  CheckReduce<2>();
  CheckReduce<4>();
  CheckReduce<8>();
  CheckReduce<16>();
  CheckReduce<32>();
}

// ---- one for all --------------------------------------------------------------------------------

__global__ void InvokeOne(int* calls, int* invoked, int* received) {
  const auto tile = cg::tiled_partition<8>(cg::this_thread_block());
  const int t = threadIdx.x;
  cg::invoke_one(tile, [&](int by) { atomicAdd(calls + t / 8, by); }, 1);
  received[t] = cg::invoke_one_broadcast(tile, [&] { return invoked[t / 8] = t; });
  cg::invoke_one(cg::this_thread_block(), [&] { atomicAdd(calls + 4, t + 1); });
}

TEST(SimtCooperativeGroups, OneIsInvokedAndNoOneKnowsWhich) {
  unsigned ranks_seen = 0;
  for (uint32_t seed = 0; seed < 20; seed++) {
    const Scheduled scheduled(Order::random, seed);
    std::vector<int> calls(5), invoked(4, -1), received(32);
    EXPECT_LAUNCHES(InvokeOne, 1, 32, 0, nullptr, calls.data(), invoked.data(), received.data());
    EXPECT_EQ(calls, (std::vector<int>{1, 1, 1, 1, 1}));
    for (int t = 0; t < 32; t++) EXPECT_EQ(received[t], invoked[t / 8]);
    for (int rank : invoked) ranks_seen |= 1u << (rank % 8);
  }
  EXPECT_EQ(ranks_seen, 0xffu);
}

}  // namespace
}  // namespace padproof
