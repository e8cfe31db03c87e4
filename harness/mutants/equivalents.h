// Edits that no law can tell from the original, judged by hand: a text file beside the source.
//
//   # any comment
//   4be2c0d1 9f0011aa.2: the tile beyond the last key is empty, so one more turn adds nothing
//
// Ids before the colon, the reason after it, one line. An id holds while the text of its line does.

#pragma once

#include <map>
#include <string>
#include <string_view>

#include "harness/base/check.h"

namespace padproof {

/// By id, why nothing can notice it. An error names file, line and remedy.
using Equivalents = std::map<std::string, std::string>;
Result<Equivalents> ParseEquivalents(std::string_view path, std::string_view text);

/// "kernels/naive.cu" -> "kernels/mutants/naive.equivalent" if that folder is there, else
/// "kernels/naive.equivalent".
std::string EquivalentsFileOf(const std::string& source_path);

}  // namespace padproof
