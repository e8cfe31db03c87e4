// Host side of CUDA's barriers and warp operations. They are compiled, and instrumented, with the
// kernel; kernels include simt.h, which includes this.
//
// Where CUDA leaves a result undefined (a shuffle from a lane that takes no part), the result here
// is the fill pattern.

#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "harness/simt/runtime.h"

#define PADPROOF_SIMT_SITE ::padproof::simt::Site where = ::padproof::simt::Site::current()

inline constexpr int warpSize = 32;

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

inline constexpr uint32_t kFullMask = 0xffffffffu;

// ---- warp operations ----------------------------------------------------------------------------

/// Every member publishes `in` and `source`; one of them calls resolve(first lane of the warp, slot
/// of Lane::in, members), which sets each member's `out`.
template <class Resolve>
PADPROOF_SIMT_INLINE uint64_t Collective(uint32_t mask, uint64_t in, uint32_t source, Site where,
                                         Resolve resolve, bool orders_memory = false) {
  Lane& lane = *current.lane;
  const uint32_t slot = CurrentWarp().slot;
  lane.in[slot] = in;
  lane.source = source;
  if (const uint32_t members = ArriveAtWarpOperation(mask, where)) {
    resolve(&lane - LaneIndex(), slot, members);
    ReleaseWarp(members, orders_memory);
  }
  return lane.out;
}

template <class Function>
PADPROOF_SIMT_INLINE void ForEachLane(uint32_t members, Function function) {
  for (; members != 0; members &= members - 1) function(std::countr_zero(members));
}

__attribute__((noinline)) inline void MoveShuffled(Lane* warp, uint32_t slot, uint32_t members) {
  ForEachLane(members, [&](int i) {
    const uint32_t source = warp[i].source;
    warp[i].out = members >> source & 1 ? warp[source].in[slot] : current.poison;
  });
}

/// A shuffle of the whole warp needs nobody to move data: each lane reads what it wants. Nobody can
/// overwrite that before: the other slot comes first, and then the whole warp has to come again.
PADPROOF_SIMT_INLINE uint64_t PullShuffled(uint64_t in, uint32_t source, Site where) {
  Lane& lane = *current.lane;
  Warp& warp = CurrentWarp();
  const uint32_t slot = warp.slot;
  lane.in[slot] = in;
  if (const uint32_t members = ArriveAtWarpOperation(kFullMask, where)) ReleaseWarp(members, false);
  const Lane* first = &lane - LaneIndex();
  return warp.full_members >> source & 1 ? first[source].in[slot] : current.poison;
}

__attribute__((noinline)) inline void CollectBallot(Lane* warp, uint32_t slot, uint32_t members) {
  uint64_t ballot = 0;
  ForEachLane(members, [&](int i) { ballot |= warp[i].in[slot] << i; });
  ForEachLane(members, [&](int i) { warp[i].out = ballot; });
}

__attribute__((noinline)) inline void MatchAny(Lane* warp, uint32_t slot, uint32_t members) {
  ForEachLane(members, [&](int i) {
    uint64_t equal = 0;
    ForEachLane(members,
                [&](int j) { equal |= uint64_t{warp[i].in[slot] == warp[j].in[slot]} << j; });
    warp[i].out = equal;
  });
}

template <class T, class Operation>
struct Reduction {
  __attribute__((noinline)) void operator()(Lane* warp, uint32_t slot, uint32_t members) const {
    const int first = std::countr_zero(members);
    T result = static_cast<T>(warp[first].in[slot]);
    ForEachLane(members & (members - 1),
                [&](int i) { result = Operation{}(result, static_cast<T>(warp[i].in[slot])); });
    ForEachLane(members, [&](int i) { warp[i].out = static_cast<uint64_t>(result); });
  }
};

/// Types a shuffle moves; smaller integers are promoted first, as by nvcc's overloads.
template <class T>
concept Shuffled = (std::is_arithmetic_v<T> && sizeof(T) <= 8) || std::is_same_v<T, __half> ||
                   std::is_same_v<T, __half2> || std::is_same_v<T, __nv_bfloat16> ||
                   std::is_same_v<T, __nv_bfloat162>;

