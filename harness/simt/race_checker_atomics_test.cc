// The race checker's judgement where plain accesses meet atomics that other atomics order: first
// guesses of loops around atomicCAS, and counters that the last to count resets.

#include <gtest/gtest.h>

#include "harness/simt/race_test_events.h"

namespace padproof::simt {
namespace {

// The Programming Guide's loops around atomicCAS, which read the word first.
TEST(RaceChecker, AReadThatItsThreadsAtomicCorrectsIsNoRace) {
  EXPECT_CLEAN(Events().Atomic(0).Read(64).Atomic(64));
  EXPECT_CLEAN(Events().Read(0).Read(64).Atomic(64).Atomic(0).Atomic(0));
  EXPECT_CLEAN(
      Events().Block(0).Read(0).Atomic(0).Block(1).Read(0).Atomic(0).Block(2).Read(9).Atomic(9));
  Events warp;
  for (unsigned t = 0; t < 64; t++) warp.Read(t);
  for (unsigned t = 0; t < 64; t++) warp.Atomic(t);
  EXPECT_CLEAN(warp);
  EXPECT_CLEAN(Events().Atomic(0, kWord).Read(64, kWord, 8).Read(64, kWord + 4).Atomic(64, kWord));
  // One that is not corrected, at all, in time, at that address, or by that thread.
  EXPECT_RACE(Events().Read(0).Read(64).Atomic(64), Reason::no_barrier);
  EXPECT_EQ(found[0].earlier.thread, 0u);
  EXPECT_RACE(Events().Atomic(0).Read(64).SyncWarp(2), Reason::no_barrier);
  EXPECT_RACE(Events().Atomic(0).Read(64).Barrier().Atomic(64), Reason::no_barrier);
  EXPECT_RACE(Events().Atomic(0).Read(64).Atomic(64, kWord + 4), Reason::no_barrier);
  EXPECT_EQ(Events().Atomic(0).Read(64).Atomic(65).races(), 2u);
  EXPECT_EQ(Events().Block(0).Atomic(0).Block(1).Read(0).Block(2).Read(0).Atomic(0).races(), 2u);
  // What others write is no less a race for it.
  EXPECT_GE(Events().Write(0).Read(64).Atomic(64).races(), 1u);
  EXPECT_GE(Events().Read(64).Atomic(64).Write(0).races(), 1u);
}

// CUDA's last-block example: the block that counted last resets the counter by a plain write.
TEST(RaceChecker, WhoCountedLastMayResetTheCounter) {
  const auto blocks_count = [](unsigned resets, bool waits) {
    Events run;
    for (unsigned block = 0; block < 4; block++) run.Block(block).Atomic(0);
    if (waits) run.Barrier();
    return run.Write(resets).races();
  };
  EXPECT_EQ(blocks_count(0, false), 0u);
  EXPECT_EQ(blocks_count(9, true), 0u);
  EXPECT_GE(blocks_count(9, false), 1u);
  // A block that resets before the others have counted.
  Events early;
  EXPECT_GE(early.Block(0).Atomic(0).Write(0).Block(1).Atomic(0).races(), 1u);
}

// atomicAdd_block and its like are atomic to the threads of one block.
TEST(RaceChecker, AnAtomicOfABlockIsNoneToOtherBlocks) {
  constexpr bool kOfBlock = false;
  const auto of_two_blocks = [](bool first, bool second) {
    Events run;
    run.Block(0).Atomic(0, kWord, first).Block(1).Atomic(0, kWord, second);
    return run;
  };
  EXPECT_CLEAN(of_two_blocks(true, true));
  EXPECT_RACE(of_two_blocks(kOfBlock, true), Reason::scope_of_block);
  EXPECT_RACE(of_two_blocks(true, kOfBlock), Reason::scope_of_block);
  EXPECT_RACE(of_two_blocks(kOfBlock, kOfBlock), Reason::scope_of_block);
  EXPECT_CLEAN(Events().Atomic(0, kWord, kOfBlock).Atomic(40, kWord).Atomic(99, kWord, kOfBlock));
  EXPECT_CLEAN(
      Events().Block(0).Atomic(0, kWord, kOfBlock).Block(1).Atomic(0, kWord + 4, kOfBlock));
  // Ordered by other means: another launch, or memory that each block has for itself.
  Events two_launches;
  two_launches.Atomic(0, kWord, kOfBlock).checker->BeginLaunch(128);
  EXPECT_CLEAN(two_launches.Block(1).Atomic(0, kWord, kOfBlock));
  Events shared;
  shared.checker->AlwaysShared(kWord, 4);
  EXPECT_CLEAN(shared.Block(0).Atomic(0, kWord, kOfBlock).Block(1).Atomic(0, kWord, kOfBlock));
}

}  // namespace
}  // namespace padproof::simt
