// Which accesses of a launch are ordered before which: the happens-before relation of CUDA, kept
// for blocks that run one after another although a device may run them at once. No memory is looked
// at here; race_checker.h does that. Included by race_hooks.cc and by its test only, into an
// unnamed namespace: a copy of these functions that a kernel's file instruments would call itself.
//
//   barrier                         orders all that the block did before all that it does after
//   __syncwarp, tile.sync()         order its members
//   shuffle, vote, match, reduce    order execution but not memory: a value that was read before is
//                                   not disturbed by a write after, a write before is not yet seen
//   fence, then an atomic on M      release what was ordered before the fence; every later atomic
//   on
//                                   M acquires it (CUDA's last-block example has no second fence)
//
// Fences count as joined at barriers and __syncwarp: `all fence, barrier, one does the atomic` is
// taken as a release by all.

#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "harness/simt/runtime/race_facts.h"

namespace padproof::simt {
inline namespace host_build {
namespace race {
namespace {

enum class Clock { execution, memory };

class HappensBefore {
 public:
  /// False when segment numbers are used up: what the launch does is not checked any more.
  bool exhausted() const { return next_ >= kSegmentLimit; }
  Segment Now(unsigned thread) const { return now_[thread]; }
  Segment launch_begin() const { return launch_begin_; }
  Segment block_begin() const { return block_begin_; }

  /// True: segments were renumbered, so that all that remembers one must be forgotten.
  bool BeginLaunch(unsigned threads) {
    const bool renumber = next_ >= kSegmentLimit / 2;
    if (renumber) {
      next_ = kMaxWarps;
      for (Warp& warp : warps_) warp = {};
    }
    launch_begin_ = next_;
    threads_ = threads;
    blocks_.clear();
    releases_.clear();
    return renumber;
  }

  void BeginBlock(uint32_t block) {
    block_begin_ = next_;
    blocks_.push_back({block_begin_, block});
    for (unsigned w = 0; w * kLanes < threads_; w++) {
      const unsigned lanes = std::min(threads_ - w * kLanes, kLanes);
      warps_[w].all = static_cast<uint32_t>((uint64_t{1} << lanes) - 1);
    }
    ClearFacts();
    block_fenced_.clear();
    block_acquired_.clear();
    BeginInterval();
  }

  void Barrier() {
    if (any_facts_) {
      for (unsigned t = 0; t < threads_; t++) {
        block_fenced_.Join(of_thread_[t].fenced);
        block_acquired_.Join(of_thread_[t].acquired);
      }
      ClearFacts();
    }
    BeginInterval();
  }

  void WarpOperation(unsigned w, uint32_t members, bool orders_memory) {
    Warp& warp = warps_[w];
    if (members == warp.all) {
      const Segment after = Take(w);
      warp.floor[kExecution] = after;
      if (orders_memory) warp.floor[kMemory] = after;
      SetSegments(w, members, after);
    } else {
      JoinClocks(w, members, kExecution);
      if (orders_memory) JoinClocks(w, members, kMemory);
      SetSegments(w, members, Take(w));
    }
    if (any_facts_) JoinFacts(w, members, orders_memory);
  }

  /// __threadfence (device) or __threadfence_block.
  void Fence(unsigned thread, bool device) {
    any_facts_ = true;
    Facts& fenced = of_thread_[thread].fenced;
    AddKnowledge(thread, device, Clock::memory, fenced);
    AddKnowledge(thread, device, Clock::execution, fenced);
    fenced.Join(of_thread_[thread].acquired);
    fenced.Join(block_acquired_);
    // What the thread does from here on is not covered by the fence. Lanes that fence in one
    // segment go on in one segment.
    Warp& warp = warps_[thread / kLanes];
    if (warp.fenced_from != now_[thread]) {
      warp.fenced_from = now_[thread];
      warp.fenced_to = Take(thread / kLanes);
    }
    now_[thread] = warp.fenced_to;
  }

  /// `block_private`: shared memory, which a later block does not inherit.
  void Atomic(unsigned thread, uintptr_t address, bool block_private) {
    const auto known = releases_.find({address});
    Facts* released = known == releases_.end() ? nullptr : &known->second.facts;
    if (released != nullptr && block_private && known->second.block != block_begin_) {
      released->clear();
      known->second.block = block_begin_;
    }
    ThreadFacts& mine = of_thread_[thread];
    if (released != nullptr && !released->empty()) {
      any_facts_ = true;
      mine.acquired.Join(*released);
    }
    if (mine.fenced.empty() && block_fenced_.empty()) return;
    if (released == nullptr) {
      Release& fresh = releases_[{address}];
      fresh.block = block_begin_;
      released = &fresh.facts;
    }
    released->Join(mine.fenced);
    released->Join(block_fenced_);
  }

  /// Ordered before all that the running block does from now on, by a barrier or by the stream.
  bool BeforeBlock(Segment segment) const {
    return segment - block_begin_ < interval_begin_ - block_begin_ || segment < launch_begin_;
  }

  /// The usual ways for `segment` to be ordered before what warp `w` does now, all of its lanes.
  PADPROOF_SIMT_INLINE bool BeforeWarp(Segment segment, unsigned w, Clock clock) const {
    if (BeforeBlock(segment)) return true;
    return segment >= interval_begin_ && WarpOf(segment) == w &&
           segment < warps_[w].floor[static_cast<int>(clock)];
  }

  /// Two warps of the running block, both not `w`, since its last barrier; and nobody acquired
  /// anything that might order them.
  PADPROOF_SIMT_INLINE bool OthersSinceBarrier(Segment a, Segment b, unsigned w) const {
    const unsigned warp_a = WarpOf(a), warp_b = WarpOf(b);
    return a >= interval_begin_ && b >= interval_begin_ && warp_a != w && warp_b != w &&
           warp_a != warp_b && !any_facts_ && block_acquired_.empty();
  }

  bool OtherBlock(Segment segment) const { return segment < block_begin_; }

  /// The lanes of `lanes` whose accesses in `segment` are not ordered before what `thread` does
  /// now.
  uint32_t Unordered(Segment segment, uint32_t lanes, unsigned thread, Clock clock) const {
    if (BeforeBlock(segment)) return 0;
    if (segment >= interval_begin_ && WarpOf(segment) == thread / kLanes) {
      lanes = UnorderedInWarp(segment, lanes & ~(1u << thread % kLanes), thread, clock);
    }
    if (lanes == 0) return 0;
    const ThreadFacts& mine = of_thread_[thread];
    if (mine.acquired.empty() && block_acquired_.empty()) return lanes;
    const Segment block = BlockBeginOf(segment);
    const bool same_block = block == block_begin_;
    const bool reads = clock == Clock::execution;
    lanes &= ~mine.acquired.Covered(block, segment, same_block, reads);
    return lanes & ~block_acquired_.Covered(block, segment, same_block, reads);
  }

  /// The linear index of the block of a segment of this launch.
  uint32_t BlockOf(Segment segment) const { return FindBlock(segment).block; }

 private:
  static constexpr Segment kSegmentLimit = ~Segment{0} - 2 * kMaxWarps;
  static constexpr int kExecution = static_cast<int>(Clock::execution);
  static constexpr int kMemory = static_cast<int>(Clock::memory);

  /// What is ordered inside a warp since the last barrier. An access of lane l in segment s is
  /// ordered before lane m if s < floor or s <= clock[m][l].
  struct Warp {
    uint32_t all = 0;  // its lanes, whether or not they have left the kernel
    Segment floor[2] = {};
    Segment clock[2][kLanes][kLanes] = {};
    Segment fenced_from = 0;
    Segment fenced_to = 0;
  };
  struct ThreadFacts {
    Facts fenced;    // released by its next atomics
    Facts acquired;  // by its atomics since the last barrier
  };
  struct Block {
    Segment begin;
    uint32_t block;
  };
  struct Address {
    uintptr_t value;
    bool operator==(const Address&) const = default;
  };
  struct HashAddress {
    size_t operator()(Address address) const {
      return (address.value >> 2) * size_t{0x9E3779B97F4A7C15};
    }
  };
  struct Release {
    Segment block = 0;
    Facts facts;
  };

  /// A new segment of warp `w`: greater than all others, its warp in the low bits.
  Segment Take(unsigned w) {
    if (exhausted()) return next_ + w;
    const Segment segment = next_ + w;
    next_ += kMaxWarps;
    return segment;
  }

  void BeginInterval() {
    interval_begin_ = next_;
    for (unsigned w = 0; w * kLanes < threads_; w++) {
      const Segment segment = Take(w);
      const unsigned end = std::min(threads_, (w + 1) * kLanes);
      for (unsigned t = w * kLanes; t < end; t++) now_[t] = segment;
    }
  }

  void SetSegments(unsigned w, uint32_t members, Segment segment) {
    for (; members != 0; members &= members - 1) {
      now_[w * kLanes + static_cast<unsigned>(std::countr_zero(members))] = segment;
    }
  }

  void JoinClocks(unsigned w, uint32_t members, int clock) {
    auto& rows = warps_[w].clock[clock];
    Segment joined[kLanes] = {};
    for (uint32_t rest = members; rest != 0; rest &= rest - 1) {
      const unsigned m = static_cast<unsigned>(std::countr_zero(rest));
      rows[m][m] = now_[w * kLanes + m];
      for (unsigned l = 0; l < kLanes; l++) joined[l] = std::max(joined[l], rows[m][l]);
    }
    for (uint32_t rest = members; rest != 0; rest &= rest - 1) {
      std::copy_n(joined, kLanes, rows[std::countr_zero(rest)]);
    }
  }

  uint32_t UnorderedInWarp(Segment segment, uint32_t lanes, unsigned thread, Clock kind) const {
    const Warp& warp = warps_[thread / kLanes];
    const int clock = static_cast<int>(kind);
    if (segment < warp.floor[clock]) return 0;
    const Segment(&row)[kLanes] = warp.clock[clock][thread % kLanes];
    for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
      if (segment <= row[std::countr_zero(rest)]) lanes &= ~(rest & -rest);
    }
    return lanes;
  }

  // ---- releases ---------------------------------------------------------------------------------

  void ClearFacts() {
    if (!any_facts_) return;
    for (ThreadFacts& facts : of_thread_) {
      facts.fenced.clear();
      facts.acquired.clear();
    }
    any_facts_ = false;
  }

  void JoinFacts(unsigned w, uint32_t members, bool orders_memory) {
    ThreadFacts joined;
    const auto for_each = [&](auto function) {
      for (uint32_t rest = members; rest != 0; rest &= rest - 1) {
        function(of_thread_[w * kLanes + static_cast<unsigned>(std::countr_zero(rest))]);
      }
    };
    for_each([&](const ThreadFacts& facts) {
      joined.fenced.Join(facts.fenced);
      joined.acquired.Join(facts.acquired);
    });
    if (joined.fenced.empty() && joined.acquired.empty()) return;
    for_each([&](ThreadFacts& facts) {
      if (orders_memory) {
        facts = joined;
      } else {
        facts.fenced.JoinReads(joined.fenced);
        facts.acquired.JoinReads(joined.acquired);
      }
    });
  }

  /// All of the running block that is ordered, by this clock, before what `thread` does now.
  void AddKnowledge(unsigned thread, bool device, Clock kind, Facts& to) const {
    const unsigned w = thread / kLanes;
    const Warp& warp = warps_[w];
    const int clock = static_cast<int>(kind);
    const auto add = [&](Segment end, uint32_t lanes, unsigned of_warp) {
      to.Add({block_begin_, end, lanes, static_cast<uint16_t>(of_warp), device,
              kind == Clock::execution});
    };
    if (interval_begin_ > block_begin_) add(interval_begin_, ~0u, kAnyWarp);
    const Segment floor = std::max(warp.floor[clock], interval_begin_);
    if (floor > interval_begin_) add(floor, warp.all, w);
    const Segment(&row)[kLanes] = warp.clock[clock][thread % kLanes];
    for (unsigned l = 0; l < kLanes; l++) {
      if (l != thread % kLanes && row[l] >= floor) add(row[l] + 1, 1u << l, w);
    }
    add(now_[thread] + 1, 1u << thread % kLanes, w);
  }

  const Block& FindBlock(Segment segment) const {
    const auto after =
        std::upper_bound(blocks_.begin(), blocks_.end(), segment,
                         [](Segment value, const Block& block) { return value < block.begin; });
    return *(after - 1);
  }
  Segment BlockBeginOf(Segment segment) const {
    return segment >= block_begin_ ? block_begin_ : FindBlock(segment).begin;
  }

  Segment next_ = kMaxWarps;  // 0 is no segment
  Segment launch_begin_ = kMaxWarps;
  Segment block_begin_ = kMaxWarps;
  Segment interval_begin_ = kMaxWarps;
  unsigned threads_ = 0;
  Segment now_[kMaxThreads] = {};
  Warp warps_[kMaxWarps];
  std::vector<Block> blocks_;  // of the launch, as they ran

  bool any_facts_ = false;  // of_thread_ holds some
  ThreadFacts of_thread_[kMaxThreads];
  Facts block_fenced_;
  Facts block_acquired_;
  std::unordered_map<Address, Release, HashAddress> releases_;
};

}  // namespace
}  // namespace race
}  // namespace host_build
}  // namespace padproof::simt
