// What the runtime prints before it aborts: what, where, and who runs, waits or is gone. Included
// by runtime.cc only.

#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/device_memory.h"
#include "harness/simt/runtime/sanitizer.h"
#include "harness/simt/runtime/state.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

std::string Text(const char* format, auto... values) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

std::string TextOf(Site where) {
  return Text("%s:%u:%u", where.file_name(), unsigned(where.line()), unsigned(where.column()));
}

std::string TextOfSchedule() {
  const Options& options = state.options;
  const std::string text = Text("schedule %s seed %u", NameOf(options.order).data(), options.seed);
  return options.preempt_every == 0 ? text : text + Text(" preempt %u", options.preempt_every);
}

std::string TextOfBlock() {
  const Current& c = current;
  return Text("  in block (%u,%u,%u) of grid (%u,%u,%u), ", c.block_idx.x, c.block_idx.y,
              c.block_idx.z, c.grid_dim.x, c.grid_dim.y, c.grid_dim.z);
}

/// Without the thread if none runs:
/// "  in block (1,0,0) of grid (2,1,1), thread (5,0,0) of block (64,1,1), schedule random seed 7"
std::string TextOfCurrent() {
  const Current& c = current;
  if (state.running == kNobody) return TextOfBlock() + TextOfSchedule() + "\n";
  return TextOfBlock() +
         Text("thread (%u,%u,%u) of block (%u,%u,%u), ", c.lane->thread_idx.x, c.lane->thread_idx.y,
              c.lane->thread_idx.z, c.block_dim.x, c.block_dim.y, c.block_dim.z) +
         TextOfSchedule() + "\n";
}

/// What a thread is doing, in words that are equal for threads that do the same.
std::string ActivityOf(unsigned i) {
  const Warp& warp = warps[i / kLanes];
  const Lane& lane = lanes[i];
  if ((warp.live & BitOf(i)) == 0) return "left the kernel";
  const bool in_operation = (warp.in_operation & BitOf(i)) != 0;
  if (i == state.running && !in_operation) return "runs";
  if ((warp.at_barrier & BitOf(i)) != 0) {
    return "waits at the __syncthreads of " + TextOf(lane.where);
  }
  if (in_operation) {
    return (i == state.running ? "calls" : "waits at") +
           (" the warp operation of " + TextOf(lane.where)) + Text(" with mask 0x%08x", lane.mask);
  }
  if ((warp.converging & BitOf(i)) != 0) {
    return "waits at the __activemask of " + TextOf(lane.where);
  }
  return "can run";
}

/// One line for each activity: "  threads 0-31, 64-95: ...".
std::string TextOfThreads() {
  constexpr size_t kMaxActivities = 12;
  constexpr size_t kMaxLine = 160;
  std::vector<std::pair<std::string, std::string>> rows;  // activity, threads
  for (unsigned begin = 0, end = 0; begin < state.threads; begin = end) {
    const std::string activity = ActivityOf(begin);
    for (end = begin + 1; end < state.threads && ActivityOf(end) == activity;) end++;
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&](const auto& known) { return known.first == activity; });
    if (row == rows.end()) row = rows.insert(row, {activity, ""});
    if (row->second.size() > kMaxLine) continue;
    row->second += row->second.empty() ? "" : ", ";
    row->second += end - begin == 1 ? Text("%u", begin) : Text("%u-%u", begin, end - 1);
    if (row->second.size() > kMaxLine) row->second += ", ...";
  }
  std::string text;
  for (size_t i = 0; i < rows.size() && i < kMaxActivities; i++) {
    text += "  threads " + rows[i].second + ": " + rows[i].first + "\n";
  }
  if (rows.size() > kMaxActivities) text += "  and more\n";
  return text;
}

/// Beside the report of a sanitizer: which thread of which block it is about.
[[maybe_unused]] void PrintWhereInKernel() {
  if (current.lane == nullptr) return;
  IgnoreLibraryCalls();
  const std::string text = "padproof simt: error inside a kernel\n" + TextOfCurrent();
  std::fwrite(text.data(), 1, text.size(), stderr);
}

[[noreturn]] __attribute__((cold)) void Abort(const std::string& report) {
  IgnoreLibraryCalls();
  std::fflush(stdout);
  std::fwrite(report.data(), 1, report.size(), stderr);
  std::fflush(stderr);
  std::abort();
}

/// "memory of cudaMalloc at kernel.cu:12:3, byte 8", or "".
[[maybe_unused]] std::string NameOfDeviceMemory(const void* address) {
  DeviceAllocation found;
  bool near = false;
  if (!FindDeviceMemory(address, found, near)) return "";
  const auto byte = static_cast<size_t>(static_cast<const unsigned char*>(address) - found.data);
  return Text("memory of %s at ", found.function) + TextOf(found.where) + Text(", byte %zu", byte);
}

void SharedMemory::ReportOverrun(const Allocation& a, const char* where) {
  Abort(
      Text("padproof simt: a write %s of shared array '%s' (%zu bytes)\n", where, a.name, a.bytes) +
      "  declared at " + TextOf(a.where) + ", found when its block ended\n" + TextOfBlock() +
      TextOfSchedule() + "\n");
}

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
