// Classes of cases: what a run really exercised, counted and shown, so that a generator that
// stopped drawing one is seen.

#pragma once

#include <array>
#include <string_view>

#include "harness/case/case.h"

namespace padproof {

inline constexpr std::array<std::string_view, 10> kClassNames{
    "pads",    "ragged", "empty row", "tail tile", "full tile",
    "one key", "causal", "Sq!=Sk",    "poison",    "backward"};

/// One flag a class, in the order of kClassNames. `tile_k` is the kernel's.
std::array<bool, kClassNames.size()> Classify(const Case& c, int tile_k);

}  // namespace padproof
