// Barriers and warp operations of the SIMT layer against plain loops: blocks and whole warps. Those
// of some lanes are in collectives_masks_test.cc.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/launch_test_util.h"
#include "harness/simt/shuffle_reference.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

// ---- barriers with a result ---------------------------------------------------------------------

__global__ void BarrierResults(const int* predicates, int* count, int* all, int* any) {
  const int i = threadIdx.x, n = blockDim.x;
  for (int round = 0; round < 3; round++) {
    const int p = predicates[round * n + i];
    count[round * n + i] = __syncthreads_count(p);
    all[round * n + i] = __syncthreads_and(p);
    any[round * n + i] = __syncthreads_or(p);
  }
}

TEST(SimtDeviceFunctions, BarriersCountAndVote) {
  constexpr int kThreads = 70;
  std::vector<int> predicates(3 * kThreads), count(predicates), all(predicates), any(predicates);
  for (int i = 0; i < kThreads; i++) {
    predicates[i] = i % 3 == 0 ? 5 : 0;
    predicates[kThreads + i] = -1;
  }
  for (Order order : {Order::forward, Order::reverse, Order::random}) {
    simt::ApplySchedule(order, 3);
    EXPECT_LAUNCHES(BarrierResults, 1, kThreads, 0, nullptr, predicates.data(), count.data(),
                    all.data(), any.data());
    for (int i = 0; i < kThreads; i++) {
      ASSERT_EQ(count[i], 24);
      ASSERT_EQ(count[kThreads + i], kThreads);
      ASSERT_EQ(count[2 * kThreads + i], 0);
      ASSERT_EQ(all[i] * 4 + all[kThreads + i] * 2 + all[2 * kThreads + i], 2);
      ASSERT_EQ(any[i] * 4 + any[kThreads + i] * 2 + any[2 * kThreads + i], 6);
    }
  }
  simt::CurrentOptions() = {};
}

// ---- warp operations ----------------------------------------------------------------------------

template <class T>
__global__ void ShuffleAll(const T* in, T* out, int b, int width) {
  const int i = threadIdx.x, n = blockDim.x;
  out[i] = __shfl_sync(kAll, in[i], b, width);
  out[n + i] = __shfl_up_sync(kAll, in[i], b, width);
  out[2 * n + i] = __shfl_down_sync(kAll, in[i], b, width);
  out[3 * n + i] = __shfl_xor_sync(kAll, in[i], b, width);
}

template <class T>
T Numbered(int i) {
  return static_cast<T>(static_cast<float>(i + 1));
}

template <class T>
void ShufflesFollowPtx() {
  constexpr int kThreads = 64;
  std::vector<T> in(kThreads), out(4 * kThreads);
  for (int i = 0; i < kThreads; i++) in[i] = Numbered<T>(i);
  for (int width : {1, 2, 4, 8, 16, 32}) {
    for (int b : {0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33}) {
      EXPECT_LAUNCHES(ShuffleAll<T>, 1, kThreads, 0, nullptr, in.data(), out.data(), b, width);
      for (int k = 0; k < 4; k++) {
        for (int i = 0; i < kThreads; i++) {
          const int source = i / 32 * 32 + SourceByPtx(kShuffles[k], i % 32, b, width);
          const T& got = out[k * kThreads + i];
          ASSERT_EQ(std::memcmp(&got, &in[source], sizeof(T)), 0)
              << "kind " << k << " lane " << i << " b " << b << " width " << width;
        }
      }
    }
  }
}

TEST(SimtDeviceFunctions, ShufflesFollowPtxForEveryType) {
  ShufflesFollowPtx<int>();
  ShufflesFollowPtx<unsigned>();
  ShufflesFollowPtx<long long>();
  ShufflesFollowPtx<unsigned long long>();
  ShufflesFollowPtx<float>();
  ShufflesFollowPtx<double>();
  ShufflesFollowPtx<__half>();
  ShufflesFollowPtx<__nv_bfloat16>();
  ShufflesFollowPtx<signed char>();  // as int, as by nvcc's overloads
  ShufflesFollowPtx<unsigned short>();
}

__global__ void HalvesOfAWarp(unsigned* out) {
  const unsigned lane = threadIdx.x % 32;
  if (lane < 16) {
    out[threadIdx.x] = __shfl_sync(0x0000ffffu, threadIdx.x, 3);
    out[threadIdx.x] += 1000 * __ballot_sync(0x0000ffffu, lane == 1);
  } else {
    out[threadIdx.x] = __shfl_sync(0xffff0000u, threadIdx.x, 20);
    out[threadIdx.x] += 1000 * (__ballot_sync(0xffff0000u, lane == 17) >> 16);
  }
}

TEST(SimtDeviceFunctions, DisjointMasksOfOneWarpWorkSideBySide) {
  for (Order order : {Order::forward, Order::reverse, Order::random}) {
    simt::ApplySchedule(order, 5);
    std::vector<unsigned> out(64);
    EXPECT_LAUNCHES(HalvesOfAWarp, 1, 64, 0, nullptr, out.data());
    for (unsigned i = 0; i < 64; i++) {
      EXPECT_EQ(out[i], 2000 + i / 32 * 32 + (i % 32 < 16 ? 3 : 20)) << i;
    }
  }
  simt::CurrentOptions() = {};
}

