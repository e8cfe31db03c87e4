// Sets of accesses that a fence made visible or an atomic acquired, and the segments they are named
// by. Included by race_order.h only.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/simt/runtime.h"

namespace padproof::simt {
inline namespace host_build {
namespace race {
namespace {

/// A stretch of a warp's life in which nothing orders a lane anew: it ends at a barrier, a warp
/// operation or a fence. Numbers grow, over launches too, and hold the warp in the low five bits.
using Segment = uint32_t;

inline unsigned WarpOf(Segment segment) { return segment % 32; }

constexpr uint16_t kAnyWarp = 0xffff;

/// What `lanes` of a warp did in the block that began at `block`, in all segments before `end`.
struct Fact {
  Segment block;
  Segment end;
  uint32_t lanes;
  uint16_t warp;
  bool device;      // by __threadfence; else other blocks do not see it
  bool reads_only;  // ordered in execution alone, see race_order.h
};

class Facts {
 public:
  bool empty() const { return facts_.empty(); }
  void clear() { facts_.clear(); }

  void Add(const Fact& fact) {
    const auto [begin, end] = RangeOf(fact.block);
    for (size_t i = begin; i < end; i++) {
      Fact& known = facts_[i];
      if (known.warp != fact.warp) continue;
      const bool says_more = known.device >= fact.device && known.reads_only <= fact.reads_only;
      const bool covers_lanes = (fact.lanes & ~known.lanes) == 0;
      if (says_more && covers_lanes && fact.end <= known.end) return;
      if (known.device != fact.device || known.reads_only != fact.reads_only) continue;
      if (known.lanes == fact.lanes) {
        known.end = std::max(known.end, fact.end);
        return;
      }
      if (known.end == fact.end) {
        known.lanes |= fact.lanes;
        return;
      }
    }
    facts_.insert(facts_.begin() + static_cast<std::ptrdiff_t>(end), fact);
  }

  void Join(const Facts& other) {
    if (other.empty() || &other == this) return;
    if (empty()) {
      facts_ = other.facts_;
      return;
    }
    for (const Fact& fact : other.facts_) Add(fact);
  }
  void JoinReads(const Facts& other) {
    for (Fact fact : other.facts_) {
      fact.reads_only = true;
      Add(fact);
    }
  }

  /// The lanes of the segment's warp that are in the set.
  uint32_t Covered(Segment block, Segment segment, bool same_block, bool reads) const {
    uint32_t lanes = 0;
    const auto [begin, end] = RangeOf(block);
    for (size_t i = begin; i < end; i++) {
      const Fact& fact = facts_[i];
      if (segment >= fact.end || !(same_block || fact.device) || fact.reads_only > reads) continue;
      if (fact.warp == kAnyWarp || fact.warp == WarpOf(segment)) lanes |= fact.lanes;
    }
    return lanes;
  }

 private:
  struct Range {
    size_t begin, end;
  };
  Range RangeOf(Segment block) const {
    const auto begin =
        std::lower_bound(facts_.begin(), facts_.end(), block,
                         [](const Fact& fact, Segment value) { return fact.block < value; });
    auto end = begin;
    while (end != facts_.end() && end->block == block) ++end;
    return {static_cast<size_t>(begin - facts_.begin()), static_cast<size_t>(end - facts_.begin())};
  }

  std::vector<Fact> facts_;  // by block
};

}  // namespace
}  // namespace race
}  // namespace host_build
}  // namespace padproof::simt
