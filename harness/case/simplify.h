// Simpler cases, best first. Simple means simple to a person: fewer sequences, no mask, one head,
// the smallest dim, shorter lengths, fewer pads, plainer values and fill, f32, forward only, seed
// 0.

#pragma once

#include <vector>

#include "harness/case/case.h"

namespace padproof {

/// Candidates that are strictly simpler than `c`, most drastic first; each is valid. Repeatedly
/// moving to any of them ends: every candidate is smaller in a well-founded order.
std::vector<Case> Simplify(const Case& c);

}  // namespace padproof
