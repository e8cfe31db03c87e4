// The parent's end of one worker process.

#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "harness/base/check.h"
#include "harness/drivers/kernel_info.h"
#include "harness/drivers/protocol.h"

namespace padproof {

/// Starts a worker when needed and again after one died. A death while judging is a verdict about
/// the case in flight: a crash, an exit, a hang. Not thread-safe; each thread owns one.
class Worker {
 public:
  Worker() = default;
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Rows of a plugin ("" for those compiled in); a process loads each once.
  Result<std::vector<KernelInfo>> Load(const std::string& plugin);

  /// Judges one case within `deadline_seconds` of the worker's own time (patience.h), plugin load
  /// time not counted. When somebody kills the process (SIGKILL), once more in another.
  Result<Verdict> Judge(const KernelInfo& kernel, const std::string& law, const std::string& line,
                        double deadline_seconds);

  /// Ends the process; the next request starts a fresh one.
  void Stop();

  pid_t pid() const { return pid_; }  // -1 where none runs

 private:
  enum class Answer { line, closed, timeout };

  Result<bool> EnsureStarted();
  bool Send(const std::string& line);
  Answer Receive(std::string& line, double deadline_seconds);
  Result<Verdict> JudgeOnce(const KernelInfo& kernel, const std::string& law,
                            const std::string& line, double deadline_seconds);
  Verdict Obituary(bool timed_out, double deadline_seconds);
  bool ForgetOutput();       // false if it cannot
  std::string TakeOutput();  // what the worker printed since it was forgotten

  pid_t pid_ = -1;
  bool killed_ = false;  // by SIGKILL, which no kernel sends: a person, or one who frees memory
  int request_ = -1;
  int reply_ = -1;
  int output_ = -1;  // memory file behind the worker's stdout and stderr
  std::string pending_;
  std::map<std::string, std::vector<KernelInfo>> loaded_;  // by plugin
};

}  // namespace padproof
