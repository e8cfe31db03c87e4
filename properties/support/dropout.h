// Which weights a kernel's dropout drops is its own affair; the oracle needs to know. It is read
// from what the kernel itself computes, so that a row has nothing to hand over:
//
//   Q = 0, no bias, no sink:  P_ij = 1 / n_i over the n_i keys that i sees,
//   V_j = 2^k in one column:  O_i n_i (1 - p) = sum of the 2^k that are kept
//
// and, of a row that has a backward alone, with Q = 0 and LSE = 0, hence P = 1,
//
//   dO_i = 2^k in one column: dV_j (1 - p) = sum of the 2^k that are kept.
//
// Every column of O reads several keys, so few launches do. That they must read whole numbers is
// part of the law dropout_mask.

#pragma once

#include <optional>

#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"
#include "harness/judge/verdict.h"

namespace padproof {

/// Reads which pairs of real tokens are dropped under the problem's case and tells the problem. A
/// verdict if that did not go well: `fails` where what was read is no sum of kept weights.
std::optional<Verdict> ReadDropped(const KernelRow& kernel, Problem& problem);

/// The same for laws that speak about something else: not applicable where it cannot be read.
/// Nothing to do for a case without dropout.
std::optional<Verdict> KnowDropped(const KernelRow& kernel, Problem& problem);

/// Null, or why a law that compares cases of other sizes or other places of tokens does not hold
/// under this case's dropout: its mask is another one there.
const char* MovesDropped(const KernelTraits& traits, const Case& c);

}  // namespace padproof
