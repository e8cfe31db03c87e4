// Finds data races of CUDA kernels: the same bytes, two threads, one of them writes, not both
// atomic (to each other), and nothing orders one before the other. Driven by events; race_hooks.cc
// derives them from a run, a test can make them up. Included by race_hooks.cc and by its test only.
//
// Never a false alarm under the rules of race_order.h and race_pending.h. May miss a race where a
// cell had more readers (or threads doing atomics) that are ordered among each other by nothing
// than it remembers: two segments, of different warps if possible. Then any plain write by a third
// warp, or by one of the two, still meets an unordered one of them, unless releases and acquires
// ordered just these two.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/race_order.h"
#include "harness/simt/runtime/race_pending.h"
#include "harness/simt/runtime/race_shadow.h"

namespace padproof::simt {
inline namespace host_build {
namespace race {
namespace {

class Checker {
 public:
  /// Gets the first race of each pair of positions in a launch.
  using Report = void (*)(const Race&);
  explicit Checker(Report report) : report_(report) {}

  void BeginLaunch(unsigned threads) {
    Settle();
    shadow_.BeginLaunch(order_.BeginLaunch(threads));
    shared_.clear();
    reported_.clear();
  }
  void BeginBlock(uint32_t block) {
    Settle();
    block_ = block;
    order_.BeginBlock(block);
  }
  /// No thread of the launch will correct what it read.
  void Settle() { Settle(PendingReads::kAnyWarp, ~0u); }
  void Barrier() {
    Settle();
    order_.Barrier();
  }
  void WarpOperation(unsigned warp, uint32_t members, bool orders_memory) {
    Settle(warp, members);
    order_.WarpOperation(warp, members, orders_memory);
  }
  void Fence(unsigned thread, bool device) { order_.Fence(thread, device); }

  /// `device`: for all blocks; else to the other threads of its block only.
  void Atomic(unsigned thread, uintptr_t address, size_t bytes, Position position, bool device) {
    Check(thread, address, bytes, Access::atomic, position, !device);
    order_.Atomic(thread, address, IsShared(address));
  }

  /// Memory that every block has afresh: accesses of other blocks are not to the same memory.
  void Forget(uintptr_t address, size_t bytes) { shared_.Add(address, address + bytes); }
  /// The same in all launches that follow.
  void AlwaysShared(uintptr_t address, size_t bytes) { static_.Add(address, address + bytes); }

  void Read(unsigned thread, uintptr_t address, size_t bytes, Position at) {
    Check(thread, address, bytes, Access::read, at);
  }
  void Write(unsigned thread, uintptr_t address, size_t bytes, Position at) {
    Check(thread, address, bytes, Access::write, at);
  }

  // The usual cases of a read or write of the word at `address`, without a call. True if that was
  // all; else Read or Write do it. `ignored(address)` is asked before anything is remembered:
  // then the answer is true, too.

  template <class Ignored>
  PADPROOF_SIMT_INLINE bool ReadWord(unsigned thread, uintptr_t address, Position at,
                                     Ignored ignored) {
    Cell* cell = shadow_.Peek(address);
    if (cell == nullptr || cell->split()) return false;
    const unsigned warp = thread / kLanes;
    const Segment now = order_.Now(thread);
    const uint32_t lane = 1u << thread % kLanes;
    Holders& first = cell->holders[0];
    Holders& second = cell->holders[1];
    if (first.atomic() || second.atomic()) return false;
    Holders* mine = nullptr;
    if (first.segment == now) {
      if ((first.lanes & lane) != 0) return true;
      mine = &first;
    } else if (second.segment == now) {
      if ((second.lanes & lane) != 0) return true;
      mine = &second;
    }
    if (cell->writer == now && WriterLane(*cell) == thread % kLanes) return true;
    if (!order_.BeforeWarp(cell->writer, warp, Clock::memory)) return false;
    if (mine != nullptr) {
      mine->lanes |= lane;
      if ((mine->info & kMaxPosition) != at) mine->info |= Holders::kSeveral;
      return true;
    }
    if (order_.OthersSinceBarrier(first.segment, second.segment, warp)) return true;
    const bool to_first = order_.BeforeWarp(first.segment, warp, Clock::execution);
    if (!to_first && !order_.BeforeWarp(second.segment, warp, Clock::execution)) return false;
    if (!ignored(address)) (to_first ? first : second) = {now, lane, at};
    return true;
  }

  template <class Ignored>
  PADPROOF_SIMT_INLINE bool WriteWord(unsigned thread, uintptr_t address, Position at,
                                      Ignored ignored) {
    Cell* cell = shadow_.Peek(address);
    if (cell == nullptr || cell->split() || order_.exhausted()) return false;
    const unsigned warp = thread / kLanes;
    const Segment now = order_.Now(thread);
    const bool again = cell->writer == now && WriterLane(*cell) == thread % kLanes;
    const Holders& first = cell->holders[0];
    const Holders& second = cell->holders[1];
    if (again && first.segment == 0 && second.segment == 0) return true;
    if (first.atomic() || second.atomic()) return false;
    if (!again && !order_.BeforeWarp(cell->writer, warp, Clock::memory)) return false;
    if (!order_.BeforeWarp(first.segment, warp, Clock::execution)) return false;
    if (!order_.BeforeWarp(second.segment, warp, Clock::execution)) return false;
    if (!ignored(address)) *cell = {now, WriterInfo(thread, at), {}};
    return true;
  }

  uint64_t races() const { return races_; }          // all, reported or not
  uint64_t unwatched() const { return unwatched_; }  // accesses past a bound
  size_t shadow_pages() const { return shadow_.pages(); }

 private:
  /// One access as cells see it.
  struct Now {
    unsigned thread;
    Segment segment;
    uint32_t lane;  // its bit
    Access access;
    Position position;
    bool of_block;  // an atomic whose scope is its block
  };

  static constexpr uint32_t WriterInfo(unsigned thread, Position at) {
    return at | thread % kLanes << 26;
  }
  static constexpr unsigned WriterLane(const Cell& cell) {
    return cell.writer_info >> 26 & (kLanes - 1);
  }

  void Check(unsigned thread, uintptr_t address, size_t bytes, Access access, Position at,
             bool of_block = false) {
    if (order_.exhausted()) {
      unwatched_++;
      return;
    }
    const Now now{thread, order_.Now(thread), 1u << thread % kLanes, access, at, of_block};
    const uintptr_t end = address + bytes;
    for (uintptr_t word = address & ~uintptr_t{3}; word < end; word += 4) {
      Cell* cell = shadow_.Find(word);
      if (cell == nullptr) {
        unwatched_++;
        continue;
      }
      CheckPart(*cell, word, 4, std::max(address, word), std::min(end, word + 4), now);
    }
  }

  /// The bytes [begin, end) of the `width` bytes at `base` that `cell` stands for.
  void CheckPart(Cell& cell, uintptr_t base, unsigned width, uintptr_t begin, uintptr_t end,
                 const Now& now) {
    const bool whole = end - begin == width;
    CellPair* halves = shadow_.Halves(cell);
    if (whole && halves == nullptr) {
      CheckCell(cell, base, now);
      return;
    }
    if (halves == nullptr) halves = shadow_.Split(cell);
    if (halves == nullptr) {
      unwatched_++;
      return;
    }
    width /= 2;
    const uintptr_t middle = base + width;
    if (begin < middle) {
      CheckPart(halves->half[0], base, width, begin, std::min(end, middle), now);
    }
    if (end > middle) {
      CheckPart(halves->half[1], middle, width, std::max(begin, middle), end, now);
    }
    // A write of all bytes is all there is to know of them.
    if (whole && now.access == Access::write) {
      shadow_.Join(cell);
      cell = {now.segment, WriterInfo(now.thread, now.position), {}};
    }
  }

  void CheckCell(Cell& cell, uintptr_t address, const Now& now) {
    if (now.access == Access::atomic) ForgetGuesses(cell, address, now);
    const uint32_t writer = 1u << WriterLane(cell);
    if (Unordered(cell.writer, writer, now, Clock::memory, address) != 0) {
      Found({.access = Access::write, .position = cell.writer_info & kMaxPosition}, cell.writer,
            writer, address, now);
    }
    for (const Holders& holders : cell.holders) {
      const Access access = holders.atomic() ? Access::atomic : Access::read;
      if (access == now.access && !AtomicInBlocksOnly(holders, now)) continue;
      const Clock clock = holders.atomic() ? Clock::memory : Clock::execution;
      if (const uint32_t lanes = Unordered(holders.segment, holders.lanes, now, clock, address)) {
        Found({.access = access,
               .position = holders.info & kMaxPosition,
               .one_of_several = (holders.info & Holders::kSeveral) != 0},
              holders.segment, lanes, address, now);
      }
    }
    if (now.access == Access::write) {
      cell = {now.segment, WriterInfo(now.thread, now.position), {}};
    } else if (now.access == Access::atomic || cell.writer != now.segment ||
               writer != now.lane) {  // its write says more than its read
      Hold(cell, address, now);
    }
  }

  /// Two atomics of different blocks, of which one is none to other blocks.
  bool AtomicInBlocksOnly(const Holders& holders, const Now& now) const {
    return (now.of_block || holders.of_block()) && order_.OtherBlock(holders.segment);
  }

  /// What the thread read before its atomic: of this word, the atomic says all that the read does.
  void ForgetGuesses(Cell& cell, uintptr_t address, const Now& now) {
    pending_.Forgive(now.thread, block_, address);
    for (Holders& holders : cell.holders) {
      const bool own = WarpOf(holders.segment) == now.thread / kLanes &&
                       !order_.OtherBlock(holders.segment) && !holders.atomic();
      if (!own || holders.lanes == 0) continue;
      holders.lanes &= ~now.lane;
      if (holders.lanes == 0) holders = {};
    }
  }

  uint32_t Unordered(Segment segment, uint32_t lanes, const Now& now, Clock clock,
                     uintptr_t address) const {
    const uint32_t unordered = order_.Unordered(segment, lanes, now.thread, clock);
    return unordered != 0 && order_.OtherBlock(segment) && IsShared(address) ? 0 : unordered;
  }

  bool IsShared(uintptr_t address) const {
    return shared_.Contains(address) || static_.Contains(address);
  }

  /// Remembers a read or an atomic. Atomics on one cell come one after another, so what is ordered
  /// after the last of them is ordered after all: the last block may reset the counter of
  /// CUDA's last-block example by a plain write, although nothing else orders the others before it.
  void Hold(Cell& cell, uintptr_t address, const Now& now) {
    const bool atomic = now.access == Access::atomic;
    for (Holders& holders : cell.holders) {
      if (holders.atomic() != atomic) continue;
      if (atomic) {
        holders = {now.segment, now.lane, InfoOf(now)};
        return;
      }
      if (holders.segment != now.segment) continue;
      holders.lanes |= now.lane;
      if ((holders.info & kMaxPosition) != now.position) holders.info |= Holders::kSeveral;
      return;
    }
    // What is not ordered after this access is not ordered after one that was ordered before this
    // one either, so of those alike the newcomer alone is kept.
    const Clock clock = atomic ? Clock::memory : Clock::execution;
    Holders* place = nullptr;
    for (int i : {1, 0}) {
      Holders& holders = cell.holders[i];
      if (holders.atomic() != atomic && !order_.BeforeBlock(holders.segment)) continue;
      if (Unordered(holders.segment, holders.lanes, now, clock, address) == 0) place = &holders;
    }
    if (place == nullptr) place = LeastMissed(cell, now);
    if (place == nullptr) return;
    *place = {now.segment, now.lane, InfoOf(now)};
  }

  static uint32_t InfoOf(const Now& now) {
    if (now.access != Access::atomic) return now.position;
    return now.position | Holders::kAtomic | (now.of_block ? Holders::kOfBlock : 0);
  }

  /// What to give up where both holders tell something; null: the newcomer.
  Holders* LeastMissed(Cell& cell, const Now& now) const {
    Holders& first = cell.holders[0];
    Holders& second = cell.holders[1];
    // One of the other kind is ordered before the newcomer, or their race was found just now. So it
    // would only matter to a third access that does not race with the newcomer.
    const bool atomic = now.access == Access::atomic;
    if (second.atomic() != atomic) return &second;
    if (first.atomic() != atomic) return &first;
    const bool one_warp = WarpOf(first.segment) == WarpOf(second.segment) &&
                          order_.OtherBlock(first.segment) == order_.OtherBlock(second.segment);
    return one_warp && WarpOf(now.segment) != WarpOf(first.segment) ? &second : nullptr;
  }

  // ---- reports ----------------------------------------------------------------------------------

  __attribute__((cold, noinline)) void Found(Party earlier, Segment segment, uint32_t lanes,
                                             uintptr_t address, const Now& now) {
    earlier.thread = WarpOf(segment) * kLanes + static_cast<unsigned>(std::countr_zero(lanes));
    earlier.block = order_.BlockOf(segment);
    Reason reason = Reason::no_barrier;
    if (earlier.access == Access::atomic && now.access == Access::atomic) {
      reason = Reason::scope_of_block;
    } else if (order_.OtherBlock(segment)) {
      reason = Reason::other_block;
    } else if (order_.Unordered(segment, lanes, now.thread, Clock::execution) == 0) {
      reason = Reason::shuffle_only;
    }
    const Party later{now.access, block_, now.thread, now.position, false};
    const Race race{earlier, later, address, reason};
    if (earlier.access == Access::read && now.access == Access::atomic) {
      HoldBack(race, lanes);
    } else if (earlier.access == Access::atomic && now.access == Access::read) {
      HoldBack(race, now.lane);
    } else {
      ReportOnce(race);
    }
  }

  void HoldBack(const Race& race, uint32_t lanes) {
    if (pending_.full()) Settle();
    pending_.Add(race, lanes);
  }

  void Settle(unsigned warp, uint32_t lanes) {
    pending_.Settle(warp, lanes, [this](const Race& race) { ReportOnce(race); });
  }

  void ReportOnce(const Race& race) {
    constexpr size_t kMaxReports = 64;  // a launch
    races_++;
    for (const Pair& pair : reported_) {
      if (pair.earlier == race.earlier.position && pair.later == race.later.position) return;
    }
    if (reported_.size() == kMaxReports) return;
    reported_.push_back({race.earlier.position, race.later.position});
    report_(race);
  }

  struct Pair {
    Position earlier, later;
  };

  Report report_;
  HappensBefore order_;
  Shadow shadow_;
  Ranges shared_;  // of the launch
  Ranges static_;
  PendingReads pending_;
  std::vector<Pair> reported_;  // in this launch
  uint32_t block_ = 0;
  uint64_t races_ = 0;
  uint64_t unwatched_ = 0;
};

}  // namespace
}  // namespace race
}  // namespace host_build
}  // namespace padproof::simt
