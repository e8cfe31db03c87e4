// Races between a plain read and an atomic, held back until it is known what the reader did next:
// where its next step is an atomic on the same word, the word read was a first guess that the
// atomic corrects, as in the loops around atomicCAS of the CUDA C++ Programming Guide ("Atomic
// Functions"). Included by race_checker.h only.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/race_facts.h"
#include "harness/simt/runtime/race_shadow.h"

namespace padproof::simt {
inline namespace host_build {
namespace race {
namespace {

enum class Access { read, write, atomic };

enum class Reason {
  no_barrier,      // nothing between the two
  shuffle_only,    // a warp operation between, which does not order memory
  other_block,     // no fence and atomic between
  scope_of_block,  // two atomics, one of them for the threads of its block only
};

struct Party {
  Access access = Access::read;
  uint32_t block = 0;   // linear
  unsigned thread = 0;  // linear, in the block
  Position position = 0;
  bool one_of_several = false;  // the thread, or another lane that did the same, was at `position`
};

struct Race {
  Party earlier, later;
  uintptr_t address;  // the first byte both touch
  Reason reason;
};

class PendingReads {
 public:
  /// A thread reads or has read; more of them have their verdicts at once.
  static constexpr size_t kMax = 8192;
  bool full() const { return pending_.size() == kMax; }

  /// `lanes` of one warp have read, and race each.
  void Add(const Race& race, uint32_t lanes) { pending_.push_back({race, lanes}); }

  /// What the thread read at `address` was a guess.
  PADPROOF_SIMT_INLINE void Forgive(unsigned thread, uint32_t block, uintptr_t address) {
    if (!pending_.empty()) ForgiveSome(thread, block, address);
  }

  /// Reports what `lanes` of a warp, or of all, have read and not corrected.
  template <class Report>
  PADPROOF_SIMT_INLINE void Settle(unsigned warp, uint32_t lanes, Report report) {
    if (!pending_.empty()) SettleSome(warp, lanes, report);
  }
  static constexpr unsigned kAnyWarp = ~0u;

 private:
  struct Pending {
    Race race;
    uint32_t lanes;

    Party& reader() { return race.earlier.access == Access::read ? race.earlier : race.later; }
  };

  void ForgiveSome(unsigned thread, uint32_t block, uintptr_t address) {
    std::erase_if(pending_, [&](Pending& p) {
      const Party& reader = p.reader();
      if (p.race.address != address || reader.block != block) return false;
      if (reader.thread / kLanes == thread / kLanes) p.lanes &= ~(1u << thread % kLanes);
      return p.lanes == 0;
    });
  }

  template <class Report>
  void SettleSome(unsigned warp, uint32_t lanes, Report report) {
    std::vector<Pending> all;
    all.swap(pending_);
    for (Pending& p : all) {
      Party& reader = p.reader();
      const unsigned readers_warp = reader.thread / kLanes;
      if ((warp == kAnyWarp || warp == readers_warp) && (p.lanes & lanes) != 0) {
        reader.thread = readers_warp * kLanes + static_cast<unsigned>(std::countr_zero(p.lanes));
        report(p.race);
      } else {
        pending_.push_back(p);
      }
    }
  }

  std::vector<Pending> pending_;
};

}  // namespace
}  // namespace race
}  // namespace host_build
}  // namespace padproof::simt
