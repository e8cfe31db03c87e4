// Event sequences made by hand for the tests of the race checker.

#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/simt/runtime/race_checker.h"

namespace padproof::simt {
namespace {

using race::Access;
using race::Checker;
using race::Race;
using race::Reason;

std::vector<Race> found;

constexpr uintptr_t kWord = 0x500000001000;  // an address like any other
constexpr uint32_t kAll = 0xffffffffu;

/// One launch of one block at a time; the position of each access is its place in the sequence.
struct Events {
  explicit Events(unsigned threads = 128) : checker(std::make_unique<Checker>(Remember)) {
    found.clear();
    checker->BeginLaunch(threads);
    checker->BeginBlock(0);
  }
  static void Remember(const Race& race) { found.push_back(race); }

  // As race_hooks.cc does it.
  void ReadAt(unsigned thread, uintptr_t address, size_t bytes, race::Position at) {
    const bool word = bytes == 4 && address % 4 == 0;
    if (word && checker->ReadWord(thread, address, at, WatchAll)) return;
    checker->Read(thread, address, bytes, at);
  }
  void WriteAt(unsigned thread, uintptr_t address, size_t bytes, race::Position at) {
    const bool word = bytes == 4 && address % 4 == 0;
    if (word && checker->WriteWord(thread, address, at, WatchAll)) return;
    checker->Write(thread, address, bytes, at);
  }
  static bool WatchAll(uintptr_t) { return false; }

  Events& Read(unsigned thread, uintptr_t address = kWord, size_t bytes = 4) {
    ReadAt(thread, address, bytes, next++);
    return *this;
  }
  Events& Write(unsigned thread, uintptr_t address = kWord, size_t bytes = 4) {
    WriteAt(thread, address, bytes, next++);
    return *this;
  }
  Events& Atomic(unsigned thread, uintptr_t address = kWord, bool device = true) {
    checker->Atomic(thread, address, 4, next++, device);
    return *this;
  }
  Events& Fence(unsigned thread, bool device = true) {
    checker->Fence(thread, device);
    return *this;
  }
  Events& Barrier() {
    checker->Barrier();
    return *this;
  }
  Events& SyncWarp(unsigned warp, uint32_t members = kAll) {
    checker->WarpOperation(warp, members, true);
    return *this;
  }
  Events& Shuffle(unsigned warp, uint32_t members = kAll) {
    checker->WarpOperation(warp, members, false);
    return *this;
  }
  Events& Block(uint32_t linear) {
    checker->BeginBlock(linear);
    return *this;
  }
  uint64_t races() const {
    checker->Settle();
    return checker->races();
  }

  std::unique_ptr<Checker> checker;
  uint32_t next = 1;
};

#define EXPECT_CLEAN(run) EXPECT_EQ((run).races(), 0u)
#define EXPECT_RACE(run, why)          \
  do {                                 \
    EXPECT_EQ((run).races(), 1u);      \
    ASSERT_EQ(found.size(), 1u);       \
    EXPECT_EQ(found[0].reason, (why)); \
  } while (false)

}  // namespace
}  // namespace padproof::simt
