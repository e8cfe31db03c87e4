// What the SIMT layer does with wrong kernels: schedules expose missing barriers, divergence and
// overruns are reported with positions and who waits where. And that right kernels are left alone.

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "harness/simt/launch_test_util.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

// ---- schedules ----------------------------------------------------------------------------------

__global__ void Trace(int* next, int* blocks, int* threads) {
  const int at = atomicAdd(next, 1);
  blocks[at] = static_cast<int>(blockIdx.y * gridDim.x + blockIdx.x);
  threads[at] = threadIdx.x;
}

struct Traced {
  std::vector<int> blocks, threads;
  bool operator==(const Traced&) const = default;
};

Traced TraceOf(Order order, uint32_t seed, int block) {
  const Scheduled scheduled(order, seed);
  const dim3 grid(4, 3);
  Traced trace{std::vector<int>(12 * block), std::vector<int>(12 * block)};
  int next = 0;
  EXPECT_EQ(simt::launch(Trace, grid, block, 0, nullptr, &next, trace.blocks.data(),
                         trace.threads.data()),
            cudaSuccess);
  EXPECT_EQ(next, 12 * block);
  return trace;
}

TEST(SimtSchedule, ForwardAndReverseAreWhatTheySay) {
  for (int block : {1, 31, 32, 33, 100}) {
    const Traced forward = TraceOf(Order::forward, 0, block);
    Traced reverse = TraceOf(Order::reverse, 0, block);
    for (int i = 0; i < 12 * block; i++) {
      ASSERT_EQ(forward.blocks[i], i / block);
      ASSERT_EQ(forward.threads[i], i % block);
    }
    std::reverse(reverse.blocks.begin(), reverse.blocks.end());
    std::reverse(reverse.threads.begin(), reverse.threads.end());
    EXPECT_EQ(reverse, forward);
  }
}

TEST(SimtSchedule, RandomIsAFunctionOfTheSeedAndRunsAll) {
  const Traced a = TraceOf(Order::random, 1, 100);
  EXPECT_EQ(TraceOf(Order::random, 1, 100), a);
  const Traced b = TraceOf(Order::random, 2, 100);
  EXPECT_NE(a.blocks, b.blocks);
  EXPECT_NE(a.threads, b.threads);
  std::vector<int> runs(12 * 100);
  for (size_t i = 0; i < runs.size(); i++) runs[a.blocks[i] * 100 + a.threads[i]]++;
  EXPECT_EQ(runs, std::vector<int>(12 * 100, 1));
}

// ---- missing barriers ---------------------------------------------------------------------------

template <bool kBarrier>
__global__ void ReadLeftNeighbour(const int* in, int* out) {
  SIMT_SHARED(tile, int[128]);
  const int i = threadIdx.x;
  tile[i] = in[i];
  if constexpr (kBarrier) __syncthreads();
  out[i] = i == 0 ? -1 : tile[i - 1];
}

template <bool kBarrier>
__global__ void ReadRightNeighbourInWarp(const int* in, int* out) {
  SIMT_SHARED(tile, int[128]);
  const int i = threadIdx.x;
  tile[i] = in[i];
  if constexpr (kBarrier) __syncwarp();
  out[i] = i % 32 == 31 ? -1 : tile[i + 1];
}

std::vector<int> RunNeighbour(void (*kernel)(const int*, int*), Order order) {
  const Scheduled scheduled(order, 1);
  std::vector<int> in(128), out(128);
  std::iota(in.begin(), in.end(), 1);
  EXPECT_EQ(simt::launch(kernel, 1, 128, 0, nullptr, in.data(), out.data()), cudaSuccess);
  return out;
}

TEST(SimtSchedule, OrdersExposeAMissingSyncthreads) {
  const std::vector<int> right = RunNeighbour(ReadLeftNeighbour<true>, Order::forward);
  for (Order order : kOrders) EXPECT_EQ(RunNeighbour(ReadLeftNeighbour<true>, order), right);
  // A thread reads what an earlier one wrote: forward order hides the missing barrier.
  EXPECT_EQ(RunNeighbour(ReadLeftNeighbour<false>, Order::forward), right);
  EXPECT_NE(RunNeighbour(ReadLeftNeighbour<false>, Order::reverse), right);
  EXPECT_NE(RunNeighbour(ReadLeftNeighbour<false>, Order::random), right);
}

