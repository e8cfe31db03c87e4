// Writing a result into the caller's memory from code that is not instrumented: MemorySanitizer has
// to be told that the memory is now initialised. Included by the runtime's sources only.

#pragma once

#include "harness/simt/runtime/sanitizer.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

template <class T>
void Give(T* result, T value) {
  *result = value;
  MarkWritten(result, sizeof *result);
}

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
