// Rows that can be called in this process: those compiled in, and those of loaded plugins.

#pragma once

#include <string>
#include <vector>

#include "harness/base/check.h"
#include "harness/drivers/kernel_info.h"
#include "harness/judge/kernel.h"

namespace padproof {

/// Rows of a plugin, loading it at the first call; "" names the rows that are compiled in. An error
/// says why a library is refused: it cannot be opened, has no padproof_plugin(), is of another ABI
/// version, or one of its rows is wrong (row_check.h).
Result<std::vector<const KernelRow*>> RowsOf(const std::string& plugin);

/// A row of RowsOf as data that can leave the process.
KernelInfo Describe(const KernelRow& row, const std::string& plugin);

}  // namespace padproof
