// The race checker's judgement on random event sequences, against a checker that remembers
// everything; and what bounds its memory.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <utility>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/race_test_events.h"

namespace padproof::simt {
namespace {

// ---- against a checker that remembers everything ------------------------------------------------

using Times = std::vector<int>;  // by thread: of its last access that is ordered before

void Raise(Times& to, const Times& from) {
  for (size_t t = 0; t < to.size(); t++) to[t] = std::max(to[t], from[t]);
}

/// What a thread or an atomic variable knows.
struct Known {
  Times execution, memory;
  explicit Known(size_t threads) : execution(threads, -1), memory(threads, -1) {}
  void Join(const Known& other, bool orders_memory) {
    Raise(execution, other.execution);
    if (orders_memory) Raise(memory, other.memory);
  }
};

/// Vector clocks of all threads over all others, and every access ever made.
class Oracle {
 public:
  explicit Oracle(size_t threads)
      : known_(threads, Known(threads)), fenced_(known_), released_(4, Known(threads)) {}

  void Join(const std::vector<unsigned>& members, bool orders_memory) {
    for (auto* of : {&known_, &fenced_}) {
      Known joined((*of)[0].memory.size());
      for (unsigned m : members) {
        if (of == &known_) See(m);
        joined.Join((*of)[m], true);
      }
      for (unsigned m : members) (*of)[m].Join(joined, orders_memory);
    }
  }
  void Fence(unsigned thread) {
    See(thread);
    fenced_[thread].Join(known_[thread], true);
  }
  void PassOn(unsigned thread, size_t atomic) {
    known_[thread].Join(released_[atomic], true);
    released_[atomic].Join(fenced_[thread], true);
  }
  /// Of the atomics on a word only the last one counts: the others came before it. What a thread
  /// read before its own atomic was a guess.
  bool Races(unsigned thread, Access access, uintptr_t begin, uintptr_t end) const {
    std::vector<const Event*> later_atomics;
    for (auto event = events_.rbegin(); event != events_.rend(); ++event) {
      const Event& e = *event;
      const bool superseded = std::ranges::any_of(later_atomics, [&](const Event* atomic) {
        if (e.begin / 4 != atomic->begin / 4) return false;
        return e.access == Access::atomic ||
               (e.access == Access::read && e.thread == atomic->thread);
      });
      if (e.access == Access::atomic) later_atomics.push_back(&e);
      if (superseded || e.thread == thread || e.end <= begin || end <= e.begin) continue;
      if (e.access == access && access != Access::write) continue;
      const Known& known = known_[thread];
      if ((e.access == Access::read ? known.execution : known.memory)[e.thread] < e.time) {
        return true;
      }
    }
    return false;
  }
  /// Remembered word by word.
  void Do(unsigned thread, Access access, uintptr_t begin, uintptr_t end) {
    for (uintptr_t word = begin & ~uintptr_t{3}; word < end; word += 4) {
      events_.push_back({thread, access, std::max(begin, word), std::min(end, word + 4), time_});
    }
    time_++;
  }

 private:
  struct Event {
    unsigned thread;
    Access access;
    uintptr_t begin, end;
    int time;
  };
  void See(unsigned thread) {
    known_[thread].execution[thread] = known_[thread].memory[thread] = time_ - 1;
  }
  std::vector<Known> known_, fenced_, released_;
  std::vector<Event> events_;
  int time_ = 0;
};

struct Tally {
  int clean = 0, racy = 0, missed = 0, false_alarms = 0;
};

/// Blocks of 36 threads, of which `used` do something; the second warp has four lanes.
class RandomRun {
 public:
  RandomRun(Events& events, uint64_t seed, unsigned blocks, std::vector<unsigned> used,
            bool mixed = true)
      : events_(events),
        random_(seed),
        blocks_(blocks),
        used_(std::move(used)),
        mixed_(mixed),
        oracle_(blocks_ * kThreads) {}

  void Follow(Tally& tally) {
    const uint64_t ordering = 1 + random_.Below(7);  // of ten events
    events_.checker->BeginLaunch(kThreads);
    for (block_ = 0; block_ < blocks_; block_++) {
      events_.Block(block_);
      for (int step = 0; step < 60; step++) {
        if (random_.Below(10) < ordering) {
          OrderSomehow();
        } else if (!AccessSomehow(tally)) {
          return;
        }
      }
    }
  }

 private:
  static constexpr unsigned kThreads = 36;

  unsigned Linear(unsigned thread) const { return block_ * kThreads + thread; }

  void OrderSomehow() {
    const uint64_t kind = random_.Below(12);
    if (kind < 2) {
      const unsigned thread = AnyThread();
      oracle_.Fence(Linear(thread));
      events_.Fence(thread);
      return;
    }
    const bool barrier = kind == 2;
    const unsigned warp = static_cast<unsigned>(random_.Below(2));
    uint32_t mask = warp == 1 ? 0xf : kAll;
    if (kind >= 6) mask &= static_cast<uint32_t>(random_.Next()) | 1u << random_.Below(4);
    std::vector<unsigned> members;
    for (unsigned t = 0; t < kThreads; t++) {
      if (barrier || (t / 32 == warp && (mask >> t % 32 & 1) != 0)) members.push_back(Linear(t));
    }
    const bool orders_memory = barrier || kind % 2 == 1;
    oracle_.Join(members, orders_memory);
    if (barrier) {
      events_.Barrier();
    } else {
      events_.checker->WarpOperation(warp, mask, orders_memory);
    }
  }

  unsigned AnyThread() { return used_[random_.Below(used_.size())]; }

