// Device functions of the SIMT layer against plain loops: barriers with a result, warp operations,
// atomics, intrinsics.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

constexpr unsigned kAll = 0xffffffffu;

#define EXPECT_LAUNCHES(...) EXPECT_EQ(simt::launch(__VA_ARGS__), cudaSuccess)

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

TEST(SimtDeviceFunctions, ShufflesFollowPtxForEveryType) {
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

TEST(SimtDeviceFunctions, Atomics) {
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

TEST(SimtDeviceFunctions, Intrinsics) {
  const float x = 1.5f;
  const std::vector<float> expected = {std::exp(x), std::exp2(x), 0.375f, 0.25f,      x, x, 8.0f,
                                       x,           8 + 31 + 4,   4.0f,   std::log(x)};
  std::vector<float> out(expected.size());
  EXPECT_LAUNCHES(Arithmetic, 1, 1, 0, nullptr, &x, out.data());
  EXPECT_EQ(out, expected);
}

}  // namespace
}  // namespace padproof
