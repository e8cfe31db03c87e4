// The list behind PADPROOF_KERNEL. Plugins link it too, so it depends on nothing else.

#pragma once

#include <vector>

#include "harness/judge/kernel.h"

namespace padproof {

/// Rows that the files of this binary registered, in no particular order.
const std::vector<const KernelRow*>& RegisteredKernels();

}  // namespace padproof
