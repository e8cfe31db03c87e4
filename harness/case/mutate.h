// One random edit of a case, for coverage-guided search: field-aware and tile-aware.

#pragma once

#include "harness/case/generate.h"

namespace padproof {

/// A valid case within `domain` that differs from `c` in one to three fields (more only if `c`
/// itself is outside the domain or beyond kMaxWork).
Case Mutate(const Case& c, const Domain& domain, Random& random);

/// A valid case that takes each field from one of the two parents, then fitted to the domain.
Case Cross(const Case& a, const Case& b, const Domain& domain, Random& random);

}  // namespace padproof