__global__ void ShuffleFromAbsentLane(float* out) {
  if (threadIdx.x < 8) out[threadIdx.x] = __shfl_sync(0xffu, 1.0f, 9);
}

TEST(SimtDeviceFunctions, AShuffleFromALaneOutsideTheMaskIsPoison) {
  std::vector<float> out(32, 0.0f);
  EXPECT_LAUNCHES(ShuffleFromAbsentLane, 1, 32, 0, nullptr, out.data());
  for (int i = 0; i < 8; i++) EXPECT_TRUE(std::isnan(out[i]));
  EXPECT_EQ(out[8], 0.0f);
}

/// Two operations of one warp, each of which names a lane that leaves.
__global__ void TwoWaitAndTwoLeave(int* out) {
  const int i = threadIdx.x;
  if (i >= 4) return;
  const unsigned mask = i < 2 ? 0b010011u : 0b101100u;
  out[i] = __shfl_sync(mask, i, i ^ 1);
}

TEST(SimtDeviceFunctions, LanesThatLeaveOneAfterAnotherEndOneOperationEach) {
  for (Order order : {Order::forward, Order::reverse, Order::random, Order::warp_lag}) {
    for (uint32_t seed = 0; seed < 16; seed++) {
      simt::ApplySchedule(order, seed);
      std::vector<int> out(4, -1);
      EXPECT_LAUNCHES(TwoWaitAndTwoLeave, dim3(1), dim3(6), 0, nullptr, out.data());
      EXPECT_EQ(out, (std::vector<int>{1, 0, 3, 2}));
    }
  }
  simt::ApplySchedule(Order::forward, 0);
}

__global__ void Vote(const int* predicates, unsigned* ballot, int* any, int* all) {
  const int i = threadIdx.x;
  ballot[i] = __ballot_sync(kAll, predicates[i]);
  any[i] = __any_sync(kAll, predicates[i]);
  all[i] = __all_sync(kAll, predicates[i]);
}

TEST(SimtDeviceFunctions, Votes) {
  constexpr int kThreads = 96;
  Random random(2);
  std::vector<int> predicates(kThreads), any(kThreads), all(kThreads);
  std::vector<unsigned> ballot(kThreads);
  for (int i = 0; i < 32; i++) {
    predicates[i] = random.Chance(50) ? 4 : 0;
    predicates[32 + i] = 1;
  }
  EXPECT_LAUNCHES(Vote, 1, kThreads, 0, nullptr, predicates.data(), ballot.data(), any.data(),
                  all.data());
  for (int i = 0; i < kThreads; i++) {
    unsigned expected = 0;
    for (int j = 0; j < 32; j++) expected |= unsigned{predicates[i / 32 * 32 + j] != 0} << j;
    EXPECT_EQ(ballot[i], expected);
    EXPECT_EQ(any[i], expected != 0);
    EXPECT_EQ(all[i], expected == kAll);
  }
}

// ---- activemask ---------------------------------------------------------------------------------

/// Opportunistic aggregation: the lanes that are together elect one that adds for all.
__global__ void Aggregate(int* counter, int* ticket, unsigned* masks) {
  const int i = threadIdx.x;
  if (i % 3 == 0) return;
  const unsigned together = __activemask();
  const int leader = __ffs(static_cast<int>(together)) - 1;
  int base = 0;
  if (i % 32 == leader) base = atomicAdd(counter, __popc(together));
  base = __shfl_sync(together, base, leader);
  ticket[i] = base + __popc(together & ((1u << i % 32) - 1));
  masks[i] = together;
}

TEST(SimtDeviceFunctions, ActiveMaskNamesTheCallerAndLanesThatAreWithIt) {
  for (Order order : {Order::forward, Order::reverse, Order::random, Order::warp_lag}) {
    for (uint32_t seed = 0; seed < 8; seed++) {
      simt::ApplySchedule(order, seed);
      int counter = 0, ticket[70];
      unsigned masks[70];
      EXPECT_LAUNCHES(Aggregate, dim3(1), dim3(70), 0, nullptr, &counter, ticket, masks);
      std::vector<int> seen(70);
      int callers = 0;
      for (int i = 0; i < 70; i++) {
        if (i % 3 == 0) continue;
        callers++;
        EXPECT_TRUE(masks[i] >> i % 32 & 1);
        for (int lane = 0; lane < 32; lane++) {
          if (masks[i] >> lane & 1) {
            EXPECT_EQ(masks[i], masks[i - i % 32 + lane]);
          }
        }
        EXPECT_EQ(seen.at(ticket[i])++, 0);
      }
      EXPECT_EQ(counter, callers);
    }
  }
  simt::ApplySchedule(Order::forward, 0);
}

}  // namespace
}  // namespace padproof
