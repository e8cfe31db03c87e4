// Two runs on the same tokens, told or laid out in different ways: each within its own bound of one
// truth, hence within the sum of the two of each other.

#pragma once

#include <string>

#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"
#include "properties/support/within_bound.h"

namespace padproof {

/// Sequence `b` of one run, and how to call it: "padded".
struct Twin {
  const Problem& problem;
  int b;
  std::string label;
};

/// Every real element of O, LSE, dQ, dK, dV that the row writes and promises:
///   |first - second| <= r_first + r_second   before rounding to storage.
/// Where gradients are judged given the stored O and LSE, which may differ between the runs, the
/// distance of the two centres is added, up to the sum of the bounds for any O and LSE of a right
/// forward.
void CompareWithin(const KernelRow& kernel, const Twin& first, const Twin& second,
                   WithinBound& bound);

/// Runs both problems and compares all their sequences so.
Verdict JudgeTwins(const KernelRow& kernel, Problem& first, const char* first_label,
                   Problem& second, const char* second_label);

/// Gives a real token of `to`, in all columns, what the token `from_at` of `from` holds.
void CopyToken(Problem& to, Operand op, const Index& at, const Problem& from, const Index& from_at);

/// Gives sequence `b` of `to` the inputs at real tokens of sequence `from_b`.
void CopyTokens(Problem& to, int b, const Problem& from, int from_b);

}  // namespace padproof
