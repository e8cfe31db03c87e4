// Variants of attention for any head: ranges of keys that begin anywhere, masks with holes, biases,
// softcap, sinks, dropout, query heads that share keys, a dim of V of its own.

#pragma once

#include "harness/base/random.h"
#include "reference/attention.h"

namespace padproof::reference {

/// Makes of the head one with some of the variants, each now and then. Keys that no query sees then
/// hold NaN, sometimes.
void Decorate(Head& head, Random& random);

}  // namespace padproof::reference
