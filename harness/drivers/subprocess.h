// A program that is run to its end, without a shell.

#pragma once

#include <string>
#include <vector>

#include "harness/base/check.h"

namespace padproof {

/// Runs `arguments` (the program first, found in PATH) in `folder`; its output goes to the file
/// `output` there. Returns its exit code, 128 + n for a signal n; an error when it cannot start.
Result<int> RunProgram(const std::vector<std::string>& arguments, const std::string& folder,
                       const std::string& output);

}  // namespace padproof
