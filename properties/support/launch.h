// One launch, for what runs a kernel otherwise than Run does. Not for laws: they ask run.h.

#pragma once

#include <optional>

#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"
#include "harness/judge/verdict.h"

namespace padproof {

/// Workspace, call, status. No value when all went well, else as Run says.
std::optional<Verdict> Launch(const KernelRow& kernel, Problem& problem, bool backward);

}  // namespace padproof
