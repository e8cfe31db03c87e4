// Kernels on the host against plain loops: indices, shared memory and its fill, a whole attention
// kernel; launch limits. Schedules and divergence errors: divergence_test.cc.

#include "harness/simt/simt.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/attention_test_kernel.h"
#include "harness/simt/launch_test_util.h"

namespace padproof {
namespace {

// ---- indices and launches -----------------------------------------------------------------------

__global__ void WriteIndices(int* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  out[block * threads + thread] +=
      static_cast<int>(threadIdx.x + 10 * threadIdx.y + 100 * threadIdx.z + 1000 * blockIdx.x +
                       10000 * blockIdx.y + 100000 * blockIdx.z);
}

TEST(Simt, EveryThreadRunsOnceWithItsIndices) {
  std::vector<int> out(3 * 2 * 2 * 5 * 3 * 2), expected;
  for (int bz = 0; bz < 2; bz++)
    for (int by = 0; by < 2; by++)
      for (int bx = 0; bx < 3; bx++)
        for (int z = 0; z < 2; z++)
          for (int y = 0; y < 3; y++)
            for (int x = 0; x < 5; x++)
              expected.push_back(x + 10 * y + 100 * z + 1000 * bx + 10000 * by + 100000 * bz);
  EXPECT_LAUNCHES(WriteIndices, dim3(3, 2, 2), dim3(5, 3, 2), 0, nullptr, out.data());
  EXPECT_EQ(out, expected);
}

struct ByValue {
  int a;
  double b[3];
};
__global__ void TakesArguments(ByValue s, float f, const int* p, double* out) {
  *out = s.a + s.b[2] + f + *p;
}

TEST(Simt, ArgumentsConvertAsInACall) {
  const int p = 8;
  double out = 0;
  EXPECT_LAUNCHES(TakesArguments, 1, 1, 0, nullptr, ByValue{1, {0, 0, 2}}, 4, &p, &out);
  EXPECT_EQ(out, 15.0);
}

// ---- shared memory ------------------------------------------------------------------------------

template <int N>
__global__ void ReverseThroughAllKindsOfSharedMemory(int* data) {
  __shared__ int raw[N];
  SIMT_SHARED(matrix, int[N / 4][4]);
  SIMT_SHARED(scalar, int);
  SIMT_DYNAMIC_SHARED(int, dynamic);
  const int i = threadIdx.x;
  raw[i] = data[i];
  if (i == 0) scalar = 1000;
  __syncthreads();
  matrix[i / 4][i % 4] = raw[N - 1 - i] + scalar;
  __syncthreads();
  dynamic[i] = matrix[(N - 1 - i) / 4][(N - 1 - i) % 4];
  __syncthreads();
  data[i] = dynamic[N - 1 - i];
}

TEST(Simt, SharedMemoryOfEveryKindIsSharedByTheBlock) {
  std::vector<int> data(256), expected(256);
  for (int i = 0; i < 256; i++) {
    data[i] = i * i;
    expected[i] = (255 - i) * (255 - i) + 1000;
  }
  EXPECT_LAUNCHES(ReverseThroughAllKindsOfSharedMemory<256>, 1, 256, 256 * sizeof(int), nullptr,
                  data.data());
  EXPECT_EQ(data, expected);
}

template <int N>
__device__ unsigned* RawSharedOfTemplate() {
  __shared__ unsigned array[N];
  return array;
}

constexpr int kArrays = 4;
__global__ void ReadFreshShared(unsigned* out) {
  SIMT_SHARED(array, unsigned[4]);
  SIMT_DYNAMIC_SHARED(unsigned, dynamic);
  __shared__ unsigned raw[4];
  unsigned* const arrays[kArrays] = {array, dynamic, raw, RawSharedOfTemplate<4>()};
  out += (blockIdx.x * blockDim.x + threadIdx.x) * kArrays;
  for (int i = 0; i < kArrays; i++) out[i] = arrays[i][threadIdx.x];
  __syncthreads();
  for (unsigned* a : arrays) a[threadIdx.x] = 7;
}

TEST(Simt, FreshSharedMemoryIsPoisonedInEveryBlock) {
  std::vector<unsigned> out(3 * 4 * kArrays);
  EXPECT_LAUNCHES(ReadFreshShared, 3, 4, 16, nullptr, out.data());
  EXPECT_EQ(out, std::vector<unsigned>(out.size(), 0xffffffffu));
  simt::CurrentOptions().fill = 0x7e;
  EXPECT_LAUNCHES(ReadFreshShared, 3, 4, 16, nullptr, out.data());
  simt::CurrentOptions() = {};
  EXPECT_EQ(out, std::vector<unsigned>(out.size(), 0x7e7e7e7eu));
}

__device__ unsigned blocks_until_now = 0;
__global__ void CountBlocks(unsigned* out) {
  static unsigned blocks_here = 0;
  out[2 * blockIdx.x] = ++blocks_until_now;
  out[2 * blockIdx.x + 1] = ++blocks_here;
}

TEST(Simt, DeviceVariablesLastFromBlockToBlock) {
  std::vector<unsigned> out(6);
  EXPECT_LAUNCHES(CountBlocks, 3, 1, 0, nullptr, out.data());
  EXPECT_EQ(out, (std::vector<unsigned>{1, 1, 2, 2, 3, 3}));
}

TEST(Simt, TheDefaultFillIsNanInEveryDtype) {
  EXPECT_TRUE(std::isnan(__half2float(__ushort_as_half(0xffff))));
  EXPECT_TRUE(std::isnan(__bfloat162float(__ushort_as_bfloat16(0xffff))));
  EXPECT_TRUE(std::isnan(__uint_as_float(0xffffffffu)));
  EXPECT_TRUE(std::isnan(__longlong_as_double(-1)));
}

__global__ void UsesAlignment(unsigned* misaligned) {
  SIMT_SHARED(byte, char);
  SIMT_SHARED(vector, float4[2]);
  SIMT_DYNAMIC_SHARED(float4, dynamic);
  byte = 0;
  *misaligned = (reinterpret_cast<uintptr_t>(vector) | reinterpret_cast<uintptr_t>(dynamic)) % 16;
}

TEST(Simt, SharedMemoryIsAligned) {
  unsigned misaligned = 99;
  EXPECT_LAUNCHES(UsesAlignment, 1, 1, 32, nullptr, &misaligned);
  EXPECT_EQ(misaligned, 0u);
}

// ---- a whole kernel -----------------------------------------------------------------------------

template <class T, int D>
void AttentionMatchesLoops(int seqlen_q, int seqlen_k, int real_k, double tolerance) {
  constexpr int kHeads = 2;
  Random random(seqlen_q * 1000 + real_k);
  std::vector<T> q(kHeads * seqlen_q * D), k(kHeads * seqlen_k * D), v(k), o(q);
  for (auto* tensor : {&q, &k, &v}) {
    for (T& x : *tensor) x = static_cast<T>(static_cast<float>(random.Between(-128, 128)) / 128);
  }
  const float scale = 0.25f;
  const simt_test::AttentionTensors<T> t{q.data(), k.data(), v.data(), o.data(), kHeads,
                                         seqlen_q, seqlen_k, real_k,   scale};
  std::vector<T> first;
  for (Order order : {Order::forward, Order::reverse, Order::random}) {
    simt::ApplySchedule(order, 11);
    std::memset(o.data(), 0xff, o.size() * sizeof(T));
    ASSERT_EQ((simt_test::Attention<T, D>(t)), cudaSuccess);
    if (first.empty()) first = o;
    ASSERT_EQ(std::memcmp(first.data(), o.data(), o.size() * sizeof(T)), 0);
  }
  simt::CurrentOptions() = {};
  const auto at = [&](const std::vector<T>& x, int seqlen, int h, int i, int d) {
    return static_cast<double>(static_cast<float>(x[(h * seqlen + i) * D + d]));
  };
  for (int h = 0; h < kHeads; h++) {
    for (int i = 0; i < seqlen_q; i++) {
      std::vector<double> p(real_k), expected(D);
      double sum = 0;
      for (int j = 0; j < real_k; j++) {
        double score = 0;
        for (int d = 0; d < D; d++) score += at(q, seqlen_q, h, i, d) * at(k, seqlen_k, h, j, d);
        sum += p[j] = std::exp(score * scale);
      }
      for (int d = 0; d < D; d++) {
        for (int j = 0; j < real_k; j++) expected[d] += p[j] / sum * at(v, seqlen_k, h, j, d);
        ASSERT_NEAR(at(o, seqlen_q, h, i, d), expected[d], tolerance) << h << " " << i << " " << d;
      }
    }
  }
}

// |v| <= 1 bounds every output by 1; the tolerances are 2^-18 for about 100 fp32 roundings, plus
// half an ulp at 1 of the storage type.
TEST(Simt, AWholeAttentionKernelMatchesLoopsInEveryOrder) {
  AttentionMatchesLoops<float, 32>(17, 40, 33, 0x1p-18);
  AttentionMatchesLoops<float, 64>(16, 32, 32, 0x1p-18);
  AttentionMatchesLoops<__half, 32>(33, 70, 65, 0x1p-18 + 0x1p-11);
  AttentionMatchesLoops<__nv_bfloat16, 32>(5, 3, 1, 0x1p-18 + 0x1p-8);
}

// ---- limits -------------------------------------------------------------------------------------

__global__ void Nothing() {}
__global__ void AlsoNothing() {}

cudaError_t TryLaunch(dim3 grid, dim3 block, size_t bytes = 0) {
  return simt::launch(Nothing, grid, block, bytes, nullptr);
}

TEST(Simt, LaunchesBeyondTheLimitsAreRefused) {
  EXPECT_EQ(TryLaunch(1, 1024), cudaSuccess);
  EXPECT_EQ(TryLaunch(1, dim3(16, 1, 64)), cudaSuccess);
  for (const dim3& block : {dim3(1025), dim3(32, 33), dim3(0), dim3(1, 0), dim3(1, 1, 0),
                            dim3(1, 1, 65), dim3(0x10000, 0x10000), dim3(0x80000000u, 2)}) {
    EXPECT_EQ(TryLaunch(1, block), cudaErrorInvalidConfiguration);
  }
  for (const dim3& grid : {dim3(0), dim3(1, 0), dim3(1, 1, 0), dim3(1, 0x10000),
                           dim3(1, 1, 0x10000), dim3(0x80000000u)}) {
    EXPECT_EQ(TryLaunch(grid, 1), cudaErrorInvalidConfiguration);
  }
  EXPECT_STREQ(simt::ErrorText(cudaErrorInvalidConfiguration), "invalid configuration argument");
}

TEST(Simt, LargeDynamicSharedMemoryNeedsPermission) {
  EXPECT_EQ(TryLaunch(1, 1, 48 << 10), cudaSuccess);
  EXPECT_EQ(TryLaunch(1, 1, (48 << 10) + 1), cudaErrorInvalidValue);
  EXPECT_EQ(simt::AllowDynamicShared(Nothing, (227 << 10) + 1), cudaErrorInvalidValue);
  EXPECT_EQ(simt::AllowDynamicShared(Nothing, 227 << 10), cudaSuccess);
  EXPECT_EQ(TryLaunch(1, 1, 227 << 10), cudaSuccess);
  EXPECT_EQ(TryLaunch(1, 1, (227 << 10) + 1), cudaErrorInvalidValue);
  EXPECT_EQ(simt::launch(AlsoNothing, 1, 1, 100 << 10, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(simt::AllowDynamicShared(Nothing, 48 << 10), cudaSuccess);
}

TEST(Simt, LaunchesFromSeveralOsThreadsTakeTurns) {
  constexpr int kLaunches = 1000;  // even: each launch reverses the data
  std::vector<int> data[3];
  std::vector<std::thread> threads;
  for (auto& d : data) {
    d.resize(256);
    std::iota(d.begin(), d.end(), 0);
    threads.emplace_back([&d] {
      for (int n = 0; n < kLaunches; n++) {
        simt::launch(ReverseThroughAllKindsOfSharedMemory<256>, 1, 256, 1024, nullptr, d.data());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& d : data) {
    for (int i = 0; i < 256; i++) ASSERT_EQ(d[i], i + kLaunches * 1000);
  }
}

}  // namespace
}  // namespace padproof
