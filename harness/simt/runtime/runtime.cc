// The runtime of CUDA on the host: one fiber a CUDA thread, blocks one after another, barriers and
// warp operations as rendezvous with divergence errors.
//
// Compiled WITHOUT instrumentation, so that sanitizers and coverage see the kernel alone; with
// -DSIMT_ASAN where kernels are built with AddressSanitizer. No data of a kernel moves here.

#include "harness/simt/runtime.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

#include "harness/base/random.h"
#include "harness/simt/runtime/device_memory.h"
#include "harness/simt/runtime/fiber.h"
#include "harness/simt/runtime/launch.h"
#include "harness/simt/runtime/limits.h"
#include "harness/simt/runtime/race_interface.h"
#include "harness/simt/runtime/report.h"
#include "harness/simt/runtime/sanitizer.h"
#include "harness/simt/runtime/schedule.h"
#include "harness/simt/runtime/shared_memory.h"
#include "harness/simt/runtime/state.h"

namespace padproof::simt {
inline namespace host_build {

constinit Current current{};
constinit Lane lanes[kMaxThreads]{};
constinit Warp warps[kMaxWarps]{};

[[noreturn]] __attribute__((cold, noinline)) void ReportAndAbort(const char* what, Site where) {
  Abort(Text("padproof simt: %s\n", what) + "  at " + TextOf(where) + "\n" + TextOfCurrent() +
        TextOfThreads());
}

namespace {

thread_local Options options_of_thread;
thread_local bool inside_launch = false;

PADPROOF_SIMT_INLINE bool Same(Site a, Site b) {
  static_assert(sizeof(Site) == sizeof(void*));  // one constant a position, as a rule
  if (std::bit_cast<const void*>(a) == std::bit_cast<const void*>(b)) return true;
  return a.line() == b.line() && a.column() == b.column() &&
         std::strcmp(a.file_name(), b.file_name()) == 0;
}

// ---- scheduling ---------------------------------------------------------------------------------

[[noreturn]] __attribute__((cold, noinline)) void ReportDeadlock() {
  unsigned waiting = 0;
  while ((warps[waiting / kLanes].live & BitOf(waiting)) == 0) waiting++;
  state.running = kNobody;
  ReportAndAbort("deadlock: every thread waits for one that cannot come", lanes[waiting].where);
}

/// Runs `next`; returns when the scheduler comes back to `me`. When no thread is left, the launcher
/// goes on and `me`, which has left the kernel, sleeps until another block needs it.
PADPROOF_SIMT_INLINE void Run(unsigned next, unsigned me) {
  if (next == me) return;
  state.statistics.switches++;
  if (next == kNobody) {
    if (state.live != 0) ReportDeadlock();
    SwitchFibers(state.fibers[me], launcher);
    return;
  }
  MakeCurrent(next);
  SwitchFibers(state.fibers[me], state.fibers[next]);
}

PADPROOF_SIMT_INLINE void RunNext(unsigned me) {
  Run(state.ready.TakeNext(state.options.order, me, state.random), me);
}

/// Lanes that wait at one __activemask go on together; in a random order perhaps not all of them,
/// since a device promises no more than that the caller is named.
__attribute__((noinline)) void WakeConverged(unsigned warp_index) {
  Warp& warp = warps[warp_index];
  const Lane* first = &lanes[warp_index * kLanes];
  const Site where = first[Lowest(warp.converging)].where;
  uint32_t group = 0;
  for (uint32_t rest = warp.converging; rest != 0; rest &= rest - 1) {
    if (Same(first[Lowest(rest)].where, where)) group |= rest & -rest;
  }
  if (state.options.order == Order::random) {
    const uint32_t some = group & static_cast<uint32_t>(state.random.Next() >> 32);
    if (some != 0) group = some;
  }
  for (uint32_t rest = group; rest != 0; rest &= rest - 1) {
    lanes[warp_index * kLanes + Lowest(rest)].out = group;
  }
  warp.converging &= ~group;
  state.ready.Add(warp_index, group);
}

/// To be called where a lane has just begun to wait, or has left.
PADPROOF_SIMT_INLINE void WakeConvergedIfLast(unsigned warp_index) {
  if (warps[warp_index].converging != 0 && state.ready.LanesOf(warp_index) == 0) {
    WakeConverged(warp_index);
  }
}

// ---- collectives --------------------------------------------------------------------------------

void ReleaseBarrier() {
  for (unsigned w = 0; w * kLanes < state.threads; w++) {
    state.ready.Add(w, warps[w].at_barrier);
    warps[w].at_barrier = 0;
  }
  race::Barrier();
  state.barrier_result = state.predicates;
  state.at_barrier = 0;
  state.predicates = 0;
  state.statistics.barriers++;
}

PADPROOF_SIMT_INLINE void CheckBarrier(Site where) {
  if (state.at_barrier == 0) {
    state.barrier_site = where;
  } else if (!Same(state.barrier_site, where)) {
    ReportAndAbort("threads of one block wait at different __syncthreads", where);
  }
  if (state.live != state.threads && !state.options.exited_threads_may_miss_barriers) {
    ReportAndAbort("__syncthreads reached after threads of the block have left the kernel", where);
  }
}

__attribute__((noinline)) void CheckSameOperation(unsigned warp_index, uint32_t mask, Site where,
                                                  uint32_t members) {
  for (uint32_t rest = members; rest != 0; rest &= rest - 1) {
    const Lane& other = lanes[warp_index * kLanes + Lowest(rest)];
    if (other.mask != mask || !Same(other.where, where)) {
      ReportAndAbort("lanes named in one mask wait at different warp operations", where);
    }
  }
}

/// All live lanes of `mask`, once all of them wait; else 0.
PADPROOF_SIMT_INLINE uint32_t MembersIfComplete(unsigned warp_index, uint32_t mask, Site where) {
  const Warp& warp = warps[warp_index];
  const uint32_t members = mask & warp.live;
  if ((warp.in_operation & members) != members) return 0;
  if (warp.mixed) CheckSameOperation(warp_index, mask, where, members);
  return members;
}

/// A lane that leaves is no longer waited for, by warp operations and, if so allowed, by barriers.
void LeaveKernel(unsigned me) {
  const unsigned warp_index = me / kLanes;
  Warp& warp = warps[warp_index];
  state.idle_turns = 0;
  warp.live &= ~BitOf(me);
  state.live--;
  for (uint32_t waiting = warp.in_operation; waiting != 0; waiting &= waiting - 1) {
    const unsigned lane = Lowest(waiting);
    Lane& waiter = lanes[warp_index * kLanes + lane];
    if ((waiter.mask & BitOf(me)) == 0) continue;
    const uint32_t members = MembersIfComplete(warp_index, waiter.mask, waiter.where);
    if (members == 0) continue;
    waiter.must_resolve = members;
    state.ready.Add(warp_index, 1u << lane);
    break;  // a second operation that names this lane would name members of the first
  }
  WakeConvergedIfLast(warp_index);
  if (state.at_barrier == 0) return;
  if (!state.options.exited_threads_may_miss_barriers) {
    ReportAndAbort("a thread left the kernel while others wait at __syncthreads",
                   state.barrier_site);
  }
  if (state.at_barrier == state.live) ReleaseBarrier();
}

/// The life of a fiber: one CUDA thread after another, as blocks and launches need it.
void RunThreads() {
  CompleteSwitch(nullptr);
  const unsigned me = state.running;
  for (;;) {
    state.run_thread(state.closure);
    LeaveKernel(me);
    RunNext(me);
  }
}

}  // namespace

unsigned ArriveAtBarrier(unsigned predicate, Site where) {
  const unsigned me = state.running;
  state.idle_turns = 0;
  lanes[me].where = where;
  CheckBarrier(where);
  warps[me / kLanes].at_barrier |= BitOf(me);
  state.predicates += predicate;
  state.at_barrier++;
  if (state.at_barrier == state.live) {
    ReleaseBarrier();
    Run(state.ready.TakeFirst(state.options.order, state.random), me);
  } else {
    WakeConvergedIfLast(me / kLanes);
    RunNext(me);
  }
  return state.barrier_result;
}

uint32_t ArriveAtWarpOperation(uint32_t mask, Site where) {
  const unsigned me = state.running;
  state.idle_turns = 0;
  Warp& warp = warps[me / kLanes];
  lanes[me].where = where;
  lanes[me].mask = mask;
  if (warp.in_operation == 0) {
    warp.first_mask = mask;
    warp.first_site = where;
    warp.mixed = false;
  } else if (mask != warp.first_mask || !Same(where, warp.first_site)) {
    warp.mixed = true;
  }
  warp.in_operation |= BitOf(me);
  if ((mask & BitOf(me)) == 0) {
    ReportAndAbort("the calling lane is not named in the mask of its warp operation", where);
  }
  if (const uint32_t members = MembersIfComplete(me / kLanes, mask, where)) return members;
  WakeConvergedIfLast(me / kLanes);
  RunNext(me);
  return std::exchange(lanes[me].must_resolve, 0);
}

void ReleaseWarp(uint32_t members, bool orders_memory) {
  const unsigned me = state.running;
  Warp& warp = warps[me / kLanes];
  warp.in_operation &= ~members;
  if (members == warp.live) {
    warp.full_members = members;
    warp.slot ^= 1;
  }
  state.statistics.warp_operations++;
  race::WarpOperation(me / kLanes, members, orders_memory);
  if (state.options.order != Order::random) {
    state.ready.Add(me / kLanes, members & ~BitOf(me));
    return;
  }
  state.ready.Add(me / kLanes, members);  // the last one to arrive need not be the first to go on
  RunNext(me);
}

uint32_t ArriveAtActiveMask(Site where) {
  const unsigned me = state.running;
  state.idle_turns = 0;
  lanes[me].where = where;
  warps[me / kLanes].converging |= BitOf(me);
  WakeConvergedIfLast(me / kLanes);
  RunNext(me);
  return static_cast<uint32_t>(lanes[me].out);
}

void Yield(Site where) {
  current.repeats = 0;
  if (current.lane == nullptr) return;
  // Some seconds. Threads that do nothing else then wait for what cannot come: blocks run one after
  // another.
  const unsigned max_idle_turns = std::max(1u << 18, state.threads << 12);
  const unsigned me = state.running;
  if (++state.idle_turns > max_idle_turns) {
    ReportAndAbort(
        "livelock: a loop of atomics, fences or sleeps waits for another block or for ever", where);
  }
  state.ready.Add(me / kLanes, BitOf(me));
  Run(state.ready.TakeInTurn(me), me);
}

void* AllocateShared(SharedArray& array) {
  race::BeforeFresh();
  const size_t total = state.shared.used_bytes() + array.bytes;
  void* data = nullptr;
  if (total <= kMaxSharedBytes) {
    data = state.shared.Allocate(array.name, array.where, array.bytes, array.alignment,
                                 state.options.fill);
  }
  if (data == nullptr)
    ReportAndAbort("a block uses more than 227 KiB of shared memory", array.where);
  race::Forget(data, array.bytes);
  array.block_epoch = current.block_epoch;
  array.data = data;
  return data;
}

// ---- launches -----------------------------------------------------------------------------------

cudaError_t Launch(const LaunchRequest& request) {
  if (inside_launch) Abort("padproof simt: launch called from inside a kernel\n");
  if (request.instrumented_by_asan && !kRuntimeKnowsAsan) {
    Abort("padproof simt: kernels have AddressSanitizer, but runtime.cc lacks -DSIMT_ASAN\n");
  }
  if (request.instrumented_by_msan && !kRuntimeKnowsMsan) {
    Abort("padproof simt: kernels have MemorySanitizer, but runtime.cc lacks -DSIMT_MSAN\n");
  }
  const std::lock_guard lock(state.one_launch_at_a_time);
  if (const cudaError_t error = CheckLimits(request); error != cudaSuccess) return error;
  PrepareLaunch(request, options_of_thread);
  if (!CreateFibers(state.threads, RunThreads)) return cudaErrorMemoryAllocation;
  const dim3& grid = request.grid;
  const uint32_t blocks = grid.x * grid.y * grid.z;
  const BlockOrder order(state.options.order, blocks, state.random);
  inside_launch = true;
  race::BeginLaunch(state.threads);
  for (uint32_t i = 0; i < blocks; i++) {
    const uint32_t b = order[i];
    race::BeginBlock(b);
    PrepareBlock({b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y}, request.dynamic_bytes);
    RunBlock();
  }
  inside_launch = false;
  current.lane = nullptr;
  CheckDeviceMemory("a launch ended");
  return cudaSuccess;
}

cudaError_t SetDynamicSharedLimit(const void* kernel, size_t bytes) {
  if (bytes > kMaxSharedBytes) return cudaErrorInvalidValue;
  const std::lock_guard lock(state.one_launch_at_a_time);
  for (auto& [known, limit] : state.dynamic_limits) {
    if (known == kernel) {
      limit = bytes;
      return cudaSuccess;
    }
  }
  state.dynamic_limits.emplace_back(kernel, bytes);
  return cudaSuccess;
}

size_t DynamicSharedLimit(const void* kernel) {
  const std::lock_guard lock(state.one_launch_at_a_time);
  return DynamicLimitOf(kernel);
}

Options& CurrentOptions() { return options_of_thread; }
Statistics& CurrentStatistics() { return state.statistics; }

// ---- what the race checker asks ----------------------------------------------------------------

const std::vector<MemoryRange>& RawShared() {
  static const std::vector<MemoryRange> ranges = FindRawShared();
  return ranges;
}

namespace race {

void MaybePreempt() {
  if (state.random.Below(state.options.preempt_every) != 0) return;
  const unsigned me = state.running;
  state.ready.Add(me / kLanes, 1u << me % kLanes);
  RunNext(me);
}
std::string NameOfAddress(const void* address) {
  std::string name = state.shared.NameOf(address);
  if (name.empty()) name = NameOfRawShared(reinterpret_cast<uintptr_t>(address));
  return name.empty() ? NameOfDeviceMemory(address) : name;
}
std::string TextOfRunning() { return TextOfCurrent(); }
bool RacesAbort() { return state.options.race_aborts; }

}  // namespace race

}  // namespace host_build
}  // namespace padproof::simt

#if defined(SIMT_ASAN)
/// AddressSanitizer calls this before a report. Its own empty definition is weak, so this one is
/// not; visible, because g++ has AddressSanitizer in a shared library.
extern "C" __attribute__((visibility("default"))) void __asan_on_error() {
  padproof::simt::PrintWhereInKernel();
}
#endif