TEST(SimtSchedule, OrdersExposeAMissingSyncwarp) {
  const std::vector<int> right = RunNeighbour(ReadRightNeighbourInWarp<true>, Order::forward);
  for (Order order : kOrders) EXPECT_EQ(RunNeighbour(ReadRightNeighbourInWarp<true>, order), right);
  EXPECT_NE(RunNeighbour(ReadRightNeighbourInWarp<false>, Order::forward), right);
  EXPECT_NE(RunNeighbour(ReadRightNeighbourInWarp<false>, Order::random), right);
}

// ---- kernels that are right and must stay silent ------------------------------------------------

__global__ void LanesLeaveBeforeAndAfterTheOthersWait(int* out) {
  const int lane = threadIdx.x;
  if (lane == 5) return;
  const int first = __shfl_xor_sync(kAll, lane, 1);
  if (lane == 30 || lane == 0) return;
  out[lane] = first + static_cast<int>(__ballot_sync(kAll, 1));
}

TEST(SimtDivergence, LanesThatLeftAreNotWaitedFor) {
  for (Order order : kOrders) {
    const Scheduled scheduled(order, 1);
    std::vector<int> out(32);
    ASSERT_EQ(simt::launch(LanesLeaveBeforeAndAfterTheOthersWait, 1, 32, 0, nullptr, out.data()),
              cudaSuccess);
    for (int i = 0; i < 32; i++) {
      if (i == 0 || i == 4 || i == 5 || i == 30) continue;  // left, or read from a lane that left
      const int members = static_cast<int>(kAll & ~(1u | 1u << 5 | 1u << 30));
      EXPECT_EQ(out[i], (i ^ 1) + members) << i;
    }
  }
}

__global__ void SomeLeaveEarly(int* count, int stay) {
  if (static_cast<int>(threadIdx.x) >= stay) return;
  *count = __syncthreads_count(1);
}

TEST(SimtDivergence, BarriersMayIgnoreExitedThreadsIfAsked) {
  for (Order order : kOrders) {
    const Scheduled scheduled(order, 1);
    simt::CurrentOptions().exited_threads_may_miss_barriers = true;
    int count = 0;
    EXPECT_EQ(simt::launch(SomeLeaveEarly, 1, 64, 0, nullptr, &count, 40), cudaSuccess);
    EXPECT_EQ(count, 40);
  }
}

__global__ void WarpsSpecialise(int* out) {
  SIMT_SHARED(tile, int[32]);
  for (int round = 0; round < 3; round++) {
    if (threadIdx.x < 32) {
      tile[threadIdx.x] =
          round + __shfl_sync(kAll, static_cast<int>(threadIdx.x), 31 - threadIdx.x);
    }
    __syncthreads();
    if (threadIdx.x >= 32) out[threadIdx.x - 32] += tile[threadIdx.x - 32];
    __syncthreads();
  }
}

TEST(SimtDivergence, WarpsMayDoDifferentThingsBetweenBarriers) {
  for (Order order : kOrders) {
    const Scheduled scheduled(order, 1);
    std::vector<int> out(32);
    EXPECT_EQ(simt::launch(WarpsSpecialise, 1, 64, 0, nullptr, out.data()), cudaSuccess);
    for (int i = 0; i < 32; i++) EXPECT_EQ(out[i], 3 * (31 - i) + 3);
  }
}

// ---- divergence ---------------------------------------------------------------------------------

__global__ void DifferentBarriers() {
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void BarrierAgainstWarpOperation() {
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __syncwarp();
  }
}

__global__ void CallerNotInMask() { __shfl_sync(1u << 3, 1, 0); }

__global__ void DifferentMasks() {
  if (threadIdx.x < 32) __syncwarp(threadIdx.x < 8 ? 0x0000ffffu : kAll);
}

__global__ void DifferentOperations(int* out) {
  if (threadIdx.x % 2 == 0) {
    *out = __any_sync(kAll, 1);
  } else {
    *out = __all_sync(kAll, 1);
  }
}

__global__ void MaskNamesALaneThatNeverComes(int* out) {
  if (threadIdx.x < 8) *out = __shfl_sync(0x1ffu, 1, 0);
  __syncthreads();
}

__global__ void BadWidth(int* out) { *out = __shfl_sync(kAll, 1, 0, 12); }

/// Runs a broken kernel in a child process and expects its report in every order.
class SimtDeath : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