/// Types that __match compares: bits of 32 or 64.
template <class T>
concept Matched = std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8);

/// The bits of a value of up to 8 bytes, zeros above them.
template <class T>
PADPROOF_SIMT_INLINE uint64_t ZeroExtended(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <class T>
PADPROOF_SIMT_INLINE auto Promote(T value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return +value;
  } else {
    return value;
  }
}

template <class T>
PADPROOF_SIMT_INLINE T ShuffleFrom(uint32_t mask, T value, uint32_t source, Site where) {
  const uint64_t in = ZeroExtended(value);
  const uint64_t out = mask == kFullMask ? PullShuffled(in, source, where)
                                         : Collective(mask, in, source, where, MoveShuffled);
  std::memcpy(&value, &out, sizeof value);
  return value;
}

/// The lanes of the caller's segment, by the rules of PTX shfl.sync.
struct Segment {
  uint32_t first;
  uint32_t last;
};

PADPROOF_SIMT_INLINE Segment SegmentOf(uint32_t lane, int width, Site where) {
  if (width < 1 || width > 32 || (width & (width - 1)) != 0) {
    ReportAndAbort("the width of a shuffle is not a power of two up to 32", where);
  }
  const uint32_t offset_bits = static_cast<uint32_t>(width) - 1;
  return {lane & ~offset_bits, lane | offset_bits};
}

PADPROOF_SIMT_INLINE uint32_t Ballot(uint32_t mask, bool predicate, Site where) {
  return static_cast<uint32_t>(Collective(mask, predicate, 0, where, CollectBallot));
}

}  // namespace host_build
}  // namespace padproof::simt

PADPROOF_SIMT_INLINE void __syncthreads(PADPROOF_SIMT_SITE) {
  padproof::simt::ArriveAtBarrier(0, where);
}
PADPROOF_SIMT_INLINE int __syncthreads_count(int predicate, PADPROOF_SIMT_SITE) {
  return static_cast<int>(padproof::simt::ArriveAtBarrier(predicate != 0, where));
}
PADPROOF_SIMT_INLINE int __syncthreads_or(int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::ArriveAtBarrier(predicate != 0, where) != 0;
}
PADPROOF_SIMT_INLINE int __syncthreads_and(int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::ArriveAtBarrier(predicate == 0, where) == 0;
}
PADPROOF_SIMT_INLINE void __syncwarp(unsigned mask = padproof::simt::kFullMask,
                                     PADPROOF_SIMT_SITE) {
  const uint32_t members = padproof::simt::ArriveAtWarpOperation(mask, where);
  if (members != 0) padproof::simt::ReleaseWarp(members, true);
}

template <padproof::simt::Shuffled T>
PADPROOF_SIMT_INLINE auto __shfl_sync(unsigned mask, T value, int source, int width = 32,
                                      PADPROOF_SIMT_SITE) {
  const uint32_t lane = padproof::simt::LaneIndex();
  const auto segment = padproof::simt::SegmentOf(lane, width, where);
  const uint32_t from = segment.first | (static_cast<uint32_t>(source) & (width - 1));
  return padproof::simt::ShuffleFrom(mask, padproof::simt::Promote(value), from, where);
}

template <padproof::simt::Shuffled T>
PADPROOF_SIMT_INLINE auto __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                                         PADPROOF_SIMT_SITE) {
  const uint32_t lane = padproof::simt::LaneIndex();
  const auto segment = padproof::simt::SegmentOf(lane, width, where);
  delta &= 31;
  const uint32_t from = segment.first + delta <= lane ? lane - delta : lane;
  return padproof::simt::ShuffleFrom(mask, padproof::simt::Promote(value), from, where);
}

template <padproof::simt::Shuffled T>
PADPROOF_SIMT_INLINE auto __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                                           PADPROOF_SIMT_SITE) {
  const uint32_t lane = padproof::simt::LaneIndex();
  const auto segment = padproof::simt::SegmentOf(lane, width, where);
  delta &= 31;
  const uint32_t from = lane + delta <= segment.last ? lane + delta : lane;
  return padproof::simt::ShuffleFrom(mask, padproof::simt::Promote(value), from, where);
}

