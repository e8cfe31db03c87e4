// Threads that wait for others by atomics, fences or sleeps instead of collectives: each other
// thread of the block gets its turn, and a wait that cannot end is reported.

#include <gtest/gtest.h>

#include <vector>

#include "harness/simt/launch_test_util.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

enum class Wait { by_atomics, by_fences, by_sleeps };

/// Every thread waits for the one before it (`backwards`: behind it), then adds its index.
__global__ void PassABaton(Wait how, bool backwards, int* turn, unsigned* sum) {
  const int n = static_cast<int>(blockDim.x), t = static_cast<int>(threadIdx.x);
  const int mine = backwards ? n - 1 - t : t;
  volatile int* seen = turn;
  while (how == Wait::by_atomics ? atomicAdd(turn, 0) != mine : *seen != mine) {
    if (how == Wait::by_fences) __threadfence_block();
    if (how == Wait::by_sleeps) __nanosleep(20);
  }
  *sum = *sum * 3 + threadIdx.x;
  __threadfence_block();
  atomicAdd(turn, 1);
}

TEST(SimtWaiting, EveryThreadGetsItsTurn) {
  constexpr int kThreads = 70;
  for (bool backwards : {false, true}) {
    unsigned expected = 0;
    for (unsigned i = 0; i < kThreads; i++) expected = expected * 3 + (backwards ? 69 - i : i);
    for (Wait how : {Wait::by_atomics, Wait::by_fences, Wait::by_sleeps}) {
      for (Order order : kOrders) {
        simt::ApplySchedule(order, 5);
        int turn = 0;
        unsigned sum = 0;
        EXPECT_LAUNCHES(PassABaton, 1, kThreads, 0, nullptr, how, backwards, &turn, &sum);
        EXPECT_EQ(sum, expected) << static_cast<int>(how) << backwards << NameOf(order);
      }
    }
  }
  simt::CurrentOptions() = {};
}

/// A lock held across a barrier of the holder's warp, while the other warps want it.
__global__ void LockAcrossWarpOperations(int* lock, int* sum) {
  if (threadIdx.x % 32 == 0) {
    while (atomicCAS(lock, 0, 1) != 0) continue;
  }
  __syncwarp();
  const int total = __reduce_add_sync(~0u, 1);
  if (threadIdx.x % 32 == 0) {
    *sum += total;
    __threadfence();
    atomicExch(lock, 0);
  }
}

TEST(SimtWaiting, ALockMayBeHeldAcrossWarpOperations) {
  for (Order order : kOrders) {
    simt::ApplySchedule(order, 5);
    int lock = 0, sum = 0;
    EXPECT_LAUNCHES(LockAcrossWarpOperations, 1, 1024, 0, nullptr, &lock, &sum);
    EXPECT_EQ(sum, 1024) << NameOf(order);
  }
  simt::CurrentOptions() = {};
}

/// More atomics than there are in any turn, and nobody waits.
__global__ void CountFar(unsigned long long* count) {
  for (int i = 0; i < 100000; i++) atomicAdd(count, 1ull);
}

TEST(SimtWaiting, ManyAtomicsAreNoWait) {
  unsigned long long count = 0;
  EXPECT_LAUNCHES(CountFar, 2, 96, 0, nullptr, &count);
  EXPECT_EQ(count, 2u * 96 * 100000);
}

constexpr unsigned kLoopLine = __LINE__ + 3;
/// On a device that runs both blocks at once this ends.
__global__ void WaitForTheNextBlock(int* flag) {
  while (blockIdx.x == 0 && atomicAdd(flag, 0) == 0) __nanosleep(100);
  if (blockIdx.x == 1) atomicExch(flag, 1);
}

TEST(SimtWaitingDeathTest, AWaitThatCannotEndIsReportedWithItsLine) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  int flag = 0;
  EXPECT_DEATH(simt::launch(WaitForTheNextBlock, 2, 64, 0, nullptr, &flag),
               "livelock: a loop of atomics, fences or sleeps waits for another block or for ever\n"
               "  at .*waiting_test.cc:" +
                   std::to_string(kLoopLine) + ":.*\n  in block \\(0,0,0\\) of grid \\(2,1,1\\)");
}

}  // namespace
}  // namespace padproof
