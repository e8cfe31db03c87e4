// How long a process is waited for: by the time that it had, not by the clock on the wall.

#pragma once

#include <sys/types.h>

namespace padproof {

/// Processor seconds of all threads of a process so far; 0 if there is no such process.
double CpuSecondsOf(pid_t pid);

/// True while a thread of the process could run, or waits for a disk.
bool IsRunnable(pid_t pid);

/// Counts the seconds that a process spent on its task: those in which it computed, and those in
/// which it slept, as in a deadlock. Seconds in which it could run and was not let, on a machine
/// that is busy or stopped, do not count: a slow neighbour is no hang.
class Patience {
 public:
  explicit Patience(pid_t pid);

  /// To be asked again and again, some times a second.
  double Spent();

 private:
  pid_t pid_;
  double cpu_, now_;
  double spent_ = 0;
};

}  // namespace padproof
