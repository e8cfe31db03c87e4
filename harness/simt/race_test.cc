// Kernels with and without a data race, and what is reported of them. Only in builds whose kernels
// call the race checker: SIMT_RACE defined, this file compiled with -fsanitize=thread, not linked
// with it.

#if defined(SIMT_RACE)

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "harness/simt/attention_test_kernel.h"
#include "harness/simt/launch_test_util.h"
#include "harness/simt/race_test_kernels.h"
#include "harness/simt/runtime/race_interface.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

// ---- running them -------------------------------------------------------------------------------

using Kernel = void (*)(Buffers);

struct Outcome {
  uint64_t races;
  std::string text;
};

Outcome RunOnce(Kernel kernel, Order order, uint32_t preempt_every) {
  std::vector<int> out(4096), in(kThreads, 3);
  std::vector<__half> half(kThreads);
  std::vector<unsigned char> mask(kThreads);
  std::vector<unsigned> counter(16);
  simt::Options& options = simt::CurrentOptions();
  options = {.order = order, .seed = 5, .preempt_every = preempt_every};
  options.exited_threads_may_miss_barriers = true;
  options.race_aborts = false;
  const uint64_t before = simt::race::Races();
  testing::internal::CaptureStderr();
  EXPECT_EQ(simt::launch(kernel, 4, kThreads, 1024, nullptr,
                         Buffers{out.data(), in.data(), half.data(), mask.data(), counter.data()}),
            cudaSuccess);
  std::string text = testing::internal::GetCapturedStderr();
  options = {};
  return {simt::race::Races() - before, std::move(text)};
}

struct Pair {
  const char* name;
  Kernel right, wrong;
  const char* expected;  // in the report of the wrong one
};

