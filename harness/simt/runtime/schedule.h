// Which thread runs next, and in which order blocks run: a function of the case's order and seed
// alone. Included by runtime.cc only.
//
// A thread runs undisturbed from one collective to the next, unless it makes so many atomics or
// fences in between that it may be waiting (Yield): then all others have a turn. `forward` goes on
// with the next higher lane of its warp that can run, round the warp, then with the next warp (a
// warp on its own stays in the cache); `reverse` with the next lower one; `random` with any thread,
// mostly of the same warp. `warp_lag` is `forward`, but one warp, or one lane of a block that has
// one warp, runs only when nobody else can.

#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/runtime.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

constexpr unsigned kNobody = ~0u;

constexpr uint32_t BitOf(unsigned index) { return 1u << (index % kLanes); }
constexpr uint32_t BitsAbove(unsigned bit) { return ~((2u << bit) - 1u); }
constexpr uint32_t BitsBelow(unsigned bit) { return (1u << bit) - 1u; }
constexpr unsigned Lowest(uint32_t bits) { return static_cast<unsigned>(std::countr_zero(bits)); }
constexpr unsigned Highest(uint32_t bits) {
  return 31u - static_cast<unsigned>(std::countl_zero(bits));
}

/// The threads that can run: one bit a thread, and one a warp that has any.
class ReadySet {
 public:
  PADPROOF_SIMT_INLINE bool empty() const { return warps_ == 0; }
  PADPROOF_SIMT_INLINE uint32_t LanesOf(unsigned warp) const { return lanes_[warp]; }
  PADPROOF_SIMT_INLINE void Add(unsigned warp, uint32_t lanes) {
    lanes_[warp] |= lanes;
    if (lanes != 0) warps_ |= 1u << warp;
  }

  /// Lanes that only run when nobody else can.
  void LetLag(unsigned warp, uint32_t lanes) {
    lagging_warp_ = warp;
    lagging_lanes_ = lanes;
  }

  /// Takes out the thread that `order` puts after `last`; kNobody if none can run.
  PADPROOF_SIMT_INLINE unsigned TakeNext(Order order, unsigned last, Random& random) {
    if (warps_ == 0) return kNobody;
    const unsigned warp = last / kLanes;
    if (order == Order::forward) {
      if (const uint32_t ready = lanes_[warp]) return Take(warp, LowestAfter(ready, last % kLanes));
      return TakeLowestFrom(warp);
    }
    if (order == Order::reverse) {
      if (const uint32_t ready = lanes_[warp]) {
        return Take(warp, HighestBefore(ready, last % kLanes));
      }
      return TakeHighestFrom(warp);
    }
    if (order == Order::random) return TakeAny(warp, Draw(random));
    return TakeBeforeLagging(last, random);
  }

  /// The thread with which `order` begins a block, and goes on after a barrier.
  PADPROOF_SIMT_INLINE unsigned TakeFirst(Order order, Random& random) {
    if (warps_ == 0) return kNobody;
    if (order == Order::forward) return TakeLowestFrom(kMaxWarps - 1);
    if (order == Order::reverse) return TakeHighestFrom(0);
    return TakeNext(order, kMaxThreads - 1, random);
  }

  /// Takes out the next higher thread after `last`, round the block: whatever the order, every
  /// thread that can run has its turn.
  unsigned TakeInTurn(unsigned last) {
    if (warps_ == 0) return kNobody;
    const unsigned warp = last / kLanes;
    if (const uint32_t above = lanes_[warp] & BitsAbove(last % kLanes)) {
      return Take(warp, Lowest(above));
    }
    return TakeLowestFrom(warp);
  }

 private:
  static PADPROOF_SIMT_INLINE unsigned LowestAfter(uint32_t bits, unsigned bit) {
    const uint32_t above = bits & BitsAbove(bit);
    return Lowest(above != 0 ? above : bits);
  }
  static PADPROOF_SIMT_INLINE unsigned HighestBefore(uint32_t bits, unsigned bit) {
    const uint32_t below = bits & BitsBelow(bit);
    return Highest(below != 0 ? below : bits);
  }

  PADPROOF_SIMT_INLINE unsigned Take(unsigned warp, unsigned lane) {
    lanes_[warp] &= ~(1u << lane);
    if (lanes_[warp] == 0) warps_ &= ~(1u << warp);
    return warp * kLanes + lane;
  }

  /// 13 random bits: a generator's draw is a large part of a switch, and lasts for four.
  PADPROOF_SIMT_INLINE uint32_t Draw(Random& random) {
    drawn_ >>= 16;
    if (drawn_ == 0) drawn_ = random.Next() | uint64_t{1} << 63;
    return static_cast<uint32_t>(drawn_);
  }

  PADPROOF_SIMT_INLINE unsigned TakeLowestFrom(unsigned warp) {
    const unsigned next = LowestAfter(warps_, warp);
    return Take(next, Lowest(lanes_[next]));
  }
  PADPROOF_SIMT_INLINE unsigned TakeHighestFrom(unsigned warp) {
    const unsigned next = HighestBefore(warps_, warp);
    return Take(next, Highest(lanes_[next]));
  }

  // The first one at or after a random position: not uniform where there are gaps, but quick, and
  // every thread can come next. Seven times in eight it is one of the same warp, if there is one:
  // quicker, since a warp stays in the cache, and some warps get far ahead of others.
  PADPROOF_SIMT_INLINE unsigned TakeAny(unsigned warp, uint32_t random_bits) {
    if (lanes_[warp] == 0 || (random_bits >> 10 & 7) == 0) {
      const uint32_t warps = warps_ & ~BitsBelow(random_bits % kMaxWarps);
      warp = Lowest(warps != 0 ? warps : warps_);
    }
    const uint32_t lanes = lanes_[warp] & ~BitsBelow(random_bits / kMaxWarps % kLanes);
    return Take(warp, Lowest(lanes != 0 ? lanes : lanes_[warp]));
  }

  __attribute__((noinline)) unsigned TakeBeforeLagging(unsigned last, Random& random) {
    const uint32_t hidden = lanes_[lagging_warp_] & lagging_lanes_;
    lanes_[lagging_warp_] &= ~hidden;
    if (lanes_[lagging_warp_] == 0) warps_ &= ~(1u << lagging_warp_);
    const unsigned next = TakeNext(Order::forward, last, random);
    Add(lagging_warp_, hidden);
    return next != kNobody ? next : TakeNext(Order::forward, last, random);
  }

  uint32_t warps_ = 0;
  uint32_t lanes_[kMaxWarps] = {};
  uint64_t drawn_ = 0;  // 16 bits a draw, and a one above those that are left
  unsigned lagging_warp_ = 0;
  uint32_t lagging_lanes_ = 0;
};

/// Linear block indices in the order they run.
class BlockOrder {
 public:
  BlockOrder(Order order, uint32_t count, Random& random) : order_(order), count_(count) {
    if (order != Order::random) return;
    shuffled_.resize(count);
    for (uint32_t i = 0; i < count; i++) shuffled_[i] = i;
    for (uint32_t i = count; i > 1; i--) std::swap(shuffled_[i - 1], shuffled_[random.Below(i)]);
  }

  uint32_t operator[](uint32_t position) const {
    if (order_ == Order::random) return shuffled_[position];
    return order_ == Order::reverse ? count_ - 1 - position : position;
  }

 private:
  Order order_;
  uint32_t count_;
  std::vector<uint32_t> shuffled_;
};

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