template <padproof::simt::Shuffled T>
PADPROOF_SIMT_INLINE auto __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                                          PADPROOF_SIMT_SITE) {
  const uint32_t lane = padproof::simt::LaneIndex();
  const auto segment = padproof::simt::SegmentOf(lane, width, where);
  const uint32_t other = lane ^ (static_cast<uint32_t>(lane_mask) & 31);
  const uint32_t from = other <= segment.last ? other : lane;
  return padproof::simt::ShuffleFrom(mask, padproof::simt::Promote(value), from, where);
}

PADPROOF_SIMT_INLINE unsigned __ballot_sync(unsigned mask, int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::Ballot(mask, predicate != 0, where);
}
PADPROOF_SIMT_INLINE int __any_sync(unsigned mask, int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::Ballot(mask, predicate != 0, where) != 0;
}
PADPROOF_SIMT_INLINE int __all_sync(unsigned mask, int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::Ballot(mask, predicate == 0, where) == 0;
}

PADPROOF_SIMT_INLINE unsigned __activemask(PADPROOF_SIMT_SITE) {
  return padproof::simt::ArriveAtActiveMask(where);
}

template <padproof::simt::Matched T>
PADPROOF_SIMT_INLINE unsigned __match_any_sync(unsigned mask, T value, PADPROOF_SIMT_SITE) {
  return static_cast<unsigned>(padproof::simt::Collective(mask, padproof::simt::ZeroExtended(value),
                                                          0, where, padproof::simt::MatchAny));
}

template <padproof::simt::Matched T>
PADPROOF_SIMT_INLINE unsigned __match_all_sync(unsigned mask, T value, int* predicate,
                                               PADPROOF_SIMT_SITE) {
  const auto resolve = [](padproof::simt::Lane* warp, uint32_t slot, uint32_t members) {
    const uint64_t first = warp[std::countr_zero(members)].in[slot];
    bool equal = true;
    padproof::simt::ForEachLane(members, [&](int i) { equal &= warp[i].in[slot] == first; });
    padproof::simt::ForEachLane(members, [&](int i) { warp[i].out = equal ? members : 0; });
  };
  const uint64_t all =
      padproof::simt::Collective(mask, padproof::simt::ZeroExtended(value), 0, where, resolve);
  *predicate = all != 0;
  return static_cast<unsigned>(all);
}

#define PADPROOF_SIMT_REDUCE(name, T, operation)                                      \
  PADPROOF_SIMT_INLINE T name(unsigned mask, T value, PADPROOF_SIMT_SITE) {           \
    const auto apply = [](T a, T b) -> T { return operation; };                       \
    return static_cast<T>(                                                            \
        padproof::simt::Collective(mask, static_cast<uint64_t>(value), 0, where,      \
                                   padproof::simt::Reduction<T, decltype(apply)>{})); \
  }
// Signed sums wrap, as on the device.
PADPROOF_SIMT_REDUCE(__reduce_add_sync, unsigned, a + b)
PADPROOF_SIMT_REDUCE(__reduce_add_sync, int, static_cast<int>(static_cast<unsigned>(a) + b))
PADPROOF_SIMT_REDUCE(__reduce_min_sync, unsigned, b < a ? b : a)
PADPROOF_SIMT_REDUCE(__reduce_min_sync, int, b < a ? b : a)
PADPROOF_SIMT_REDUCE(__reduce_max_sync, unsigned, a < b ? b : a)
PADPROOF_SIMT_REDUCE(__reduce_max_sync, int, a < b ? b : a)
PADPROOF_SIMT_REDUCE(__reduce_and_sync, unsigned, a& b)
PADPROOF_SIMT_REDUCE(__reduce_or_sync, unsigned, a | b)
PADPROOF_SIMT_REDUCE(__reduce_xor_sync, unsigned, a ^ b)
#undef PADPROOF_SIMT_REDUCE
#pragma GCC visibility pop
