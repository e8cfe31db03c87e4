// An exhaustive run: every shape of each kernel's scope (harness/case/enumerate.h) under every law,
// on several workers at once.
//
// A law judges a shape in one of its manners, or in as many as are asked for: it tries them in an
// order that differs from shape to shape and from law to law, and passes over those that it does
// not speak about. Laws do not bend cases as they bend drawn ones; a shape that has no such manner
// is counted as skipped.
//
// Each cell is cut into pieces of kPieceShapes consecutive shapes, and workers take the first
// pieces of all cells before the second ones: a run that is ended early has judged the small cases
// of every cell. The finding of a cell is the failing case of the lowest shape, however many
// workers there are.

#pragma once

#include "harness/drivers/run.h"

namespace padproof {

inline constexpr int64_t kPieceShapes = 200;

/// Shapes from .. from + count - 1 of each scope, as far as it goes, each in up to `manners`.
struct ScopePart {
  int64_t from = 0;
  int64_t count = INT64_MAX;
  int manners = 1;  // to kManners
};

/// Shapes of a kernel's scope within the part.
int64_t ShapesWithin(const KernelInfo& kernel, const ScopePart& part);

struct ExhaustResult : RunResult {
  /// No lower shape is left in any cell that has not failed; -1: none is left at all.
  int64_t resume = -1;
};

/// As Run; of the options, seed, cases and seconds are not looked at.
ExhaustResult Exhaust(const std::vector<KernelInfo>& kernels,
                      const std::vector<const Property*>& laws, const SearchOptions& options,
                      const ScopePart& part, int jobs, double total_seconds,
                      const RunEvents& events);

}  // namespace padproof
