// A program that is run beside this one.

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "harness/base/check.h"

namespace padproof {

/// Killed with its last owner, unless it ended before.
class Child {
 public:
  /// Runs `argv` with `settings` ("NAME=value") added to the environment. Its output is appended to
  /// the file `log`, or goes where ours does if that is "".
  static Result<Child> Start(const std::vector<std::string>& argv, const std::string& log,
                             const std::vector<std::string>& settings = {});
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  /// True once it has ended; does not wait.
  bool Ended();
  /// Waits at most so long; false if it still runs.
  bool WaitFor(double seconds);
  void Signal(int signal);
  /// Leaves it to itself: nobody waits for it any more.
  void Abandon() { pid_ = -1; }
  /// Once ended: its exit code, or 128 and the signal that ended it.
  int exit_code() const { return exit_code_; }

 private:
  explicit Child(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;
  bool ended_ = false;
  int exit_code_ = -1;
};

}  // namespace padproof
