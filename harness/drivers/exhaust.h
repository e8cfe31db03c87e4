// An exhaustive run: every case of each kernel's scope (harness/case/enumerate.h) under every law,
// on several workers at once.
//
// Each cell is cut into pieces of kPieceCases consecutive numbers, and workers take the first
// pieces of all cells before the second ones: a run that is ended early has judged the small cases
// of every cell. Laws do not bend the cases as they bend drawn ones; a case that a law does not
// speak about is counted as skipped. The finding of a cell is the failing case with the lowest
// number, however many workers there are.

#pragma once

#include "harness/drivers/run.h"

namespace padproof {

inline constexpr int64_t kPieceCases = 500;

/// Numbers from .. from + count - 1 of each scope, as far as it goes.
struct ScopePart {
  int64_t from = 0;
  int64_t count = INT64_MAX;
};

/// Cases of a kernel's scope within the part.
int64_t CasesWithin(const KernelInfo& kernel, const ScopePart& part);

struct ExhaustResult : RunResult {
  /// No case of a lower number is left in any cell that has not failed; -1: none is left at all.
  int64_t resume = -1;
};

/// As Run; of the options, seed, cases and seconds are not looked at.
ExhaustResult Exhaust(const std::vector<KernelInfo>& kernels,
                      const std::vector<const Property*>& laws, const SearchOptions& options,
                      const ScopePart& part, int jobs, double total_seconds,
                      const RunEvents& events);

}  // namespace padproof