template <class Function>
void ExpectReport(Function launch, const std::string& report) {
  for (Order order : kOrders) {
    const Scheduled scheduled(order, 1);
    EXPECT_EXIT(launch(), testing::KilledBySignal(SIGABRT), report) << NameOf(order);
  }
}

TEST_F(SimtDeath, ExitedThreadsMissABarrier) {
  ExpectReport(
      [] {
        int count = 0;
        simt::launch(SomeLeaveEarly, 1, 64, 0, nullptr, &count, 40);
      },
      "padproof simt: (__syncthreads reached after threads of the block have left the kernel|"
      "a thread left the kernel while others wait at __syncthreads)\n"
      "  at .*divergence_test.cc:[0-9]+:[0-9]+\n"
      "  in block \\(0,0,0\\) of grid \\(1,1,1\\), thread \\([0-9]+,0,0\\) of block \\(64,1,1\\), "
      "schedule [a-z_]+ seed 1\n"
      "(  threads [0-9, -]+: .*\n)+$");
}

TEST_F(SimtDeath, ReportsNameThePreemption) {
  const auto diverge = [](uint32_t preempt) {
    simt::ApplySchedule(Order::random, 3, preempt);
    simt::launch(DifferentBarriers, 1, 64, 0, nullptr);
  };
  EXPECT_EXIT(diverge(8), testing::KilledBySignal(SIGABRT), "schedule random seed 3 preempt 8\n");
  EXPECT_EXIT(diverge(0), testing::KilledBySignal(SIGABRT), "schedule random seed 3\n");
}

TEST_F(SimtDeath, DifferentBarriers) {
  ExpectReport([] { simt::launch(DifferentBarriers, 1, 64, 0, nullptr); },
               "wait at different __syncthreads\n.*\n.*\n"
               "(.*\n)*  threads .*: waits at the __syncthreads of .*divergence_test.cc");
}

TEST_F(SimtDeath, BarrierAgainstWarpOperation) {
  ExpectReport([] { simt::launch(BarrierAgainstWarpOperation, 1, 32, 0, nullptr); },
               "deadlock: .*\n  at .*divergence_test.cc:.*\n"
               "  in block \\(0,0,0\\) of grid \\(1,1,1\\), schedule [a-z_]+ seed 1\n"
               "  threads 0-15: waits at the __syncthreads of .*divergence_test.cc:.*\n"
               "  threads 16-31: waits at the warp operation of .*divergence_test.cc:.* "
               "with mask 0xffffffff\n$");
}

TEST_F(SimtDeath, CallerNotInMask) {
  ExpectReport([] { simt::launch(CallerNotInMask, 1, 32, 0, nullptr); },
               "calling lane is not named in the mask(.*\n)*"
               "  threads [0-9]+: calls the warp operation of .* with mask 0x00000008\n");
}

TEST_F(SimtDeath, DifferentMasks) {
  ExpectReport([] { simt::launch(DifferentMasks, 1, 64, 0, nullptr); },
               "named in one mask wait at different warp operations(.*\n)*.*with mask 0x");
}

TEST_F(SimtDeath, DifferentOperations) {
  ExpectReport(
      [] {
        int out = 0;
        simt::launch(DifferentOperations, 1, 32, 0, nullptr, &out);
      },
      "named in one mask wait at different warp operations");
}

TEST_F(SimtDeath, AMaskNamesALaneThatNeverComes) {
  ExpectReport(
      [] {
        int out = 0;
        simt::launch(MaskNamesALaneThatNeverComes, 1, 64, 0, nullptr, &out);
      },
      "deadlock: (.*\n)*  threads 0-7: waits at the warp operation of .* with mask 0x000001ff\n");
}

TEST_F(SimtDeath, TheWidthOfAShuffle) {
  ExpectReport(
      [] {
        int out = 0;
        simt::launch(BadWidth, 1, 32, 0, nullptr, &out);
      },
      "width of a shuffle is not a power of two");
}

// ---- memory -------------------------------------------------------------------------------------

__global__ void WritePastMacroArray(int index) {
  SIMT_SHARED(first, int[10]);
  SIMT_SHARED(second, int[10]);
  second[0] = 0;
  int* at = first;  // of an array UBSan knows the bounds, and would speak before AddressSanitizer
  atomicOr(&at[index], 1);  // as a flag is set
}

