// Warp operations of every set of four neighbouring lanes, at three places of a warp, against plain
// loops and the PTX ISA: shuffles of all kinds, widths and distances, votes for all predicates,
// matches and reductions of all assignments of four values, __syncwarp. Barriers of four threads
// for all predicates.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "harness/simt/launch_test_util.h"
#include "harness/simt/shuffle_reference.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

constexpr int kWarp = 32;

/// Calls function(mask of the members, lane of the first of the four) in every order of lanes.
template <class Function>
void ForEveryMaskOfFourLanes(Function function) {
  for (Order order : kOrders) {
    const Scheduled scheduled(order);
    for (int first : {0, 13, 28}) {
      for (unsigned members = 1; members < 16; members++) {
        SCOPED_TRACE(testing::Message() << "members " << members << " from lane " << first
                                        << " order " << static_cast<int>(order));
        function(members << first, first);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

__device__ bool IsMember(unsigned mask, unsigned lane) { return (mask >> lane & 1) != 0; }

// ---- shuffles -----------------------------------------------------------------------------------

constexpr int kSteps = 35;  // arguments of a shuffle: -1 to 33

/// out[kind][argument][lane]
__global__ void ShuffleMembers(unsigned mask, int width, int* out) {
  const int lane = threadIdx.x;
  if (!IsMember(mask, lane)) return;
  for (int step = 0; step < kSteps; step++) {
    const int b = step - 1;
    int* results = out + step * kWarp + lane;
    constexpr int kKind = kSteps * kWarp;
    results[0] = __shfl_sync(mask, lane, b, width);
    results[kKind] = __shfl_up_sync(mask, lane, static_cast<unsigned>(b), width);
    results[2 * kKind] = __shfl_down_sync(mask, lane, static_cast<unsigned>(b), width);
    results[3 * kKind] = __shfl_xor_sync(mask, lane, b, width);
  }
}

TEST(SimtMasks, ShufflesOfEveryKindWidthAndDistance) {
  ForEveryMaskOfFourLanes([](unsigned mask, int) {
    for (int width : {1, 2, 4, 8, 16, 32}) {
      std::vector<int> out(4 * kSteps * kWarp, -7);
      EXPECT_LAUNCHES(ShuffleMembers, 1, kWarp, 0, nullptr, mask, width, out.data());
      for (int i = 0; i < static_cast<int>(out.size()); i++) {
        const int lane = i % kWarp, b = i / kWarp % kSteps - 1, kind = i / kWarp / kSteps;
        const int source = SourceByPtx(kShuffles[kind], lane, b, width);
        // What a lane outside the mask gives is undefined: the fill pattern here.
        const int expected = !IsMember(mask, lane) ? -7 : IsMember(mask, source) ? source : -1;
        ASSERT_EQ(out[i], expected)
            << "kind " << kind << " lane " << lane << " b " << b << " width " << width;
      }
    }
  });
}

/// Values of up to 8 bytes, and what a shuffle of each is.
template <class T, class Result>
__global__ void ShuffleAValue(unsigned mask, const T* in, Result* out) {
  static_assert(std::is_same_v<decltype(__shfl_sync(mask, *in, 0)), Result>);
  static_assert(std::is_same_v<decltype(__shfl_up_sync(mask, *in, 0u)), Result>);
  static_assert(std::is_same_v<decltype(__shfl_down_sync(mask, *in, 0u)), Result>);
  static_assert(std::is_same_v<decltype(__shfl_xor_sync(mask, *in, 0)), Result>);
  const int lane = threadIdx.x;
  if (!IsMember(mask, lane)) return;
  out[lane] = __shfl_sync(mask, in[lane], std::countr_zero(mask));
}

template <class T, class Result = T>
void EveryMemberGetsTheFirstValue(const std::vector<T>& four) {
  for (unsigned members = 1; members < 16; members++) {
    std::vector<Result> out(4);
    EXPECT_LAUNCHES((ShuffleAValue<T, Result>), 1, 4, 0, nullptr, members, four.data(), out.data());
    for (unsigned lane = 0; lane < 4; lane++) {
      if (!IsMember(members, lane)) continue;
      const Result expected = four[std::countr_zero(members)];
      ASSERT_EQ(std::memcmp(static_cast<const void*>(&out[lane]),
                            static_cast<const void*>(&expected), sizeof expected),
                0);
    }
  }
}

TEST(SimtMasks, ShufflesMoveEveryBitOfEveryType) {
  EveryMemberGetsTheFirstValue<int>({INT32_MIN, -1, 0, 0x12345678});
  EveryMemberGetsTheFirstValue<unsigned>({0x80000000u, kAll, 0, 0x12345678});
  EveryMemberGetsTheFirstValue<long>({INT64_MIN, -1, 0, 0x123456789abcdef});
  EveryMemberGetsTheFirstValue<unsigned long>({1ul << 63, ~0ul, 0, 0x123456789abcdef});
  EveryMemberGetsTheFirstValue<long long>({INT64_MIN, -1, 0, 0x123456789abcdef});
  EveryMemberGetsTheFirstValue<unsigned long long>({1ull << 63, ~0ull, 0, 0x123456789abcdef});
  EveryMemberGetsTheFirstValue<float>({-0.0f, std::numeric_limits<float>::infinity(),
                                       std::bit_cast<float>(0x7fc12345u), 0x1p-149f});
  EveryMemberGetsTheFirstValue<double>({-0.0, std::numeric_limits<double>::infinity(),
                                        std::bit_cast<double>(0x7ff8123456789abc), 0x1p-1074});
  EveryMemberGetsTheFirstValue<__half>({1.0f, -0.0f, CUDART_INF_FP16, CUDART_MIN_DENORM_FP16});
  EveryMemberGetsTheFirstValue<__nv_bfloat16>({1.0f, -0.0f, CUDART_INF_BF16, 3.0f});
  EveryMemberGetsTheFirstValue<__half2>({{1.0f, 2.0f}, {-3.0f, 4.0f}, {0, -0.0f}, {5.0f, 0}});
  EveryMemberGetsTheFirstValue<__nv_bfloat162>(
      {{1.0f, 2.0f}, {-3.0f, 4.0f}, {0, -0.0f}, {5.0f, 0}});
  // Smaller integers are converted to int first.
  EveryMemberGetsTheFirstValue<signed char, int>({-128, -1, 0, 127});
  EveryMemberGetsTheFirstValue<unsigned char, int>({0, 128, 255, 1});
  EveryMemberGetsTheFirstValue<short, int>({INT16_MIN, -1, 0, INT16_MAX});
  EveryMemberGetsTheFirstValue<unsigned short, int>({0, 0x8000, 0xffff, 1});
}

// ---- votes --------------------------------------------------------------------------------------

/// Bit i of `pattern` is whether lane first + i says yes; yes is not always 1.
__device__ int PredicateOf(unsigned pattern, int i) {
  constexpr int kYes[] = {1, -1, 0x100, INT32_MIN};
  return (pattern >> i & 1) != 0 ? kYes[i] : 0;
}

/// ballot[pattern][lane] and so on, for all patterns of predicates.
__global__ void VoteOnEveryPattern(unsigned mask, int first, unsigned* ballot, int* any, int* all) {
  const int lane = threadIdx.x;
  if (!IsMember(mask, lane)) return;
  for (unsigned pattern = 0; pattern < 16; pattern++) {
    const int predicate = PredicateOf(pattern, lane - first);
    const size_t i = pattern * kWarp + lane;
    ballot[i] = __ballot_sync(mask, predicate);
    any[i] = __any_sync(mask, predicate);
    all[i] = __all_sync(mask, predicate);
  }
}

TEST(SimtMasks, VotesForEveryPredicate) {
  ForEveryMaskOfFourLanes([](unsigned mask, int first) {
    std::vector<unsigned> ballot(16 * kWarp);
    std::vector<int> any(16 * kWarp), all(16 * kWarp);
    EXPECT_LAUNCHES(VoteOnEveryPattern, 1, kWarp, 0, nullptr, mask, first, ballot.data(),
                    any.data(), all.data());
    for (unsigned i = 0; i < 16 * kWarp; i++) {
      if (!IsMember(mask, i % kWarp)) continue;
      const unsigned yes = (i / kWarp << first) & mask;
      ASSERT_EQ(ballot[i], yes) << "predicates " << i / kWarp;
      ASSERT_EQ(any[i], yes != 0 ? 1 : 0) << "predicates " << i / kWarp;
      ASSERT_EQ(all[i], yes == mask ? 1 : 0) << "predicates " << i / kWarp;
    }
  });
}

/// Three barriers for each of all patterns of predicates.
__global__ void BarriersOnEveryPattern(int* count, int* any, int* all) {
  const int i = threadIdx.x;
  for (unsigned pattern = 0; pattern < 16; pattern++) {
    const int predicate = PredicateOf(pattern, i);
    count[4 * pattern + i] = __syncthreads_count(predicate);
    any[4 * pattern + i] = __syncthreads_or(predicate);
    all[4 * pattern + i] = __syncthreads_and(predicate);
  }
}

TEST(SimtMasks, BarriersForEveryPredicate) {
  for (Order order : kOrders) {
    const Scheduled scheduled(order);
    std::vector<int> count(64), any(64), all(64);
    EXPECT_LAUNCHES(BarriersOnEveryPattern, 1, 4, 0, nullptr, count.data(), any.data(), all.data());
    for (unsigned i = 0; i < 64; i++) {
      ASSERT_EQ(count[i], std::popcount(i / 4)) << i / 4;
      ASSERT_EQ(any[i] != 0, i / 4 != 0) << i / 4;
      ASSERT_EQ(all[i] != 0, i / 4 == 15) << i / 4;
    }
  }
}

// ---- matches ------------------------------------------------------------------------------------

constexpr unsigned kAssignments = 256;  // of four values to four lanes, two bits a lane

/// any[assignment][lane]; all[assignment][lane][mask, predicate]
template <class T>
__global__ void MatchMembers(unsigned mask, int first, const T* values, unsigned* any,
                             unsigned (*all)[2]) {
  const int lane = threadIdx.x;
  if (!IsMember(mask, lane)) return;
  for (unsigned assignment = 0; assignment < kAssignments; assignment++) {
    const T value = values[assignment >> 2 * (lane - first) & 3];
    const size_t i = assignment * kWarp + lane;
    int equal = 7;
    any[i] = __match_any_sync(mask, value);
    all[i][0] = __match_all_sync(mask, value, &equal);
    all[i][1] = static_cast<unsigned>(equal);
  }
}

/// The four values differ from each other, in bits.
template <class T>
void CheckMatches(const T (&values)[4]) {
  ForEveryMaskOfFourLanes([&](unsigned mask, int first) {
    std::vector<unsigned> any(kAssignments * kWarp);
    std::vector<unsigned[2]> all(kAssignments * kWarp);
    EXPECT_LAUNCHES(MatchMembers<T>, 1, kWarp, 0, nullptr, mask, first, values, any.data(),
                    all.data());
    for (unsigned i = 0; i < kAssignments * kWarp; i++) {
      const unsigned assignment = i / kWarp, mine = i % kWarp - static_cast<unsigned>(first);
      if (!IsMember(mask, i % kWarp)) continue;
      unsigned equal = 0;
      for (unsigned j = 0; j < 4; j++) {
        const bool same = (assignment >> 2 * j & 3) == (assignment >> 2 * mine & 3);
        equal |= unsigned{same} << (static_cast<unsigned>(first) + j);
      }
      equal &= mask;
      ASSERT_EQ(any[i], equal) << assignment;
      ASSERT_EQ(all[i][0], equal == mask ? mask : 0) << assignment;
      ASSERT_EQ(all[i][1], equal == mask ? 1u : 0u) << assignment;
    }
  });
}

/// PTX ISA, match.sync: of bits. So NaN equals itself, and the zeros differ.
TEST(SimtMasks, MatchesOfEveryAssignment) {
  CheckMatches<int>({0, -1, INT32_MIN, 1});
  CheckMatches<unsigned>({0, kAll, 1u << 31, 1});
  CheckMatches<long long>({0, -1, 1ll << 32, 1});
  CheckMatches<unsigned long long>({0, 1ull << 63, 1ull << 32, 1});
  CheckMatches<float>({0.0f, -0.0f, std::bit_cast<float>(0x7fc00001u), 1.0f});
  CheckMatches<double>({0.0, -0.0, std::bit_cast<double>(0x7ff8000000000001), 1.0});
}

// ---- reductions ---------------------------------------------------------------------------------

constexpr int kOperations = 6;

/// out[assignment][lane][operation]
template <class T>
__global__ void ReduceMembers(unsigned mask, int first, const T* values, T (*out)[kOperations]) {
  const int lane = threadIdx.x;
  if (!IsMember(mask, lane)) return;
  for (unsigned assignment = 0; assignment < kAssignments; assignment++) {
    const T value = values[assignment >> 2 * (lane - first) & 3];
    T* results = out[assignment * kWarp + lane];
    static_assert(std::is_same_v<decltype(__reduce_add_sync(mask, value)), T>);
    results[0] = __reduce_add_sync(mask, value);
    results[1] = __reduce_min_sync(mask, value);
    results[2] = __reduce_max_sync(mask, value);
    if constexpr (std::is_unsigned_v<T>) {
      results[3] = __reduce_and_sync(mask, value);
      results[4] = __reduce_or_sync(mask, value);
      results[5] = __reduce_xor_sync(mask, value);
    }
  }
}

template <class T>
void CheckReductions(const T (&values)[4]) {
  ForEveryMaskOfFourLanes([&](unsigned mask, int first) {
    std::vector<T[kOperations]> out(kAssignments * kWarp);
    EXPECT_LAUNCHES(ReduceMembers<T>, 1, kWarp, 0, nullptr, mask, first, values, out.data());
    for (unsigned i = 0; i < kAssignments * kWarp; i++) {
      if (!IsMember(mask, i % kWarp)) continue;
      std::vector<T> members;
      for (int j = 0; j < 4; j++) {
        if (IsMember(mask, first + j)) members.push_back(values[i / kWarp >> 2 * j & 3]);
      }
      int64_t sum = 0;
      unsigned conjunction = kAll, disjunction = 0, parity = 0;
      for (T member : members) {
        sum += member;
        conjunction &= static_cast<unsigned>(member);
        disjunction |= static_cast<unsigned>(member);
        parity ^= static_cast<unsigned>(member);
      }
      ASSERT_EQ(out[i][0], static_cast<T>(static_cast<uint32_t>(sum)));  // wraps
      ASSERT_EQ(out[i][1], *std::min_element(members.begin(), members.end()));
      ASSERT_EQ(out[i][2], *std::max_element(members.begin(), members.end()));
      if constexpr (std::is_unsigned_v<T>) {
        ASSERT_EQ(out[i][3], conjunction);
        ASSERT_EQ(out[i][4], disjunction);
        ASSERT_EQ(out[i][5], parity);
      }
    }
  });
}

TEST(SimtMasks, ReductionsOfEveryAssignment) {
  CheckReductions<int>({INT32_MIN, -1, 0x5555, INT32_MAX});
  CheckReductions<unsigned>({1u << 31, 0x7fff0000u, 0x33335555u, kAll});
}

// ---- __syncwarp ---------------------------------------------------------------------------------

/// Members read what the others wrote before: seen[lane of the reader][lane of the writer].
__global__ void ExchangeThroughMemory(unsigned mask, int first, int* written, int* seen) {
  const int lane = threadIdx.x;
  if (!IsMember(mask, lane)) return;
  for (int round = 0; round < 2; round++) {
    written[lane] = 10 * round + lane + 1;
    __syncwarp(mask);
    for (int j = 0; j < 4; j++) seen[(2 * lane + round) * 4 + j] = written[first + j];
    __syncwarp(mask);
  }
}

TEST(SimtMasks, SyncwarpOrdersTheMemoryOfItsMembers) {
  ForEveryMaskOfFourLanes([](unsigned mask, int first) {
    std::vector<int> written(kWarp), seen(2 * 4 * kWarp);
    EXPECT_LAUNCHES(ExchangeThroughMemory, 1, kWarp, 0, nullptr, mask, first, written.data(),
                    seen.data());
    for (int i = 0; i < static_cast<int>(seen.size()); i++) {
      const int reader = i / 8, round = i / 4 % 2, writer = first + i % 4;
      const bool both = IsMember(mask, reader) && IsMember(mask, writer);
      ASSERT_EQ(seen[i], both ? 10 * round + writer + 1 : 0) << reader << " of " << writer;
    }
  });
}

}  // namespace
}  // namespace padproof
