// The race checker's judgement on event sequences made by hand, racy and clean. On random ones:
// race_checker_random_test.cc.

#include <gtest/gtest.h>

#include <cstdint>

#include "harness/simt/race_test_events.h"

namespace padproof::simt {
namespace {

// ---- barriers -----------------------------------------------------------------------------------

TEST(RaceChecker, TwoThreadsAndAWriteNeedABarrier) {
  EXPECT_RACE(Events().Write(0).Read(1), Reason::no_barrier);
  EXPECT_RACE(Events().Write(0).Read(64), Reason::no_barrier);
  EXPECT_RACE(Events().Write(0).Write(64), Reason::no_barrier);
  EXPECT_RACE(Events().Read(0).Write(64), Reason::no_barrier);
  EXPECT_RACE(Events().Read(5).Write(4), Reason::no_barrier);
  EXPECT_CLEAN(Events().Read(0).Read(1).Read(64));
  EXPECT_CLEAN(Events().Write(0).Barrier().Read(64).Read(1).Barrier().Write(1).Barrier().Write(2));
  EXPECT_CLEAN(Events().Write(7).Read(7).Write(7).Atomic(7).Write(7).Shuffle(0).Write(7));
}

TEST(RaceChecker, AReportNamesBothSides) {
  Events run;
  run.Block(3).Write(70).Read(33);
  ASSERT_EQ(found.size(), 1u);
  const Race& race = found[0];
  EXPECT_EQ(race.earlier.access, Access::write);
  EXPECT_EQ(race.later.access, Access::read);
  EXPECT_EQ(race.earlier.thread, 70u);
  EXPECT_EQ(race.later.thread, 33u);
  EXPECT_EQ(race.earlier.block, 3u);
  EXPECT_EQ(race.later.block, 3u);
  EXPECT_EQ(race.earlier.position, 1u);
  EXPECT_EQ(race.later.position, 2u);
  EXPECT_EQ(race.address, kWord);
}

TEST(RaceChecker, OnePairOfPositionsIsReportedOnceALaunch) {
  Events run;
  const auto race_twice = [&] {
    for (uintptr_t word : {kWord, kWord + 4}) {
      run.WriteAt(0, word, 4, 11);
      run.ReadAt(1, word, 4, 12);
    }
  };
  race_twice();
  EXPECT_EQ(run.races(), 2u);
  EXPECT_EQ(found.size(), 1u);
  run.checker->BeginLaunch(128);
  run.checker->BeginBlock(0);
  race_twice();
  EXPECT_EQ(found.size(), 2u);
}

TEST(RaceChecker, AWriteMeetsReadersOfEveryOtherWarp) {
  for (unsigned writer : {0u, 32u, 64u, 96u}) {
    Events run;
    for (unsigned t = 0; t < 128; t++) run.Read(t);
    run.Write(writer);
    EXPECT_GE(run.races(), 1u) << writer;
  }
  // Readers of the writer's own warp alone, then of no other thread.
  Events own;
  for (unsigned t = 0; t < 32; t++) own.Read(t);
  EXPECT_RACE(own.Write(9), Reason::no_barrier);
  EXPECT_EQ(found[0].earlier.thread, 0u);
  EXPECT_TRUE(found[0].earlier.one_of_several);
}

// Three readers and room for two: kept are those that the writer is not ordered after.
TEST(RaceChecker, ReadersAreGivenUpWhereTheyMatterLeast) {
  EXPECT_RACE(Events().Read(0).SyncWarp(0, 0b10).Read(1).Read(32).SyncWarp(0, 0b111).Write(2),
              Reason::no_barrier);
  EXPECT_EQ(found[0].earlier.thread, 32u);
  constexpr uintptr_t kFlag = kWord + 64, kOther = kWord + 68;
  Events events;
  events.Read(0).Read(32).Fence(0).Atomic(0, kFlag).Atomic(64, kFlag).Read(64);
  events.Fence(32).Atomic(32, kOther).Atomic(96, kFlag).Atomic(96, kOther);
  EXPECT_RACE(events.Write(96), Reason::no_barrier);
  EXPECT_EQ(found[0].earlier.thread, 64u);
}

TEST(RaceChecker, DoubleBufferedTilesNeedOneBarrierAStep) {
  const auto steps = [](Events& run, bool barrier) {
    for (unsigned step = 0; step < 6; step++) {
      const uintptr_t tile = kWord + step % 2 * 512;
      for (unsigned t = 0; t < 128; t++) run.Write(t, tile + 4 * t);
      if (barrier || step != 4) run.Barrier();
      for (unsigned t = 0; t < 128; t++) run.Read(t, tile + 4 * ((t + 1) % 128));
    }
  };
  Events good;
  steps(good, true);
  EXPECT_CLEAN(good);
  Events bad;
  steps(bad, false);
  EXPECT_GE(bad.races(), 1u);
}

// ---- bytes --------------------------------------------------------------------------------------

TEST(RaceChecker, NeighboursInAWordAreNoRace) {
  EXPECT_CLEAN(Events().Write(0, kWord, 2).Write(1, kWord + 2, 2).Read(0, kWord, 2));
  Events bytes;
  for (unsigned t = 0; t < 64; t++) bytes.Write(t, kWord + t, 1).Read(t, kWord + t, 1);
  EXPECT_CLEAN(bytes);
  EXPECT_CLEAN(Events().Read(0, kWord, 2).Read(1, kWord + 2, 2).Write(0, kWord, 2));
  EXPECT_CLEAN(Events().Write(0, kWord + 3, 4).Write(1, kWord + 7, 4).Write(2, kWord, 2));
}

TEST(RaceChecker, EveryByteOfAWordIsRemembered) {
  EXPECT_RACE(Events().Write(0, kWord, 2).Write(1, kWord + 2, 2).Read(1, kWord, 2),
              Reason::no_barrier);
  EXPECT_RACE(Events().Write(0, kWord, 2).Write(1, kWord + 2, 2).Read(0, kWord + 2, 2),
              Reason::no_barrier);
  EXPECT_RACE(Events().Write(0).Read(1, kWord + 3, 1), Reason::no_barrier);
  EXPECT_RACE(Events().Write(0, kWord + 3, 1).Read(1), Reason::no_barrier);
  EXPECT_EQ(found[0].address, kWord + 3);
  EXPECT_RACE(Events().Write(0, kWord, 16).Read(1, kWord + 13, 1), Reason::no_barrier);
  EXPECT_RACE(Events().Write(0, kWord + 2, 4).Read(1, kWord + 5, 1), Reason::no_barrier);
  EXPECT_CLEAN(Events().Write(0, kWord + 2, 4).Read(1, kWord + 6, 1).Read(1, kWord + 1, 1));
}

TEST(RaceChecker, AWholeWriteAfterPartsIsWholeAgain) {
  Events run;
  for (int i = 0; i < 5'000'000 && run.checker->unwatched() == 0; i++) {
    run.WriteAt(0, kWord, 1, 1);
    run.WriteAt(0, kWord, 4, 2);
  }
  EXPECT_EQ(run.checker->unwatched(), 0u);  // parts are given back
  EXPECT_RACE(run.Read(1, kWord + 3, 1), Reason::no_barrier);
}

// ---- warps --------------------------------------------------------------------------------------

TEST(RaceChecker, SyncWarpOrdersItsMembersOnly) {
  EXPECT_CLEAN(Events().Write(0).SyncWarp(0).Read(31));
  EXPECT_CLEAN(Events().Write(0).SyncWarp(0, 0b11).Read(1));
  EXPECT_RACE(Events().Write(0).SyncWarp(0, 0b11).Read(2), Reason::no_barrier);
  EXPECT_RACE(Events().Write(0).SyncWarp(1).Read(1), Reason::no_barrier);
  EXPECT_RACE(Events().Write(0).SyncWarp(0).SyncWarp(1).Read(32), Reason::no_barrier);
  EXPECT_RACE(Events().SyncWarp(0).Write(0).Read(1), Reason::no_barrier);
  // A warp of four lanes.
  EXPECT_CLEAN(Events(36).Write(32).SyncWarp(1, 0xf).Read(35));
}

// Four lanes a, b, c, d; sync {a,b}, {b,c}, {c,d} in each order: the write of a is before d's read
// exactly if the three come in this order.
TEST(RaceChecker, SyncWarpsOfPairsMakeChains) {
  const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (unsigned subset = 0; subset < 32 * 31 * 30 * 29; subset += 37) {
    unsigned lanes[4], rest = subset;
    bool distinct = true;
    for (int i = 0; i < 4; i++) {
      lanes[i] = rest % 32;
      rest /= 29;
      for (int j = 0; j < i; j++) distinct &= lanes[j] != lanes[i];
    }
    if (!distinct) continue;
    static Events run(32);
    for (const auto& order : orders) {
      run.checker->BeginBlock(0);
      run.checker->BeginLaunch(32);
      run.checker->BeginBlock(0);
      const uint64_t before = run.races();
      run.Write(lanes[0]);
      for (unsigned pair : order) run.SyncWarp(0, 1u << lanes[pair] | 1u << lanes[pair + 1]);
      run.Read(lanes[3]);
      const bool chain = order[0] == 0 && order[1] == 1;
      ASSERT_EQ(run.races() - before, chain ? 0u : 1u) << subset;
    }
  }
}

TEST(RaceChecker, AShuffleOrdersExecutionButNotMemory) {
  EXPECT_RACE(Events().Write(0).Shuffle(0).Read(1), Reason::shuffle_only);
  EXPECT_RACE(Events().Write(0).Shuffle(0).Write(1), Reason::shuffle_only);
  EXPECT_CLEAN(Events().Read(0).Shuffle(0).Write(1));
  EXPECT_RACE(Events().Read(0).Shuffle(0, 0b1010).Write(1), Reason::no_barrier);
  EXPECT_RACE(Events().Write(0).Shuffle(0, 0b11).Read(1), Reason::shuffle_only);
  EXPECT_CLEAN(Events().Read(0).Shuffle(0, 0b11).Write(1));
  EXPECT_CLEAN(Events().Write(0).Shuffle(0).SyncWarp(0).Shuffle(0).Read(1));
  EXPECT_RACE(Events().Atomic(0).Shuffle(0).Read(1), Reason::shuffle_only);
}

TEST(RaceChecker, LanesThatLeftAreNotOrderedBySyncWarp) {
  // Lane 0 is gone: the operation has the rest of the warp as members.
  EXPECT_RACE(Events().Write(0).SyncWarp(0, kAll & ~1u).Read(1), Reason::no_barrier);
  EXPECT_CLEAN(Events().Write(0).Barrier().Read(1));  // a barrier orders them, too
}

// ---- atomics ------------------------------------------------------------------------------------

TEST(RaceChecker, AtomicsRaceWithPlainAccessesOnly) {
  Events all;
  for (unsigned t = 0; t < 128; t++) all.Atomic(t);
  EXPECT_CLEAN(all);
  EXPECT_CLEAN(
      Events().Write(0).Barrier().Atomic(1).Atomic(99).Barrier().Read(5).Barrier().Write(6));
  EXPECT_RACE(Events().Write(0).Atomic(1), Reason::no_barrier);
  EXPECT_RACE(Events().Atomic(1).Write(0), Reason::no_barrier);
  EXPECT_RACE(Events().Atomic(1).Read(0), Reason::no_barrier);
  EXPECT_RACE(Events().Read(1).Atomic(0), Reason::no_barrier);
  // The last one to count knows that all have counted; the others do not.
  const auto all_count = [](unsigned reader) {
    Events run;
    for (unsigned t = 0; t < 128; t++) run.Atomic(t);
    return run.Read(reader).races();
  };
  EXPECT_GE(all_count(126), 1u);
  EXPECT_EQ(all_count(127), 0u);
  // Look first, then act.
  EXPECT_GE(Events().Read(0).Atomic(0).Read(64).races(), 1u);
  EXPECT_EQ(Events().Block(0).Atomic(0).Block(1).Atomic(0).Block(2).Atomic(5).races(), 0u);
}

TEST(RaceChecker, AFlagInSharedMemoryNeedsAFence) {
  constexpr uintptr_t kFlag = kWord + 64;
  for (bool device : {false, true}) {
    EXPECT_CLEAN(Events().Write(0).Fence(0, device).Atomic(0, kFlag).Atomic(64, kFlag).Read(64));
  }
  EXPECT_RACE(Events().Write(0).Atomic(0, kFlag).Atomic(64, kFlag).Read(64), Reason::no_barrier);
  EXPECT_RACE(Events().Write(0).Fence(0).Atomic(0, kFlag).Atomic(64, kFlag).Read(65),
              Reason::no_barrier);
  EXPECT_RACE(Events().Write(0).Fence(0).Atomic(0, kFlag).Atomic(64, kFlag + 4).Read(64),
              Reason::no_barrier);
  // What comes after the fence is not released by it.
  EXPECT_RACE(Events().Fence(0).Write(0).Atomic(0, kFlag).Atomic(64, kFlag).Read(64),
              Reason::no_barrier);
  EXPECT_CLEAN(
      Events().Write(0).Fence(0).Atomic(0, kFlag).Atomic(64, kFlag).SyncWarp(2).Read(65).Read(64));
  // A shuffle hands on that others have read, but not that they have written.
  EXPECT_CLEAN(Events().Read(0).Fence(0).Atomic(0, kFlag).Atomic(64, kFlag).Shuffle(2).Write(65));
  EXPECT_RACE(Events().Write(0).Fence(0).Atomic(0, kFlag).Atomic(64, kFlag).Shuffle(2).Read(65),
              Reason::shuffle_only);
  // Plain flags order nothing.
  EXPECT_GE(Events().Write(0).Fence(0).Write(0, kFlag).Read(64, kFlag).Read(64).races(), 2u);
}

// ---- blocks -------------------------------------------------------------------------------------

TEST(RaceChecker, BlocksOfALaunchAreConcurrentWhateverTheirOrder) {
  EXPECT_RACE(Events().Write(0).Block(1).Write(0), Reason::other_block);
  EXPECT_RACE(Events().Write(0).Barrier().Block(1).Read(3), Reason::other_block);
  EXPECT_RACE(Events().Block(9).Read(0).Block(1).Barrier().Write(0), Reason::other_block);
  EXPECT_EQ(found[0].earlier.block, 9u);
  EXPECT_EQ(found[0].later.block, 1u);
  EXPECT_CLEAN(Events().Read(0).Block(1).Read(0).Block(2).Read(77));
  EXPECT_CLEAN(Events().Write(0, kWord, 2).Block(1).Write(0, kWord + 2, 2));
}

TEST(RaceChecker, LaunchesAreOrdered) {
  Events run;
  for (int launch = 0; launch < 5; launch++) {
    run.Write(launch).Read(launch).Read(launch, kWord + 4).Write(launch, kWord + 9, 1);
    run.Atomic(launch, kWord + 16);
    run.checker->BeginLaunch(128);
    run.checker->BeginBlock(0);
    run.Read(launch + 1, kWord + 9, 1);
  }
  EXPECT_CLEAN(run);
}

TEST(RaceChecker, SharedMemoryOfTheNextBlockIsOtherMemory) {
  Events run;
  for (uint32_t block = 0; block < 4; block++) {
    run.Block(block);
    run.checker->Forget(kWord, 256);
    run.Write(block).Barrier().Read(64 + block).Atomic(3, kWord + 8).Write(7, kWord + 13, 1);
  }
  EXPECT_CLEAN(run);
  run.Barrier().Read(5).Write(6);  // and races in it are still seen
  EXPECT_EQ(run.races(), 1u);
  EXPECT_EQ(run.Write(0, kWord + 256).Block(9).Write(0, kWord + 256).races(), 2u);

  Events fixed;
  fixed.checker->AlwaysShared(kWord, 4);
  fixed.Write(0).Block(1).Write(1);
  fixed.checker->BeginLaunch(64);
  EXPECT_CLEAN(fixed.Block(0).Write(0).Block(1).Write(1));
}

TEST(RaceChecker, AFlagInSharedMemoryTellsTheNextBlockNothing) {
  constexpr uintptr_t kFlag = kWord + 64;
  Events run;
  run.checker->Forget(kFlag, 4);
  run.Write(0).Fence(0).Atomic(0, kFlag).Block(1);
  run.checker->Forget(kFlag, 4);
  EXPECT_RACE(run.Atomic(0, kFlag).Read(0), Reason::other_block);
}

/// Block 0 and 1 write a partial result each with `write`, block 2 is the last one to count.
template <class Finish>
uint64_t LastBlockDone(Finish finish, bool barrier_before_reading) {
  constexpr uintptr_t kCounter = kWord + 4096;
  Events run;
  for (uint32_t block = 0; block < 3; block++) {
    run.Block(block);
    for (unsigned t = 0; t < 64; t++) run.Write(t, kWord + 256 * block + 4 * t);
    finish(run, kCounter);
  }
  if (barrier_before_reading) run.Barrier();
  for (unsigned t = 0; t < 128; t++) run.Read(t, kWord + 256 * (t % 3) + 4 * (t % 64));
  return run.races();
}

TEST(RaceChecker, TheLastBlockMayReadWhatOthersReleased) {
  const auto fence_all_then_barrier = [](Events& run, uintptr_t counter) {
    for (unsigned t = 0; t < 128; t++) run.Fence(t);
    run.Barrier().Atomic(0, counter);
  };
  const auto barrier_then_one_fence = [](Events& run, uintptr_t counter) {
    run.Barrier().Fence(0).Atomic(0, counter);
  };
  const auto each_thread_counts = [](Events& run, uintptr_t counter) {
    for (unsigned t = 0; t < 128; t++) run.Fence(t).Atomic(t, counter);
  };
  EXPECT_EQ(LastBlockDone(fence_all_then_barrier, true), 0u);
  EXPECT_EQ(LastBlockDone(barrier_then_one_fence, true), 0u);
  EXPECT_EQ(LastBlockDone(each_thread_counts, true), 0u);
  // Only thread 0 knows, in the first two.
  EXPECT_GT(LastBlockDone(fence_all_then_barrier, false), 0u);
  EXPECT_GT(LastBlockDone(barrier_then_one_fence, false), 0u);
}

TEST(RaceChecker, TheLastBlockMayNotReadWhatWasNotReleased) {
  const auto no_fence = [](Events& run, uintptr_t counter) { run.Barrier().Atomic(0, counter); };
  const auto no_barrier = [](Events& run, uintptr_t counter) { run.Fence(0).Atomic(0, counter); };
  const auto fence_after = [](Events& run, uintptr_t counter) {
    run.Barrier().Atomic(0, counter).Fence(0);
  };
  const auto fence_of_block = [](Events& run, uintptr_t counter) {
    run.Barrier().Fence(0, false).Atomic(0, counter);
  };
  const auto plain_counter = [](Events& run, uintptr_t) { run.Barrier().Fence(0); };
  EXPECT_GT(LastBlockDone(no_fence, true), 0u);
  EXPECT_GT(LastBlockDone(no_barrier, true), 0u);
  EXPECT_GT(LastBlockDone(fence_after, true), 0u);
  EXPECT_GT(LastBlockDone(fence_of_block, true), 0u);
  EXPECT_GT(LastBlockDone(plain_counter, true), 0u);
}

TEST(RaceChecker, KnowledgeIsHandedOnFromBlockToBlock) {
  constexpr uintptr_t kFlag = kWord + 512;
  Events run;
  for (uint32_t block = 0; block < 20; block++) {  // a chain of flags, one a block
    run.Block(block).Write(0, kWord + 4 * block);
    if (block > 0) run.Atomic(0, kFlag + 4 * (block - 1));
    for (uint32_t b = 0; b < block; b++) run.Read(0, kWord + 4 * b);
    run.Fence(0).Atomic(0, kFlag + 4 * block);
  }
  EXPECT_CLEAN(run);
  // By a barrier inside the second of three blocks.
  Events relay;
  relay.Write(0).Fence(0).Atomic(0, kFlag).Block(1).Atomic(0, kFlag).Barrier().Fence(99);
  EXPECT_CLEAN(relay.Atomic(99, kFlag + 4).Block(2).Atomic(5, kFlag + 4).Read(5));
  EXPECT_RACE(run.Block(20).Atomic(0, kFlag + 4 * 10).Read(0, kWord + 4 * 11), Reason::other_block);
}

}  // namespace
}  // namespace padproof::simt
