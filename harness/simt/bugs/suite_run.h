// Runs one twin of a bug in a process of its own and says what came of it.

#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/runtime.h"

namespace padproof::simt_bugs {
namespace {

constexpr auto kDeadline = std::chrono::seconds(10);
constexpr size_t kMaxOutputBytes = 1 << 20;

// ---- schedules ----------------------------------------------------------------------------------

/// Columns of the schedule table; see Schedules.
enum Column { kForward, kReverse, kRandom, kWarpLag, kPreempt, kColumns };
constexpr const char* kColumnNames[kColumns] = {"forward", "reverse", "random x3", "warp lag x3",
                                                "preempt"};

struct Setup {
  Column column;
  simt::Options options;
};

/// "random, seed 3", as in reports.
std::string NameOf(const Setup& setup) {
  std::string name(padproof::NameOf(setup.options.order));
  if (setup.options.seed != 0) name += ", seed " + std::to_string(setup.options.seed);
  if (setup.column == kPreempt) name += ", with preemption";
  return name;
}

/// All schedules of this build; the first is forward.
std::vector<Setup> AllSetups() {
  std::vector<Setup> setups;
  const auto add = [&](Column column, Order order, uint32_t seed) -> simt::Options& {
    Setup& setup = setups.emplace_back();
    setup.column = column;
    setup.options.order = order;
    setup.options.seed = seed;
#if defined(SIMT_RACE)
    setup.options.race_aborts = false;
#endif
    return setup.options;
  };
  add(kForward, Order::forward, 0);
  add(kReverse, Order::reverse, 0);
  for (uint32_t seed : {1u, 2u, 3u}) add(kRandom, Order::random, seed);
  for (uint32_t seed : {1u, 2u, 3u}) add(kWarpLag, Order::warp_lag, seed);
#if defined(SIMT_RACE)
  for (uint32_t every : {1u, 8u}) add(kPreempt, Order::random, 1).preempt_every = every;
#endif
  return setups;
}

// ---- child processes ----------------------------------------------------------------------------

/// What one child did.
struct Outcome {
  std::string output;  // stdout and stderr
  std::string digest;  // empty: it did not come to its end
  bool timed_out = false;
  int status = 0;  // of waitpid
};

struct Task {
  const Registration* bug;
  bool broken;
  size_t setup;  // index of AllSetups()
  Outcome outcome;
};

class Child {
 public:
  explicit Child(Task& task) : task_(&task) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) Fail("no pipe");
    pid_ = fork();
    if (pid_ < 0) Fail("no process");
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      Execute();
    }
    close(ends[1]);
    fd_ = ends[0];
    deadline_ = std::chrono::steady_clock::now() + kDeadline;
  }

  int fd() const { return fd_; }

  /// Reads what is there; true when the child is gone.
  bool Step(bool readable) {
    if (readable) {
      char chunk[4096];
      const ssize_t bytes = read(fd_, chunk, sizeof chunk);
      std::string& output = task_->outcome.output;
      if (bytes > 0 && output.size() < kMaxOutputBytes) output.append(chunk, bytes);
      if (bytes == 0) return Finish();
    }
    if (std::chrono::steady_clock::now() < deadline_) return false;
    task_->outcome.timed_out = true;
    kill(pid_, SIGKILL);
    return Finish();
  }

 private:
  static void AddOption(const char* variable, const char* option) {
    const char* before = std::getenv(variable);
    setenv(variable, (std::string(before == nullptr ? "" : before) + ":" + option).c_str(), 1);
  }

  [[noreturn]] void Execute() const {
    std::string setup = std::to_string(task_->setup);
    std::string twin = task_->broken ? "broken" : "clean";
    std::string name = task_->bug->bug.name;
    std::string program = "simt_bugs", flag = "--child";
    // ThreadSanitizer would wait a second for other threads at each exit. MemorySanitizer's quick
    // unwinder stops at a fiber's stack, and then says nothing of who called memcpy.
    AddOption("TSAN_OPTIONS", "atexit_sleep_ms=0");
    AddOption("MSAN_OPTIONS", "fast_unwind_on_malloc=0");
    char* arguments[] = {program.data(), flag.data(),  name.data(),
                         twin.data(),    setup.data(), nullptr};
    execv("/proc/self/exe", arguments);
    _exit(127);
  }

  bool Finish() {
    close(fd_);
    Outcome& outcome = task_->outcome;
    waitpid(pid_, &outcome.status, 0);
    constexpr const char* kMark = "simt_bugs digest ";
    if (const size_t at = outcome.output.rfind(kMark); at != std::string::npos) {
      outcome.digest = outcome.output.substr(at + std::strlen(kMark), 16);
    }
    return true;
  }

  Task* task_;
  pid_t pid_;
  int fd_;
  std::chrono::steady_clock::time_point deadline_;
};

/// Runs all tasks, `jobs` at a time.
void RunTasks(std::deque<Task>& tasks, size_t jobs) {
  std::vector<Child> running;
  for (size_t next = 0; next < tasks.size() || !running.empty();) {
    while (running.size() < jobs && next < tasks.size()) running.emplace_back(tasks[next++]);
    std::vector<pollfd> polled;
    for (const Child& child : running) polled.push_back({child.fd(), POLLIN, 0});
    poll(polled.data(), polled.size(), 100);
    for (size_t i = running.size(); i-- > 0;) {
      if (running[i].Step(polled[i].revents != 0)) {
        running.erase(running.begin() + static_cast<ptrdiff_t>(i));
      }
    }
  }
}

}  // namespace
}  // namespace padproof::simt_bugs
