// Why cells of the table stay empty: each reason once.

#pragma once

#include <string>

#include "harness/drivers/run.h"

namespace padproof {

/// Kernels as a person would list them: "flash_bwd*, naive@simt" where all rows of flash_bwd are
/// `chosen`. `chosen` says so of each of `kernels`.
std::string NamesOf(const std::vector<KernelInfo>& kernels, const std::vector<bool>& chosen);

/// One line for all cells with one reason, by kernels; "" if the table has no such cell:
///   flash_fwd*, splitkv*: gradient_agreement, pad_gradients_zero: has no backward
std::string Reasons(const RunResult& result, const std::vector<KernelInfo>& kernels,
                    const std::vector<const Property*>& laws);

}  // namespace padproof
