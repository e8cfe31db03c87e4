// Which kernels and laws a command is about.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/base/check.h"
#include "harness/drivers/kernel_info.h"
#include "harness/drivers/worker.h"
#include "harness/judge/property.h"

namespace padproof {

/// '*' any text, '?' any character; anything else itself.
bool GlobMatch(std::string_view pattern, std::string_view text);

/// True when the kernel's id or name matches one of the comma-separated patterns; a mutant matches
/// only a pattern with '~'.
bool MatchesAny(const std::string& patterns, const KernelInfo& kernel);

/// Libraries that can hold a match, "" (compiled in) first. A mutant's library is named after its
/// edit.
std::vector<std::string> LibrariesFor(const std::string& patterns);

/// Kernels whose id (or name) matches one of the comma-separated patterns, by id; also those that
/// cannot be called here, and say why (`missing`). Mutants are listed only by a pattern with '~'.
/// An error names a library that cannot be loaded, or a pattern that matches nothing and the name
/// nearest to it.
Result<std::vector<KernelInfo>> FindKernels(const std::string& patterns, Worker& worker);

/// The one kernel of this id, mutants included.
Result<KernelInfo> FindOneKernel(const std::string& id, Worker& worker);

/// Laws that match; an error lists the laws there are.
Result<std::vector<const Property*>> FindLaws(const std::string& patterns);

}  // namespace padproof
