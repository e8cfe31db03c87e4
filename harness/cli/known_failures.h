// Known open failures in a run of `check`.

#pragma once

#include <vector>

#include "harness/drivers/known.h"
#include "harness/drivers/run.h"

namespace padproof {

/// Prints what the run met of them: "known: law / kernel: value at out, in 12 cases: reason".
void PrintKnown(const RunResult& result, const Ledger& ledger);

/// Judges those again that are about `kernels` and `laws`; prints a line for each that has changed
/// and returns the exit code.
int JudgeKnown(const Ledger& ledger, const std::vector<KernelInfo>& kernels,
               const std::vector<const Property*>& laws, Worker& worker, double deadline_seconds);

}  // namespace padproof
