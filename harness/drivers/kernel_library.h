// Shared libraries of kernels that are compiled while padproof runs, the way the build compiles its
// planted bugs.

#pragma once

#include <string>
#include <vector>

#include "harness/base/check.h"

namespace padproof {

/// How this build makes one, as CMake wrote it down (kernel_library.CXX.json beside the program).
struct KernelRecipe {
  std::string compiler;
  std::vector<std::string> compile;  // flags
  std::vector<std::string> link;     // flags, and objects after the kernel's own
  std::vector<std::string> include;  // folders, which are among the flags too
};
Result<KernelRecipe> ReadKernelRecipe();

/// What kernels include, compiled once for all libraries made under `folder`, and again when the
/// recipe or padproof has changed. Returns the header that a compiler takes it for.
Result<std::string> PrecompiledHeader(const KernelRecipe& recipe, const std::string& folder);

enum class Built { library, same_code, does_not_compile };

/// Compiles one source at a time, in a folder of its own. Each thread owns one.
///
/// Optimised, since code that is equal after optimisation is the same kernel (trivial compiler
/// equivalence; Papadakis, Jia, Harman, Le Traon 2015), without debug information, whose columns
/// would differ, and on a precompiled header of what kernels include.
class KernelCompiler {
 public:
  /// `folder` is there and its own; `header` is a PrecompiledHeader of the same recipe.
  KernelCompiler(KernelRecipe recipe, std::string folder, std::string header);

  /// Compiles `text`, which may include files beside `source_file`. `original` is an object file to
  /// compare with, or "".
  Result<Built> Build(const std::string& text, const std::string& source_file,
                      const std::string& original);

  std::string object() const { return folder_ + "/kernel.o"; }
  std::string library() const { return folder_ + "/kernel.so"; }
  /// What the compiler said, at most `lines` lines.
  std::string Messages(int lines) const;

 private:
  KernelRecipe recipe_;
  std::string folder_, header_;
};

}  // namespace padproof
