// What MemorySanitizer is told about memory: what nobody has written yet, and what was written
// where it did not look. Only kernels are instrumented for it, so the runtime says so for shared
// memory, and a host program for the buffers that it hands to kernels. Without SIMT_MSAN nothing
// happens.
//
// Nothing else is needed at a switch of fibers: every stack has its own shadow, and clang checks
// parameters and results where they are passed (-fsanitize-memory-param-retval, the default)
// instead of passing their shadow through thread-local memory that the next fiber would find.

#pragma once

#include <cstddef>

#if defined(SIMT_MSAN)
extern "C" {
void __msan_allocated_memory(const volatile void* data, size_t bytes);
void __msan_unpoison(const volatile void* data, size_t bytes);
void __msan_check_mem_is_initialized(const volatile void* data, size_t bytes);
void __msan_scoped_disable_interceptor_checks();
void __msan_set_death_callback(void (*callback)());
}
#endif

namespace padproof::simt {
inline namespace host_build {

#if defined(SIMT_MSAN)
constexpr bool kRuntimeKnowsMsan = true;

/// A branch, an address or a checked buffer that depends on these bytes is reported from now on,
/// with the place that called this as where they come from. The bytes stay as they are.
inline void MarkUnwritten(const void* data, size_t bytes) { __msan_allocated_memory(data, bytes); }

inline void MarkWritten(const void* data, size_t bytes) { __msan_unpoison(data, bytes); }

/// Reports, and ends the process, if these bytes depend on any that nobody has written.
inline void RequireWritten(const void* data, size_t bytes) {
  __msan_check_mem_is_initialized(data, bytes);
}

/// For this OS thread, which runs code that is not instrumented: what that hands to the C library
/// is not looked at any more.
inline void IgnoreLibraryCalls() { __msan_scoped_disable_interceptor_checks(); }

inline void CallAtReport(void (*callback)()) { __msan_set_death_callback(callback); }
#else
constexpr bool kRuntimeKnowsMsan = false;

inline void MarkUnwritten(const void* /*data*/, size_t /*bytes*/) {}
inline void MarkWritten(const void* /*data*/, size_t /*bytes*/) {}
inline void RequireWritten(const void* /*data*/, size_t /*bytes*/) {}
inline void IgnoreLibraryCalls() {}
inline void CallAtReport(void (* /*callback*/)()) {}
#endif

}  // namespace host_build
}  // namespace padproof::simt
