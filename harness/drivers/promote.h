// Promotion: a failing case becomes a regression test.

#pragma once

#include <string>

#include "harness/drivers/search.h"

namespace padproof {

/// Saves a failing case as `corpora`/<family>/<law>-<n>.case, unless one of the same identity is
/// there: a saved case of this law and kernel that fails in the same way and region. Fills
/// `finding.saved` and `finding.known`; false, with `finding.problem`, where it cannot be saved.
bool Promote(Finding& finding, const std::string& corpora, Worker& worker, double deadline_seconds);

}  // namespace padproof