#define PAIR(kernel, expected) \
  Pair { #kernel, kernel<true>, kernel<false>, expected }

const Pair kPairs[] = {
    PAIR(Broadcast, "shared array 'value', byte 0: no barrier between"),
    PAIR(TileReusedTooEarly, "shared array 'tile', byte "),
    PAIR(DoubleBuffered, "shared array 'tiles', byte "),
    PAIR(WarpExchange, "only a shuffle or vote between"),
    PAIR(PartialSyncWarp, "no barrier between"),
    PAIR(ShuffleReduction, "no barrier between"),
    PAIR(Count, "shared array 'count', byte 0: no barrier between"),
    PAIR(ReadsWhatAtomicsCount, "race (atomic/plain)"),
    PAIR(SameValueByAll, "race (write/write)"),
    PAIR(BlocksMeetInGlobalMemory, "different blocks, no __threadfence and atomic between"),
    PAIR(HalvesOfWords, "no barrier between"),
    PAIR(BytesOfWords, "race (write/write)"),
    PAIR(Aggregates, "shared array 'rows', byte "),
    PAIR(VectorLoads, "shared array 'tile', byte "),
    PAIR(MaximumByCas, "race (atomic/plain)"),
    PAIR(LeavesEarly, "shared array 'tile', byte "),
    Pair{"all fence, then one counts", SumByLastBlock<By::all_fence>, SumByLastBlock<By::no_fence>,
         "different blocks, no __threadfence and atomic between"},
    Pair{"one fences and counts", SumByLastBlock<By::one_fences>,
         SumByLastBlock<By::no_second_barrier>, "shared array 'last', byte 0: no barrier between"},
    Pair{"all count", SumByLastBlock<By::all_count>, SumByLastBlock<By::no_fence>,
         "different blocks"},
};

TEST(Race, RightKernelsAreLeftAlone) {
  for (const Pair& pair : kPairs) {
    for (Order order : kOrders) {
      for (uint32_t preempt_every : {0u, 1u, 3u}) {
        const Outcome outcome = RunOnce(pair.right, order, preempt_every);
        EXPECT_EQ(outcome.races, 0u) << pair.name << "\n" << outcome.text;
      }
    }
  }
}

TEST(Race, EveryRaceIsFoundInEveryOrder) {
  for (const Pair& pair : kPairs) {
    for (Order order : kOrders) {
      for (uint32_t preempt_every : {0u, 3u}) {
        const Outcome outcome = RunOnce(pair.wrong, order, preempt_every);
        EXPECT_GT(outcome.races, 0u) << pair.name;
        EXPECT_NE(outcome.text.find(pair.expected), std::string::npos) << pair.name << "\n"
                                                                       << outcome.text;
      }
    }
  }
}

// ---- the report ---------------------------------------------------------------------------------

constexpr unsigned kWriteLine = __LINE__ + 6;
constexpr unsigned kReadLine = __LINE__ + 9;
constexpr unsigned kAtomicLine = __LINE__ + 6;
__global__ void RacesAtKnownLines(int* out, int what) {
  SIMT_SHARED(tile, int[8]);
  if (threadIdx.y == 1 && threadIdx.x == 2) {
    tile[5] = 1;
    out[0] = tile[4];  // nobody writes it
    if (what == 1) atomicAdd(&out[1], 1);
  } else if (threadIdx.x == 0 && threadIdx.y == 0 && what == 0) {
    out[1] = tile[5];
  } else if (threadIdx.x == 0 && threadIdx.y == 0) {
    out[1] = 7;
  }
}

std::string At(unsigned line) { return "race_test.cc:" + std::to_string(line) + "\n"; }

std::string ReportOf(int what) {
  std::vector<int> out(2);
  simt::CurrentOptions().order = Order::reverse;
  simt::CurrentOptions().race_aborts = false;
  testing::internal::CaptureStderr();
  EXPECT_EQ(simt::launch(RacesAtKnownLines, 1, dim3(4, 2), 0, nullptr, out.data(), what),
            cudaSuccess);
  simt::CurrentOptions() = {};
  return testing::internal::GetCapturedStderr();
}

TEST(Race, AReportNamesBothLinesThreadsAndTheArray) {
  const std::string text = ReportOf(0);
  const auto contains = [&](const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nin\n" << text;
  };
  contains("race (write/read) on shared array 'tile', byte 20: no barrier between\n");
  contains("  thread (2,1,0) of block (0,0,0) writes at ");
  contains(At(kWriteLine));
  contains("  thread (0,0,0) of block (0,0,0) reads at ");
  contains(At(kReadLine));
  contains("schedule reverse");
}

TEST(Race, AnAtomicIsReportedAtTheKernelsLine) {
  const std::string text = ReportOf(1);
  EXPECT_NE(text.find("does an atomic at "), std::string::npos) << text;
  EXPECT_NE(text.find(At(kAtomicLine)), std::string::npos) << text;
}

__global__ void RacesOnEveryKindOfMemory(int* out) {
  __shared__ int raw[8];
  SIMT_DYNAMIC_SHARED(int, dynamic);
  raw[3] = dynamic[4] = out[5] = static_cast<int>(threadIdx.x);
}

TEST(Race, AReportNamesMemoryOfEveryKind) {
  void* out = nullptr;
  ASSERT_EQ(cudaMalloc(&out, 32), cudaSuccess);
  simt::CurrentOptions().race_aborts = false;
  testing::internal::CaptureStderr();
  EXPECT_LAUNCHES(RacesOnEveryKindOfMemory, 1, 2, 32, nullptr, static_cast<int*>(out));
  const std::string text = testing::internal::GetCapturedStderr();
  simt::CurrentOptions() = {};
  EXPECT_EQ(cudaFree(out), cudaSuccess);
  for (const char* part :
       {"on shared array 'raw', byte 12:", "on shared array '(dynamic)', byte 16:",
        "on memory of cudaMalloc at ", ", byte 20:"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nin\n" << text;
  }
}

TEST(Race, ARaceAbortsUnlessToldOtherwise) {
  std::vector<int> out(2);
  EXPECT_DEATH(simt::launch(RacesAtKnownLines, 1, dim3(4, 2), 0, nullptr, out.data(), 0),
               "race \\(.*'tile', byte 20.*race_test.cc:");
}

// ---- whole kernels ------------------------------------------------------------------------------

template <class T>
uint64_t RacesOfAttention(Order order, int preempt_every) {
  constexpr int kHeads = 2, kQ = 40, kK = 64, kD = 32;
  std::vector<T> q(kHeads * kQ * kD), k(kHeads * kK * kD), v(k), o(q);
  simt::ApplySchedule(order, 3, static_cast<uint32_t>(preempt_every));
  simt::CurrentOptions().race_aborts = false;
  const uint64_t before = simt::race::Races();
  EXPECT_EQ((simt_test::Attention<T, kD>(
                {q.data(), k.data(), v.data(), o.data(), kHeads, kQ, kK, 50, 0.2f})),
            cudaSuccess);
  simt::CurrentOptions() = {};
  return simt::race::Races() - before;
}

TEST(Race, AttentionIsLeftAlone) {
  for (Order order : kOrders) {
    EXPECT_EQ(RacesOfAttention<float>(order, 0), 0u);
    EXPECT_EQ(RacesOfAttention<__half>(order, 50), 0u);
  }
  EXPECT_EQ(simt::race::UnwatchedAccesses(), 0u);
}

__attribute__((noinline)) void Accumulate(int* sums, int value) {
  for (int i = 0; i < 8; i++) sums[i] += value * i;
}

// Its variables are in memory, the same for every block, wherever a sanitizer puts them.
__global__ void UsesLocalArrays(int* out) {
  int sums[8] = {};
  for (int round = 0; round < 3; round++) {
    Accumulate(sums, round);
    __syncthreads();
  }
  out[blockIdx.x * kThreads + threadIdx.x] = sums[threadIdx.x % 8];
}

TEST(Race, VariablesOfAThreadAreLeftAlone) {
  for (uint32_t preempt_every : {0u, 2u}) {
    std::vector<int> out(8 * kThreads);
    simt::ApplySchedule(Order::random, 7, preempt_every);
    EXPECT_EQ(simt::launch(UsesLocalArrays, 8, kThreads, 0, nullptr, out.data()), cudaSuccess);
    simt::CurrentOptions() = {};
    for (int i = 0; i < 8 * kThreads; i++) ASSERT_EQ(out[i], 3 * (i % 8));
  }
}

// What needs a switch between two collectives to show: a lost update.
__global__ void LosesUpdates(int* counter) { *counter = *counter + 1; }

TEST(Race, PreemptionLosesUpdates) {
  const auto count = [](uint32_t preempt_every) {
    simt::CurrentOptions().race_aborts = false;
    simt::CurrentOptions().preempt_every = preempt_every;
    int counter = 0;
    testing::internal::CaptureStderr();
    EXPECT_EQ(simt::launch(LosesUpdates, 1, kThreads, 0, nullptr, &counter), cudaSuccess);
    testing::internal::GetCapturedStderr();
    simt::CurrentOptions() = {};
    return counter;
  };
  EXPECT_EQ(count(0), kThreads);
  EXPECT_LT(count(2), kThreads);
}

}  // namespace
}  // namespace padproof

#endif
