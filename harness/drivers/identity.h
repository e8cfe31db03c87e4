// Which failures are the same one.

#pragma once

#include <string>

#include "harness/judge/verdict.h"

namespace padproof {

/// `law/kernel/kind/region`: what shrinking keeps, and what deduplication compares.
std::string IdentityOf(const std::string& law, const std::string& kernel, const Failure& failure);

}  // namespace padproof
