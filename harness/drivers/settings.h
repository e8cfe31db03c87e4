// Settings that come from outside as text.

#pragma once

#include <string>

#include "harness/drivers/search.h"

namespace padproof {

/// A decimal number is itself; any other text, such as a commit hash, is hashed.
uint64_t SeedOf(const std::string& text);

/// PADPROOF_SEED and PADPROOF_CASES (default 100), for test binaries; saves nothing. An error names
/// the variable and what is allowed.
Result<SearchOptions> SearchOptionsFromEnvironment();

}  // namespace padproof
