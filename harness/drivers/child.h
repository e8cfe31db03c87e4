// Programs that are run without a shell: beside this one, or to their end.

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "harness/base/check.h"

namespace padproof {

/// Killed with its last owner, unless it ended before.
class Child {
 public:
  /// Runs `argv`, the program first and found in PATH, with `settings` ("NAME=value") added to the
  /// environment, in `folder` if that is not "". Its output is appended to the file `log` there, or
  /// goes where ours does if that is "".
  static Result<Child> Start(const std::vector<std::string>& argv, const std::string& log,
                             const std::vector<std::string>& settings = {},
                             const std::string& folder = "");
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  /// True once it has ended; does not wait.
  bool Ended();
  /// Waits at most so long; false if it still runs.
  bool WaitFor(double seconds);
  void Wait();
  void Signal(int signal);
  /// Leaves it to itself: nobody waits for it any more.
  void Abandon() { pid_ = -1; }
  /// Once ended: its exit code, or 128 and the signal that ended it.
  int exit_code() const { return exit_code_; }

 private:
  void EndWith(int status);
  explicit Child(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;
  bool ended_ = false;
  int exit_code_ = -1;
};

/// Runs a program in `folder` to its end; its output is all that the file `output` there then
/// holds. Its exit code, as Child has it; an error when it cannot start.
Result<int> RunProgram(const std::vector<std::string>& argv, const std::string& folder,
                       const std::string& output);

}  // namespace padproof
