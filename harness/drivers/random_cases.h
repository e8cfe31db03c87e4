// RapidCheck's place in padproof. It draws cases through Generate and walks the tree of their
// simplifications, which is Simplify applied again and again; its own shrinking is never used.

#pragma once

#include <functional>

#include "harness/case/case.h"
#include "harness/case/generate.h"

namespace padproof {

/// Case number `index` of the stream `seed`; `size` as in Generate.
Case DrawCase(const Domain& domain, uint64_t seed, int index, int size);

enum class Keep { yes, no, stop };

/// Walks down from `c`: at each level the first simplification for which `keep` says yes becomes
/// the new root. Ends when none does, or at the first stop. Returns the simplest case reached.
Case WalkDown(const Case& c, const std::function<Keep(const Case&)>& keep);

}  // namespace padproof
