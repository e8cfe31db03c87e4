// What a launch and each of its blocks begin and end with. Included by runtime.cc only.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "harness/base/random.h"
#include "harness/simt/runtime.h"
#include "harness/simt/runtime/fiber.h"
#include "harness/simt/runtime/race_interface.h"
#include "harness/simt/runtime/raw_shared.h"
#include "harness/simt/runtime/report.h"
#include "harness/simt/runtime/sanitizer.h"
#include "harness/simt/runtime/state.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

/// Makes `next` the running thread, just before its fiber goes on.
PADPROOF_SIMT_INLINE void MakeCurrent(unsigned next) {
  current.lane = &lanes[next];
  current.repeats = 0;
  state.running = next;
  race::SwitchTo(next, state.fibers[next].stack, state.fibers[next].stack_bytes);
}

bool CreateFibers(unsigned threads, void (*run_threads)()) {
  for (unsigned i = 0; i < threads; i++) {
    if (state.fibers[i].stack == nullptr && !CreateFiber(state.fibers[i], i, run_threads)) {
      return false;
    }
  }
  return true;
}

void PrepareLaunch(const LaunchRequest& request, const Options& options) {
  const dim3& block = request.block;
  state.options = options;
  state.random = Random(state.options.seed);
  state.run_thread = request.run_thread;
  state.closure = request.closure;
  state.threads = block.x * block.y * block.z;
  for (unsigned i = 0; i < state.threads; i++) {
    lanes[i].thread = i;
    lanes[i].thread_idx = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
  }
  launcher.stack = nullptr;
  current.grid_dim = request.grid;
  current.block_dim = block;
  current.poison = state.options.fill * 0x0101010101010101ull;
  MarkUnwritten(&current.poison, sizeof current.poison);
  CallAtReport(PrintWhereInKernel);
  // Unlike those of any other runtime in this process, should a kernel's statics be shared.
  if (current.block_epoch == 0) current.block_epoch = Mix(reinterpret_cast<uintptr_t>(&state));
}

void LetOneLag() {
  const unsigned all_warps = (state.threads + kLanes - 1) / kLanes;
  const unsigned seed = state.options.seed;
  if (all_warps > 1) {
    state.ready.LetLag(seed % all_warps, ~0u);
  } else {
    state.ready.LetLag(0, 1u << seed % state.threads);
  }
}

void PrepareBlock(uint3 block_idx, size_t dynamic_bytes) {
  current.block_idx = block_idx;
  current.block_epoch++;
  state.live = state.threads;
  state.at_barrier = 0;
  state.predicates = 0;
  state.idle_turns = 0;
  state.ready = {};
  if (state.options.order == Order::warp_lag) LetOneLag();
  for (unsigned w = 0; w * kLanes < state.threads; w++) {
    const unsigned lanes = std::min(state.threads - w * kLanes, kLanes);
    const uint32_t all = lanes == kLanes ? ~0u : BitsBelow(lanes);
    warps[w] = {};
    warps[w].live = all;
    state.ready.Add(w, all);
  }
  RefreshRawShared(state.options.fill);
  current.dynamic_shared = nullptr;
  if (dynamic_bytes != 0) {
    current.dynamic_shared =
        state.shared.Allocate("(dynamic)", Site::current(), dynamic_bytes, 128, state.options.fill);
    race::Forget(current.dynamic_shared, dynamic_bytes);
  }
}

void RunBlock() {
  const unsigned first = state.ready.TakeFirst(state.options.order, state.random);
  MakeCurrent(first);
  state.statistics.switches++;
  race::EnterBlock(state.options.preempt_every != 0);
  SwitchFibers(launcher, state.fibers[first]);
  race::LeaveBlock();
  state.statistics.blocks++;
  state.shared.Release();
}

}  // namespace

}  // namespace host_build
}  // namespace padproof::simt
