// One launch, for what runs a kernel otherwise than Run does.

#pragma once

#include <functional>
#include <optional>

#include "harness/device/device_call.h"
#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"
#include "harness/judge/verdict.h"

namespace padproof {

/// Workspace, call, status. No value when all went well, else as Run says.
std::optional<Verdict> Launch(const KernelRow& kernel, Problem& problem, bool backward);

/// Calls the kernel in another way than Call does; results must end up in the problem.
using Launcher = std::function<Called(const KernelRow& kernel, Problem& problem,
                                      const AttentionArgs& args, bool backward)>;

/// Run with every launch by `launcher`, but for those that only read which weights are dropped.
std::optional<Verdict> RunWith(const Launcher& launcher, const KernelRow& kernel, Problem& problem);

}  // namespace padproof
