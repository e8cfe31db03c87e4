// The CUDA Toolkit's 16-bit functions as plain functions on bit patterns, if this build found the
// toolkit's headers. Never together with ours.

#include "harness/simt/half_toolkit.h"

#if __has_include(<cuda_fp16.h>) && __has_include(<cuda_bf16.h>)

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace padproof::toolkit {
namespace {
#include "harness/simt/half_toolkit_table.inc"
}  // namespace

const Table* ToolkitFunctions() {
  static const Table table = AllFunctions();
  return &table;
}

}  // namespace padproof::toolkit

#else

namespace padproof::toolkit {
const Table* ToolkitFunctions() { return nullptr; }
}  // namespace padproof::toolkit

#endif
