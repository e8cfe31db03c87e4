// Runs of emulated kernels as evidence: clean ones, and ones that read a pad as if it were a key.

#pragma once

#include <cstdint>

#include "reference/bench/rules.h"
#include "reference/emulation/arithmetic.h"

namespace padproof::reference {

/// What the pad's V holds: 1 in every column, so that it shows in the sum; or 0, so that its weight
/// shows in the row sum alone.
enum class PadValue { one, zero };

/// `e` on the head, which it computes rightly.
Evidence CleanRun(const Emulation& e, const Head& head, uint64_t noise);

/// `e` reads one pad behind the keys, whose weight is 2^log2_weight of the row sum of each query.
Evidence LeakyRun(const Emulation& e, const Head& head, PadValue value, double log2_weight,
                  uint64_t noise);

/// `e` reads one pad whose K and V are zero: what most padding holds.
Evidence ZeroKeyRun(const Emulation& e, const Head& head, uint64_t noise);

}  // namespace padproof::reference