__global__ void WritePastDynamic(int index) {
  SIMT_DYNAMIC_SHARED(int, dynamic);
  dynamic[index] = 1;
}

__global__ void TooMuchShared(char* out) {
  SIMT_SHARED(a, char[48 << 10]);
  SIMT_SHARED(b, char[48 << 10]);
  SIMT_DYNAMIC_SHARED(char, dynamic);
  *out = a[0] + b[0] + dynamic[0];
}

// The result is used after the call, so that no compiler makes a loop of it.
int Recurse(volatile int* depth, int limit) {
  volatile char frame[512];
  frame[*depth % 512] = 1;
  *depth = *depth + 1;
  return *depth == limit ? 0 : Recurse(depth, limit) + frame[0];
}
__global__ void RecurseOnce(volatile int* depth, int limit) { *depth = Recurse(depth, limit); }

#if defined(__SANITIZE_ADDRESS__)
#define PADPROOF_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PADPROOF_TEST_ASAN 1
#endif
#endif

#if defined(PADPROOF_TEST_ASAN)
TEST_F(SimtDeath, AddressSanitizerSeesSharedMemory) {
  EXPECT_DEATH(simt::launch(WritePastMacroArray, 2, 1, 0, nullptr, 10),
               "in block \\(0,0,0\\) of grid \\(2,1,1\\), thread "
               "(.*\n)*.*heap-buffer-overflow.*\n(.*\n)*.*WritePastMacroArray.*divergence_test.cc");
  EXPECT_DEATH(simt::launch(WritePastDynamic, 2, 1, 40, nullptr, 10),
               "in block \\(0,0,0\\) of grid \\(2,1,1\\), thread "
               "(.*\n)*.*heap-buffer-overflow.*\n(.*\n)*.*WritePastDynamic.*divergence_test.cc");
}
TEST_F(SimtDeath, AddressSanitizerSeesStackOverflow) {
  int depth = 0;
  EXPECT_DEATH(simt::launch(RecurseOnce, 1, 1, 0, nullptr, &depth, 1 << 30), "stack-overflow");
}
#else
TEST_F(SimtDeath, AWritePastASharedArrayIsReportedWhenTheBlockEnds) {
  for (int index : {10, 20}) {
    EXPECT_DEATH(simt::launch(WritePastMacroArray, 2, 1, 0, nullptr, index),
                 "a write past the end of shared array 'first' \\(40 bytes\\)\n"
                 "  declared at .*divergence_test.cc:.*\n  in block \\(0,0,0\\)");
    EXPECT_DEATH(simt::launch(WritePastDynamic, 2, 1, 40, nullptr, index),
                 "a write past the end of shared array '\\(dynamic\\)' \\(40 bytes\\)");
  }
}
TEST_F(SimtDeath, AWriteBeforeASharedArrayIsReportedWhenTheBlockEnds) {
  for (int index : {-1, -16}) {
    EXPECT_DEATH(simt::launch(WritePastMacroArray, 2, 1, 0, nullptr, index),
                 "a write before the start of shared array 'first' \\(40 bytes\\)\n");
    EXPECT_DEATH(simt::launch(WritePastDynamic, 2, 1, 40, nullptr, index),
                 "a write before the start of shared array '\\(dynamic\\)' \\(40 bytes\\)");
  }
}
TEST_F(SimtDeath, StackOverflowHitsTheGuard) {
  int depth = 0;
  constexpr int kDeep = 190;  // about 100 KiB: past the stack, not past the guard
  EXPECT_EXIT(simt::launch(RecurseOnce, 1, 1, 0, nullptr, &depth, kDeep),
              testing::KilledBySignal(SIGSEGV), "");
}
#endif

TEST_F(SimtDeath, TooMuchSharedMemory) {
  ASSERT_EQ(simt::AllowDynamicShared(TooMuchShared, 200 << 10), cudaSuccess);
  char out = 0;
  EXPECT_DEATH(simt::launch(TooMuchShared, 1, 1, 200 << 10, nullptr, &out),
               "more than 227 KiB of shared memory");
}

__global__ void LaunchesAKernel() { simt::launch(DifferentBarriers, 1, 1, 0, nullptr); }

TEST_F(SimtDeath, ALaunchInsideAKernel) {
  EXPECT_DEATH(simt::launch(LaunchesAKernel, 1, 1, 0, nullptr), "from inside a kernel");
}

}  // namespace
}  // namespace padproof
