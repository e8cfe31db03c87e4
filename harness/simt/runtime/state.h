// All that one copy of the runtime remembers. Included by runtime.cc only.

#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/runtime/fiber.h"
#include "harness/simt/runtime.h"
#include "harness/simt/runtime/schedule.h"
#include "harness/simt/runtime/shared_memory.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

/// What the runtime knows of one CUDA thread besides its fiber.
struct Thread {
  Site where;                 // the collective it waits at
  uint32_t mask = 0;          // of the warp operation it waits at
  uint32_t must_resolve = 0;  // woken to resolve the operation of these members
  uint3 index{};
};

struct Warp {
  uint32_t live = 0;  // lanes that have not left the kernel
  uint32_t at_barrier = 0;
  uint32_t in_operation = 0;
};

/// The block that runs, and all that outlives it.
struct State {
  std::mutex one_launch_at_a_time;
  Options options;
  Random random{0};
  ReadySet ready;
  unsigned running = 0;

  unsigned threads = 0;
  unsigned live = 0;
  unsigned at_barrier = 0;
  unsigned predicates = 0;      // of those at the barrier
  unsigned barrier_result = 0;  // of the last barrier
  Site barrier_site;

  void (*run_thread)(void*) = nullptr;
  void* closure = nullptr;

  Warp warps[kMaxWarps];
  Thread thread[kMaxThreads];
  Lane lanes[kMaxThreads] = {};
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
