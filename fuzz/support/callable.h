// Kernels that a target calls in its own process.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/drivers/kernel_info.h"
#include "harness/judge/kernel.h"

namespace padproof {

struct Callable {
  const KernelRow* row;
  KernelInfo info;
};

/// Ends the process: what it was started with is wrong.
[[noreturn]] void Refuse(const std::string& message);

/// The rows whose ids match $PADPROOF_FUZZ_KERNELS, or `patterns` where that is not set; those that
/// `keep` takes. At least one, else Refuse.
std::vector<Callable> CallableKernels(std::string_view patterns,
                                      bool (*keep)(const KernelRow& row) = nullptr);

/// Null if there is none of this id.
const Callable* FindCallable(const std::vector<Callable>& kernels, std::string_view id);

}  // namespace padproof
