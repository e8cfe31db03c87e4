// Traps, assertions, assumptions, clocks. A trap, a failing assertion and a false assumption are
// reported with the thread that met it, and abort.
//
// Clocks never go back and tell nothing of a device: clock64 counts its own calls, so that a run
// repeats; clock is the C library's. printf is the C library's too.

#pragma once

#include <assert.h>  // NOLINT(modernize-deprecated-headers): its macro is replaced below
#include <time.h>    // NOLINT(modernize-deprecated-headers): clock() is global

#include <cstdio>

#include "harness/simt/collectives.h"
#include "harness/simt/runtime.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {
inline namespace toolkit_names {

[[noreturn]] inline void __trap(PADPROOF_SIMT_SITE) { ReportAndAbort("__trap was called", where); }
/// A device without a debugger stops with an error too.
inline void __brkpt(PADPROOF_SIMT_SITE) { ReportAndAbort("__brkpt was called", where); }

inline long long clock64() {
  static constinit thread_local long long calls = 0;
  return calls += 32;  // a loop that waits for so many cycles ends
}

/// Others run, however short the time.
inline void __nanosleep(unsigned /*nanoseconds*/, PADPROOF_SIMT_SITE) { Yield(where); }

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop

#define PADPROOF_SIMT_REQUIRE(condition, what) \
  ((condition) ? static_cast<void>(0)          \
               : ::padproof::simt::ReportAndAbort(what, ::padproof::simt::Site::current()))

// Also in builds with NDEBUG: a kernel is run here to be checked. Who includes <assert.h> later has
// the C library's again, which aborts too, but not with NDEBUG.
#undef assert
#define assert(...) PADPROOF_SIMT_REQUIRE((__VA_ARGS__), "assertion failed: " #__VA_ARGS__)

// On a device a false assumption is undefined behaviour.
#define __builtin_assume(...) \
  PADPROOF_SIMT_REQUIRE((__VA_ARGS__), "false __builtin_assume: " #__VA_ARGS__)
#define __assume(...) PADPROOF_SIMT_REQUIRE((__VA_ARGS__), "false __assume: " #__VA_ARGS__)