  /// False at the first race, reported or not. Most accesses that would race are left out.
  bool AccessSomehow(Tally& tally) {
    const unsigned thread = AnyThread();
    const uint64_t kind = random_.Below(12);
    const Access access = kind < 3 ? Access::atomic : (kind < 6 ? Access::write : Access::read);
    const size_t bytes = access == Access::atomic ? 4 : size_t{1} << random_.Below(4);
    uint64_t word = random_.Below(16 / std::max<size_t>(bytes, 4)) * (bytes == 8 ? 2 : 1);
    if (!mixed_) word = access == Access::atomic ? 3 : random_.Below(2);
    const uintptr_t address = kWord + 4 * word + (bytes < 4 ? random_.Below(4 / bytes) * bytes : 0);
    const bool racy = oracle_.Races(Linear(thread), access, address, address + bytes);
    if (racy && random_.Below(16) != 0) return true;
    oracle_.Do(Linear(thread), access, address, address + bytes);
    const uint64_t before = events_.races();
    if (access == Access::read) events_.Read(thread, address, bytes);
    if (access == Access::write) events_.Write(thread, address, bytes);
    if (access == Access::atomic) {
      events_.Atomic(thread, address);
      oracle_.PassOn(Linear(thread), word);
    }
    const bool reported = events_.races() != before;
    tally.clean += !racy;
    tally.racy += racy;
    tally.missed += racy && !reported;
    tally.false_alarms += reported && !racy;
    return !racy && !reported;
  }

  Events& events_;
  Random random_;
  unsigned blocks_;
  unsigned block_ = 0;
  std::vector<unsigned> used_;
  bool mixed_;  // atomics and plain accesses meet; else the last word has all atomics
  Oracle oracle_;
};

TEST(RaceChecker, AgreesWithACheckerThatRemembersEverything) {
  Events events(36);
  Tally tally;
  for (uint64_t seed = 0; seed < 9'000; seed++) {
    RandomRun(events, seed, 1 + seed % 3, {0, 1, 2, 33, 34}).Follow(tally);
  }
  EXPECT_EQ(tally.false_alarms, 0);
  EXPECT_GT(tally.clean, 90'000);
  EXPECT_GT(tally.racy, 6'000);
  EXPECT_LT(tally.missed * 40, tally.racy);  // readers or atomics that did not fit
  RecordProperty("clean", tally.clean);
  RecordProperty("racy", tally.racy);
  RecordProperty("missed", tally.missed);
}

TEST(RaceChecker, MissesNothingBetweenTwoThreads) {
  Events events(36);
  Tally tally;
  for (uint64_t seed = 0; seed < 4'000; seed++) {
    RandomRun(events, seed, 1, {0, seed % 2 == 0 ? 33u : 1u}, false).Follow(tally);
    RandomRun(events, seed, 2, {0}, false).Follow(tally);
  }
  EXPECT_EQ(tally.false_alarms, 0);
  EXPECT_EQ(tally.missed, 0);
  EXPECT_GT(tally.racy, 4'000);
}

// ---- bounds -------------------------------------------------------------------------------------

size_t ResidentBytes() {
  size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST(RaceChecker, MemoryStaysFlatOverAMillionLaunches) {
#if defined(SIMT_ASAN)
  GTEST_SKIP() << "AddressSanitizer keeps what was freed";
#endif
  Events run;
  const auto launch = [&](uint64_t i) {
    run.checker->BeginLaunch(64);
    run.checker->BeginBlock(0);
    const uintptr_t wandering = kWord + (i >> 6 << 20);
    for (unsigned t = 0; t < 8; t++) run.Write(t, wandering + 4 * t).Read(t, wandering + 64 + t, 1);
    run.Fence(0).Atomic(0, wandering + 128);
  };
  for (uint64_t i = 0; i < 2'000; i++) launch(i);
  const size_t before = ResidentBytes();
  for (uint64_t i = 0; i < 1'000'000; i++) launch(i);
  EXPECT_CLEAN(run);
  EXPECT_EQ(run.checker->unwatched(), 0u);
  EXPECT_LE(run.checker->shadow_pages(), 128u);
  EXPECT_LT(ResidentBytes(), before + (size_t{16} << 20));
}

TEST(RaceChecker, MemoryPastTheBoundIsNotWatched) {
  Events run;
  for (uintptr_t page = 0; page < 200; page++) run.Write(0, kWord + (page << 20));
  EXPECT_EQ(run.checker->unwatched(), 72u);
  EXPECT_RACE(run.Write(1), Reason::no_barrier);
  run.checker->BeginLaunch(64);
  EXPECT_EQ(run.Block(0).Write(0, kWord + (uintptr_t{199} << 20)).checker->unwatched(), 72u);
  run.Read(0, ~uintptr_t{3});  // no address at all
}

TEST(RaceChecker, SegmentNumbersAreUsedAnew) {
  Events run(1024);
  const auto clean_then_racy = [&] {
    run.checker->BeginLaunch(1024);
    const uint64_t before = run.races();
    run.Block(0).Write(0).Barrier().Read(500).SyncWarp(3, 0b11).Barrier().Write(96);
    EXPECT_EQ(run.races(), before);
    run.Read(97);
    EXPECT_EQ(run.races(), before + 1);
  };
  // One launch may use 2^27 segments of which a barrier takes 32; what comes later is not checked.
  clean_then_racy();
  for (int i = 0; i < 3'000'000; i++) run.Barrier();
  run.Write(0);
  EXPECT_EQ(run.checker->unwatched(), 0u);
  clean_then_racy();
  for (int i = 0; i < 4'300'000; i++) run.Barrier();
  const uint64_t before = run.races();
  run.Write(0).Read(1).Read(0);
  EXPECT_EQ(run.races(), before);
  EXPECT_GT(run.checker->unwatched(), 0u);
  clean_then_racy();
}

}  // namespace
}  // namespace padproof::simt
