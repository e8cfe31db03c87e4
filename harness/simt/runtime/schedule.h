// Which thread runs next, and in which order blocks run: a function of the case's order and seed
// alone. Included by runtime.cc only.
//
// A thread runs undisturbed from one collective to the next. `forward` goes on with the next higher
// thread that can run, `reverse` with the next lower one, both round the block; `random` with any.

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

constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kLanes = 32;
constexpr unsigned kMaxWarps = kMaxThreads / kLanes;
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
  PADPROOF_SIMT_INLINE bool Has(unsigned thread) const {
    return (lanes_[thread / kLanes] & BitOf(thread)) != 0;
  }
  PADPROOF_SIMT_INLINE void Add(unsigned warp, uint32_t lanes) {
    lanes_[warp] |= lanes;
    if (lanes != 0) warps_ |= 1u << warp;
  }

  /// Takes out the thread that `order` puts after `last`; kNobody if none can run.
  PADPROOF_SIMT_INLINE unsigned TakeNext(Order order, unsigned last, Random& random) {
    if (warps_ == 0) return kNobody;
    switch (order) {
      case Order::reverse:
        return TakeBelow(last);
      case Order::random:
        return TakeAny(static_cast<uint32_t>(random.Next() >> 32));
      default:
        return TakeAbove(last);
    }
  }

 private:
  PADPROOF_SIMT_INLINE unsigned Take(unsigned warp, unsigned lane) {
    lanes_[warp] &= ~(1u << lane);
    if (lanes_[warp] == 0) warps_ &= ~(1u << warp);
    return warp * kLanes + lane;
  }

  PADPROOF_SIMT_INLINE unsigned TakeAbove(unsigned last) {
    const unsigned warp = last / kLanes;
    if (const uint32_t above = lanes_[warp] & BitsAbove(last % kLanes)) {
      return Take(warp, Lowest(above));
    }
    const uint32_t later = warps_ & BitsAbove(warp);
    const unsigned next = Lowest(later != 0 ? later : warps_);
    return Take(next, Lowest(lanes_[next]));
  }

  PADPROOF_SIMT_INLINE unsigned TakeBelow(unsigned last) {
    const unsigned warp = last / kLanes;
    if (const uint32_t below = lanes_[warp] & BitsBelow(last % kLanes)) {
      return Take(warp, Highest(below));
    }
    const uint32_t earlier = warps_ & BitsBelow(warp);
    const unsigned next = Highest(earlier != 0 ? earlier : warps_);
    return Take(next, Highest(lanes_[next]));
  }

  // The first one at or after a random position: not uniform where there are gaps, but quick, and
  // every thread can come next.
  PADPROOF_SIMT_INLINE unsigned TakeAny(uint32_t random_bits) {
    const uint32_t warps = warps_ & ~BitsBelow(random_bits % kMaxWarps);
    const unsigned warp = Lowest(warps != 0 ? warps : warps_);
    const uint32_t lanes = lanes_[warp] & ~BitsBelow(random_bits / kMaxWarps % kLanes);
    return Take(warp, Lowest(lanes != 0 ? lanes : lanes_[warp]));
  }

  uint32_t warps_ = 0;
  uint32_t lanes_[kMaxWarps] = {};
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
