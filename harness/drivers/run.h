// A run: every law on every kernel, on several workers at once.

#pragma once

#include <string>
#include <vector>

#include "harness/drivers/search.h"

namespace padproof {

struct RunEvents {
  std::function<void(const Judgement&)> judged;  // a case; called under a lock
  std::function<void(const Finding&)> found;     // saved, not yet shrunk; called under a lock
  std::function<void(const Cell&)> finished;     // a cell ended; called under a lock
  std::function<void(int64_t cases, size_t cells)> progress;  // totals so far, a few times a second
};

struct RunResult {
  std::vector<Cell> cells;  // kernels x laws, in the given order (law fastest)
  int64_t cases = 0;
  double seconds = 0;

  bool any_failure() const;  // a law failed
  bool any_vacuous() const;  // a cell that should have run tested nothing
  bool any_error() const;    // the harness itself failed
};

/// `total_seconds` > 0 ends the run early, cells included that have not started.
RunResult Run(const std::vector<KernelInfo>& kernels, const std::vector<const Property*>& laws,
              const SearchOptions& options, int jobs, double total_seconds,
              const RunEvents& events);

}  // namespace padproof
