// Simpler cases, best first. Simple means simple to a person: fewer sequences, no mask, one head,
// the smallest dim, shorter lengths, fewer pads, plainer values and fill, f32, forward only, seed
// 0.

#pragma once

#include <array>
#include <vector>

#include "harness/case/case.h"

namespace padproof {

/// The order behind Simplify, compared lexicographically: sequences, mask tensor, mask, features,
/// heads, dim, backward, lengths, pads (keys before queries), then the plainness of the rest. 1 is
/// the simplest length, then 0, 2, 3, ...
inline constexpr size_t kComplexity = 31;
std::array<uint64_t, kComplexity> ComplexityOf(const Case& c);

/// Candidates that are strictly simpler than `c`, most drastic first; each is valid. Repeatedly
/// moving to any of them ends: ComplexityOf decreases.
std::vector<Case> Simplify(const Case& c);

}  // namespace padproof
