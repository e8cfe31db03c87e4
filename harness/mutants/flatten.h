// A kernel whose header is edited: the header and all that leads to it stand in the place of their
// #include lines, so that one text is compiled wherever its files lie and however they are found.

#pragma once

#include <string>
#include <vector>

#include "harness/base/check.h"

namespace padproof {

/// The source of a kernel around the file that is edited.
struct Surroundings {
  std::string kernel_file;
  std::string before, after;

  std::string With(const std::string& edited) const { return before + edited + after; }
};

Result<std::string> ReadSource(const std::string& path);

/// Around `edited_file` inside `kernel_file` (the same file: nothing but its #line). Quoted
/// includes are looked for beside their file, then in `roots`. Each file is taken in once, as by
/// #pragma once.
Result<Surroundings> Flatten(const std::string& kernel_file, const std::string& edited_file,
                             const std::vector<std::string>& roots);

}  // namespace padproof
