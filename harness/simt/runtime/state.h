// All that one copy of the runtime remembers. Included by runtime.cc only.

#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/runtime.h"
#include "harness/simt/runtime/fiber.h"
#include "harness/simt/runtime/schedule.h"
#include "harness/simt/runtime/shared_memory.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

/// The block that runs, and all that outlives it.
struct State {
  std::mutex one_launch_at_a_time;
  Options options;
  Random random{0};
  ReadySet ready;
  unsigned running = 0;  // linear thread index; kNobody: none

  unsigned threads = 0;
  unsigned live = 0;
  unsigned at_barrier = 0;
  unsigned predicates = 0;      // of those at the barrier
  unsigned barrier_result = 0;  // of the last barrier
  Site barrier_site;
  unsigned idle_turns = 0;  // since a thread got on: arrived, left, or was let go

  void (*run_thread)(void*) = nullptr;
  void* closure = nullptr;

  Fiber fibers[kMaxThreads] = {};
  SharedMemory shared;
  std::vector<std::pair<const void*, size_t>> dynamic_limits;  // of kernels that opted in
  Statistics statistics;

  ~State() {
    if (current.lane != nullptr) return;  // exit() from inside a kernel: its stack is in use
    for (Fiber& fiber : fibers) DestroyFiber(fiber);
  }
};

State state;

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
