// Writing a result into the caller's memory from code that is not instrumented: MemorySanitizer has
// to be told that the memory is now initialised. Included by the runtime's sources only.

#pragma once

#if defined(SIMT_MSAN)
#include <sanitizer/msan_interface.h>
#endif

namespace padproof::simt {
inline namespace host_build {
namespace {

template <class T>
void Give(T* result, T value) {
  *result = value;
#if defined(SIMT_MSAN)
  __msan_unpoison(result, sizeof *result);
#endif
}

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
