// Asynchronous copies of the SIMT layer: right kernels give right results in every schedule, and
// each misuse that a device may or may not show is shown.

#include "harness/simt/pipeline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "harness/simt/launch_test_util.h"

namespace padproof {
namespace {

constexpr int kThreads = 64;
constexpr int kTiles = 5;

/// Calls function(order, seed) for both fixed orders and for `seeds` random ones.
template <class Function>
void ForEachSchedule(uint32_t seeds, Function function) {
  for (Order order : kOrders) {
    for (uint32_t seed = 0; seed < (order == Order::random ? seeds : 1); seed++) {
      SCOPED_TRACE(testing::Message() << "order " << static_cast<int>(order) << " seed " << seed);
      const Scheduled scheduled(order, seed);
      function(order, seed);
    }
  }
}

struct alignas(16) Vector {
  float x[4];
};

// ---- a pipeline of two tiles --------------------------------------------------------------------

/// out[thread] = the sum of what its neighbour copied. kKeep is 1 in a right kernel.
template <int kKeep>
__global__ void SumTiles(const Vector* in, float* out) {
  SIMT_SHARED(tile, Vector[2][kThreads]);
  const int t = threadIdx.x;
  float sum = 0.0f;
  __pipeline_memcpy_async(&tile[0][t], in + t, sizeof(Vector));
  __pipeline_commit();
  for (int k = 0; k < kTiles; k++) {
    if (k + 1 < kTiles) {
      __pipeline_memcpy_async(&tile[(k + 1) % 2][t], in + (k + 1) * kThreads + t, sizeof(Vector));
    }
    __pipeline_commit();
    __pipeline_wait_prior(kKeep);
    __syncthreads();
    const Vector& v = tile[k % 2][(t + 1) % kThreads];
    sum += v.x[0] + v.x[1] + v.x[2] + v.x[3];
    __syncthreads();
  }
  out[blockIdx.x * kThreads + t] = sum;
}

std::vector<Vector> TilesOfIntegers() {
  std::vector<Vector> in(kTiles * kThreads);
  for (size_t i = 0; i < in.size(); i++) {
    const float f = static_cast<float>(i);
    in[i] = {{f, f + 1, f + 2, f + 3}};
  }
  return in;
}

TEST(SimtPipeline, ARightKernelIsRightInEverySchedule) {
  const std::vector<Vector> in = TilesOfIntegers();
  for (const auto kernel : {SumTiles<1>, SumTiles<0>}) {
    ForEachSchedule(20, [&](Order, uint32_t) {
      std::vector<float> out(3 * kThreads);
      ASSERT_EQ(simt::launch(kernel, 3, kThreads, 0, nullptr, in.data(), out.data()), cudaSuccess);
      for (int t = 0; t < 3 * kThreads; t++) {
        float expected = 0.0f;
        for (int k = 0; k < kTiles; k++) {
          expected += static_cast<float>(4 * (k * kThreads + (t + 1) % kThreads) + 6);
        }
        ASSERT_EQ(out[t], expected) << t;
      }
    });
  }
}

TEST(SimtPipeline, ATooWeakWaitShowsInEverySchedule) {
  const std::vector<Vector> in = TilesOfIntegers();
  for (const auto kernel : {SumTiles<2>, SumTiles<9>}) {
    ForEachSchedule(20, [&](Order order, uint32_t) {
      std::vector<float> out(kThreads);
      ASSERT_EQ(simt::launch(kernel, 1, kThreads, 0, nullptr, in.data(), out.data()), cudaSuccess);
      int wrong = 0;
      for (float f : out) wrong += std::isnan(f);
      EXPECT_GT(wrong, 0);
      EXPECT_TRUE(wrong == kThreads || order == Order::random) << wrong;
    });
  }
}

// ---- misuse of source and destination -----------------------------------------------------------

enum class Misuse {
  none,
  no_wait,
  wait_without_commit,
  read_before_wait,
  overwrite_source,
  overwrite_destination,
};

template <Misuse kMisuse>
__global__ void CopyOne(float* in, float* out) {
  SIMT_SHARED(tile, float[kThreads]);
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&tile[t], in + t, sizeof(float));
  if constexpr (kMisuse == Misuse::overwrite_source) in[t] = -1.0f;
  if constexpr (kMisuse == Misuse::overwrite_destination) tile[t] = -1.0f;
  if constexpr (kMisuse == Misuse::read_before_wait) out[t] = tile[t];
  if constexpr (kMisuse != Misuse::wait_without_commit) __pipeline_commit();
  if constexpr (kMisuse != Misuse::no_wait) __pipeline_wait_prior(0);
  if constexpr (kMisuse != Misuse::read_before_wait) out[t] = tile[t];
}

struct Copied {
  int right = 0, nan = 0, overwritten = 0;
};

template <Misuse kMisuse>
Copied RunCopyOne() {
  std::vector<float> in(kThreads), out(kThreads);
  std::iota(in.begin(), in.end(), 1.0f);
  EXPECT_EQ(simt::launch(CopyOne<kMisuse>, 1, kThreads, 0, nullptr, in.data(), out.data()),
            cudaSuccess);
  Copied copied;
  for (int t = 0; t < kThreads; t++) {
    copied.right += out[t] == static_cast<float>(t + 1);
    copied.nan += std::isnan(out[t]);
    copied.overwritten += out[t] == -1.0f;
  }
  EXPECT_EQ(copied.right + copied.nan + copied.overwritten, kThreads);
  return copied;
}

TEST(SimtPipeline, ACopyThatNobodyWaitsForIsNotThere) {
  ForEachSchedule(10, [](Order order, uint32_t) {
    EXPECT_EQ(RunCopyOne<Misuse::none>().right, kThreads);
    for (const Copied& copied :
         {RunCopyOne<Misuse::no_wait>(), RunCopyOne<Misuse::wait_without_commit>(),
          RunCopyOne<Misuse::read_before_wait>()}) {
      EXPECT_GT(copied.nan, 0);
      // Copies may land early in random order alone, and not all do.
      EXPECT_EQ(copied.right > 0, order == Order::random);
    }
  });
}

/// out = what a place holds after a copy to it was issued: not what it held before.
__global__ void ReuseDestination(const float* in, float* out) {
  SIMT_SHARED(tile, float[kThreads]);
  const int t = threadIdx.x;
  tile[t] = -1.0f;
  __pipeline_memcpy_async(&tile[t], in, sizeof(float));
  out[t] = tile[t];
}

TEST(SimtPipeline, WhatADestinationHeldIsGoneAtIssue) {
  ForEachSchedule(10, [](Order order, uint32_t) {
    const float in = 1.0f;
    std::vector<float> out(kThreads);
    ASSERT_EQ(simt::launch(ReuseDestination, 1, kThreads, 0, nullptr, &in, out.data()),
              cudaSuccess);
    for (float f : out) {
      EXPECT_TRUE(std::isnan(f) || (f == in && order == Order::random)) << f;
    }
  });
}

TEST(SimtPipeline, OverwritingTheSourceTooEarlyShows) {
  ForEachSchedule(10, [](Order order, uint32_t) {
    const Copied copied = RunCopyOne<Misuse::overwrite_source>();
    EXPECT_GT(copied.overwritten, 0);
    EXPECT_EQ(copied.right > 0, order == Order::random);
  });
}

TEST(SimtPipeline, OverwritingTheDestinationTooEarlyShows) {
  ForEachSchedule(10, [](Order order, uint32_t) {
    const Copied copied = RunCopyOne<Misuse::overwrite_destination>();
    EXPECT_GT(copied.right, 0);
    EXPECT_EQ(copied.overwritten > 0, order == Order::random);
  });
}

TEST(SimtPipeline, WhenCopiesLandIsAFunctionOfTheSeed) {
  const auto run = [](uint32_t seed) {
    const Scheduled scheduled(Order::random, seed);
    std::vector<float> in(kThreads, 1.0f), out(kThreads);
    EXPECT_EQ(
        simt::launch(CopyOne<Misuse::no_wait>, 1, kThreads, 0, nullptr, in.data(), out.data()),
        cudaSuccess);
    std::vector<bool> landed;
    for (float f : out) landed.push_back(!std::isnan(f));
    return landed;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

// ---- between issue and wait ---------------------------------------------------------------------

/// seen[i] counts the threads whose copy had landed after i more calls.
__global__ void LandingTimes(const int* in, int* seen) {
  SIMT_SHARED(tile, int[32 * 8]);
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&tile[t], in, sizeof(int));
  for (int call = 0; call < 8; call++) {
    if (tile[t] == *in) atomicAdd(&seen[call], 1);
    __pipeline_commit();
  }
  __pipeline_wait_prior(8);
  if (tile[t] == *in) atomicAdd(&seen[8], 1);
  __pipeline_wait_prior(7);
  if (tile[t] == *in) atomicAdd(&seen[9], 1);
}

TEST(SimtPipeline, InRandomOrderCopiesLandAtAnyTime) {
  const Scheduled scheduled(Order::random, 5);
  constexpr int kCopies = 256;
  const int in = 12345;
  std::vector<int> seen(10);
  ASSERT_EQ(simt::launch(LandingTimes, 1, kCopies, 0, nullptr, &in, seen.data()), cudaSuccess);
  EXPECT_GT(seen[0], kCopies / 8);  // at issue
  for (int call = 1; call <= 4; call++) EXPECT_GT(seen[call], seen[call - 1]) << call;
  for (int call = 5; call <= 8; call++) EXPECT_EQ(seen[call], seen[4]) << call;
  EXPECT_LT(seen[8], 3 * kCopies / 4);
  EXPECT_EQ(seen[9], kCopies);
}

// ---- sizes, zeros, many copies, blocks ----------------------------------------------------------

template <int kSize>
__global__ void CopyWithZeros(const unsigned char* in, unsigned char* out) {
  SIMT_SHARED(tile, Vector[17]);
  auto* bytes = reinterpret_cast<unsigned char*>(&tile[threadIdx.x]);
  __pipeline_memcpy_async(bytes, in, kSize, threadIdx.x);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  for (int i = 0; i < 16; i++) out[threadIdx.x * 16 + i] = bytes[i];
}

template <int kSize>
void CheckZeros() {
  ForEachSchedule(6, [](Order, uint32_t) {
    // A source of exactly what is read: AddressSanitizer watches its end.
    alignas(16) unsigned char in[16];
    for (int i = 0; i < 16; i++) in[i] = static_cast<unsigned char>(i + 1);
    std::vector<unsigned char> out((kSize + 1) * 16);
    ASSERT_EQ(simt::launch(CopyWithZeros<kSize>, 1, kSize + 1, 0, nullptr,
                           static_cast<const unsigned char*>(in), out.data()),
              cudaSuccess);
    for (int zeros = 0; zeros <= kSize; zeros++) {
      for (int i = 0; i < 16; i++) {
        const int expected = i >= kSize ? 0xFF : i < kSize - zeros ? i + 1 : 0;
        ASSERT_EQ(out[zeros * 16 + i], expected) << zeros << " " << i;
      }
    }
  });
}

TEST(SimtPipeline, SizesAndZeros) {
  CheckZeros<4>();
  CheckZeros<8>();
  CheckZeros<16>();
}

/// Two groups of `count` copies each; the second is left under way when the block ends.
__global__ void CopyMany(const int* in, int* out, int count) {
  SIMT_DYNAMIC_SHARED(int, tile);
  for (int i = 0; i < 2 * count; i++) {
    __pipeline_memcpy_async(tile + i, in + i, sizeof(int));
    if (i == count - 1) __pipeline_commit();
  }
  __pipeline_commit();
  __pipeline_wait_prior(1);
  for (int i = 0; i < 2 * count; i++) out[blockIdx.x * 2 * count + i] = tile[i];
}

TEST(SimtPipeline, GroupsOfManyCopiesAndWhatABlockLeavesBehind) {
  std::vector<int> in(400);
  std::iota(in.begin(), in.end(), 1);
  for (const int count : {1, 7, 16, 17, 200}) {
    std::vector<int> out(4 * 2 * count);
    ASSERT_EQ(simt::launch(CopyMany, 4, 1, 2 * count * sizeof(int), nullptr, in.data(), out.data(),
                           count),
              cudaSuccess);
    for (size_t i = 0; i < out.size(); i++) {
      const int copy = static_cast<int>(i) % (2 * count);
      ASSERT_EQ(out[i], copy < count ? in[copy] : -1) << count << " " << i;
    }
  }
}

/// Twelve groups of one copy; out[i] = how many have landed after a wait for all but `i`.
__global__ void WaitForAllBut(const int* in, int* out) {
  SIMT_SHARED(tile, int[12]);
  for (int i = 0; i < 12; i++) {
    __pipeline_memcpy_async(&tile[i], in, sizeof(int));
    __pipeline_commit();
  }
  for (int keep = 12; keep >= 0; keep--) {
    __pipeline_wait_prior(keep);
    out[keep] = 0;
    for (int i = 0; i < 12; i++) out[keep] += tile[i] == *in;
  }
}

TEST(SimtPipeline, WaitsForAllButTheLatest) {
  const int in = 1;
  std::vector<int> out(13);
  ASSERT_EQ(simt::launch(WaitForAllBut, 1, 1, 0, nullptr, &in, out.data()), cudaSuccess);
  for (int keep = 0; keep <= 8; keep++) EXPECT_EQ(out[keep], 12 - keep);
  for (int keep = 9; keep <= 12; keep++) EXPECT_EQ(out[keep], 4);  // a device knows no more
}

// ---- errors -------------------------------------------------------------------------------------

__global__ void CopyBadly(const char* in, int size, int to, int from, int zeros) {
  SIMT_SHARED(tile, Vector[4]);
  __pipeline_memcpy_async(reinterpret_cast<char*>(tile) + to, in + from, size, zeros);
}

TEST(SimtPipelineDeathTest, MisuseIsReportedWithItsLine) {
  const std::vector<Vector> memory(4);
  const char* in = reinterpret_cast<const char*>(memory.data());
  const auto copy = [in](int size, int to, int from, int zeros) {
    (void)simt::launch(CopyBadly, 1, 1, 0, nullptr, in, size, to, from, zeros);
  };
  EXPECT_DEATH(copy(2, 0, 0, 0), "not 4, 8 or 16 bytes\n  at [^\n]*pipeline_test.cc:[0-9]+");
  EXPECT_DEATH(copy(12, 0, 0, 0), "not 4, 8 or 16 bytes");
  EXPECT_DEATH(copy(16, 8, 0, 0), "not aligned to its size\n  at [^\n]*pipeline_test.cc");
  EXPECT_DEATH(copy(16, 0, 8, 0), "not aligned to its size");
  EXPECT_DEATH(copy(4, 2, 0, 0), "not aligned to its size");
  EXPECT_DEATH(copy(8, 0, 0, 9), "more zeros than bytes\n  at [^\n]*pipeline_test.cc");
  copy(8, 8, 24, 8);
}

}  // namespace
}  // namespace padproof
