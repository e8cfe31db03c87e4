// The CUDA that a kernel may use on the host, each feature against plain loops; launch limits;
// fresh shared memory. Schedules and divergence errors: divergence_test.cc.

#include "harness/simt/simt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/attention_test_kernel.h"

namespace padproof {
namespace {

constexpr unsigned kAll = 0xffffffffu;

#define EXPECT_LAUNCHES(...) EXPECT_EQ(simt::launch(__VA_ARGS__), cudaSuccess)

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

__global__ void ReadFreshShared(unsigned* out) {
  SIMT_SHARED(array, unsigned[4]);
  SIMT_DYNAMIC_SHARED(unsigned, dynamic);
  out[8 * blockIdx.x + threadIdx.x] = array[threadIdx.x];
  out[8 * blockIdx.x + 4 + threadIdx.x] = dynamic[threadIdx.x];
  __syncthreads();
  array[threadIdx.x] = dynamic[threadIdx.x] = 7;
}

TEST(Simt, FreshSharedMemoryIsPoisonedInEveryBlock) {
  std::vector<unsigned> out(3 * 8);
  EXPECT_LAUNCHES(ReadFreshShared, 3, 4, 16, nullptr, out.data());
  EXPECT_EQ(out, std::vector<unsigned>(3 * 8, 0xffffffffu));
  simt::CurrentOptions().fill = 0x7e;
  EXPECT_LAUNCHES(ReadFreshShared, 3, 4, 16, nullptr, out.data());
  simt::CurrentOptions() = {};
  EXPECT_EQ(out, std::vector<unsigned>(3 * 8, 0x7e7e7e7eu));
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

TEST(Simt, BarriersCountAndVote) {
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

enum class Shuffle { idx, up, down, bfly };

/// PTX ISA, shfl.sync: the lane that `lane` reads from.
int SourceByPtx(Shuffle kind, int lane, int b, int width) {
  const int segment_mask = 32 - width;
  const int clamp = kind == Shuffle::up ? 0 : 31;
  b &= 31;
  const int max_lane = (lane & segment_mask) | (clamp & ~segment_mask);
  const int min_lane = lane & segment_mask;
  int j = 0;
  bool valid = false;
  switch (kind) {
    case Shuffle::up:
      j = lane - b, valid = j >= max_lane;
      break;
    case Shuffle::down:
      j = lane + b, valid = j <= max_lane;
      break;
    case Shuffle::bfly:
      j = lane ^ b, valid = j <= max_lane;
      break;
    case Shuffle::idx:
      j = min_lane | (b & ~segment_mask), valid = j <= max_lane;
      break;
  }
  return valid ? j : lane;
}

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
  constexpr Shuffle kKinds[] = {Shuffle::idx, Shuffle::up, Shuffle::down, Shuffle::bfly};
  std::vector<T> in(kThreads), out(4 * kThreads);
  for (int i = 0; i < kThreads; i++) in[i] = Numbered<T>(i);
  for (int width : {1, 2, 4, 8, 16, 32}) {
    for (int b : {0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33}) {
      EXPECT_LAUNCHES(ShuffleAll<T>, 1, kThreads, 0, nullptr, in.data(), out.data(), b, width);
      for (int k = 0; k < 4; k++) {
        for (int i = 0; i < kThreads; i++) {
          const int source = i / 32 * 32 + SourceByPtx(kKinds[k], i % 32, b, width);
          const T& got = out[k * kThreads + i];
          ASSERT_EQ(std::memcmp(&got, &in[source], sizeof(T)), 0)
              << "kind " << k << " lane " << i << " b " << b << " width " << width;
        }
      }
    }
  }
}

TEST(Simt, ShufflesFollowPtxForEveryType) {
  ShufflesFollowPtx<int>();
  ShufflesFollowPtx<unsigned>();
  ShufflesFollowPtx<long long>();
  ShufflesFollowPtx<unsigned long long>();
  ShufflesFollowPtx<float>();
  ShufflesFollowPtx<double>();
  ShufflesFollowPtx<__half>();
  ShufflesFollowPtx<__nv_bfloat16>();
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

TEST(Simt, DisjointMasksOfOneWarpWorkSideBySide) {
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

TEST(Simt, AShuffleFromALaneOutsideTheMaskIsPoison) {
  std::vector<float> out(32, 0.0f);
  EXPECT_LAUNCHES(ShuffleFromAbsentLane, 1, 32, 0, nullptr, out.data());
  for (int i = 0; i < 8; i++) EXPECT_TRUE(std::isnan(out[i]));
  EXPECT_EQ(out[8], 0.0f);
}

__global__ void Vote(const int* predicates, unsigned* ballot, int* any, int* all) {
  const int i = threadIdx.x;
  ballot[i] = __ballot_sync(kAll, predicates[i]);
  any[i] = __any_sync(kAll, predicates[i]);
  all[i] = __all_sync(kAll, predicates[i]);
}

TEST(Simt, Votes) {
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

// ---- atomics, arithmetic ------------------------------------------------------------------------

struct Counters {
  int i = 0, i_max = -1000, i_min = 1000, exchanged = -1, lock = 0;
  unsigned u = 0, u_max = 0, u_min = kAll, bits_or = 0, bits_and = kAll, bits_xor = 0;
  unsigned long long u64 = 0;
  float f = 0, f_max = -1e30f;
  double d = 0;
};

__global__ void UpdateCounters(Counters* c, int* tickets) {
  const int i = threadIdx.x;
  tickets[i] = atomicAdd(&c->i, 1);
  atomicMax(&c->i_max, i - 40);
  atomicMin(&c->i_min, i - 40);
  atomicExch(&c->exchanged, i);
  atomicAdd(&c->u, 3u);
  atomicMax(&c->u_max, static_cast<unsigned>(i));
  atomicMin(&c->u_min, static_cast<unsigned>(i));
  atomicOr(&c->bits_or, 1u << (i % 32));
  atomicAnd(&c->bits_and, ~(1u << (i % 16)));
  atomicXor(&c->bits_xor, 1u << (i % 32));
  atomicAdd(&c->u64, 1ull << 33);
  atomicAdd(&c->f, 0.5f);
  atomicAdd(&c->d, 0.25);
  // The maximum of floats, as kernels write it.
  int seen = __float_as_int(c->f_max), assumed = 0;
  do {
    assumed = seen;
    const float larger = fmaxf(__int_as_float(assumed), static_cast<float>(i));
    seen = atomicCAS(reinterpret_cast<int*>(&c->f_max), assumed, __float_as_int(larger));
  } while (seen != assumed);
}

TEST(Simt, Atomics) {
  Counters c;
  std::vector<int> tickets(100), expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  simt::ApplySchedule(Order::random, 1);
  EXPECT_LAUNCHES(UpdateCounters, 1, 100, 0, nullptr, &c, tickets.data());
  simt::CurrentOptions() = {};
  EXPECT_NE(tickets, expected);
  std::sort(tickets.begin(), tickets.end());
  EXPECT_EQ(tickets, expected);
  EXPECT_EQ(c.i, 100);
  EXPECT_EQ(c.i_max, 59);
  EXPECT_EQ(c.i_min, -40);
  EXPECT_GE(c.exchanged, 0);
  EXPECT_EQ(c.u, 300u);
  EXPECT_EQ(c.u_max, 99u);
  EXPECT_EQ(c.u_min, 0u);
  EXPECT_EQ(c.bits_or, kAll);
  EXPECT_EQ(c.bits_and, 0xffff0000u);
  EXPECT_EQ(c.bits_xor, 0xfffffff0u);  // 100 = 3 * 32 + 4
  EXPECT_EQ(c.u64, 100ull << 33);
  EXPECT_EQ(c.f, 50.0f);
  EXPECT_EQ(c.d, 25.0);
  EXPECT_EQ(c.f_max, 99.0f);
}

__constant__ float constant_table[2] = {2.0f, 3.0f};

__global__ void Arithmetic(const float* x, float* out) {
  int n = 0;
  out[n++] = __expf(*x);
  out[n++] = exp2f(*x);
  out[n++] = __fdividef(*x, 4.0f);
  out[n++] = rsqrtf(16.0f);
  out[n++] = __ldg(x);
  out[n++] = fmaxf(*x, -INFINITY);
  out[n++] = min(7, 3) + max(2u, 5u);
  out[n++] = min(*x, max(0.5f, constant_table[1]));
  out[n++] = __popc(0xf0f0u) + __clz(1) + __ffs(8);
  out[n++] = __fmaf_rn(*x, 2.0f, 1.0f);
  out[n++] = __logf(*x);
}

TEST(Simt, Intrinsics) {
  const float x = 1.5f;
  const std::vector<float> expected = {std::exp(x), std::exp2(x), 0.375f, 0.25f,      x, x, 8.0f,
                                       x,           8 + 31 + 4,   4.0f,   std::log(x)};
  std::vector<float> out(expected.size());
  EXPECT_LAUNCHES(Arithmetic, 1, 1, 0, nullptr, &x, out.data());
  EXPECT_EQ(out, expected);
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
  std::vector<int> data[3];
  std::vector<std::thread> threads;
  for (auto& d : data) {
    d.resize(256);
    std::iota(d.begin(), d.end(), 0);
    threads.emplace_back([&d] {
      for (int n = 0; n < 20; n++) {
        simt::launch(ReverseThroughAllKindsOfSharedMemory<256>, 1, 256, 1024, nullptr, d.data());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& d : data) {
    for (int i = 0; i < 256; i++) ASSERT_EQ(d[i], i + 20 * 1000);
  }
}

}  // namespace
}  // namespace padproof
