// What is not emulated is refused by the compiler in one line that names it:
//
//   padproof simt: inline PTX (asm) is not emulated; it needs a host branch, #if ...
//
// Words that no declaration can explain are macros; functions are templates that no call can
// instantiate. Host build only; simt.h includes it last. Other names of the toolkit that are not
// emulated (textures, graphs, second devices) are unknown to the compiler, which names them too.
//
// `asm` is refused as a word, lest PTX reach the host's assembler. Standard headers spell it
// __asm__, which therefore stays: behind it the assembler rejects PTX in its own words. A file
// whose asm is the host's (asm volatile("" ::: "memory")) defines SIMT_HOST_ASM first.
//
// kernel<<<...>>>() and extern __shared__ are errors, but in the compiler's words.

#pragma once

#include "harness/simt/errors.h"

// clang-format off
#define PADPROOF_SIMT_PRAGMA(...) _Pragma(#__VA_ARGS__)

#if !defined(SIMT_HOST_ASM)
#define asm PADPROOF_SIMT_PRAGMA(GCC error \
  "padproof simt: inline PTX (asm) is not emulated; it needs a host branch, #if defined(__CUDA_ARCH__)") asm
#endif
#define __cluster_dims__(...) PADPROOF_SIMT_PRAGMA(GCC error \
  "padproof simt: thread block clusters (__cluster_dims__) are not emulated")
#define CUtensorMap PADPROOF_SIMT_PRAGMA(GCC error \
  "padproof simt: TMA (CUtensorMap) is not emulated") ::padproof::simt::Refused
#define cudaLaunchConfig_t PADPROOF_SIMT_PRAGMA(GCC error \
  "padproof simt: cudaLaunchConfig_t is not emulated; call padproof::simt::launch") \
  ::padproof::simt::Refused
#define cudaLaunchAttribute PADPROOF_SIMT_PRAGMA(GCC error \
  "padproof simt: cudaLaunchAttribute is not emulated; call padproof::simt::launch") \
  ::padproof::simt::Refused
// clang-format on

#define PADPROOF_SIMT_REFUSE_CALL(name, text)                                            \
  template <class... Arguments>                                                          \
  Refused name(const Arguments&...) {                                                    \
    static_assert(sizeof...(Arguments) == ~size_t{0}, "padproof simt: " #name " " text); \
    return 0;                                                                            \
  }

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

/// Stands for a refused type, so that its own line is the only error.
struct Refused {
  template <class... T>
  constexpr Refused(const T&...) {}
  template <class T>
  constexpr operator T() const {
    return T();
  }
};

inline namespace toolkit_names {

PADPROOF_SIMT_REFUSE_CALL(cudaLaunchKernel, "is not emulated; call padproof::simt::launch")
PADPROOF_SIMT_REFUSE_CALL(cudaLaunchKernelEx, "is not emulated; call padproof::simt::launch")
PADPROOF_SIMT_REFUSE_CALL(cudaLaunchKernelExC, "is not emulated; call padproof::simt::launch")
PADPROOF_SIMT_REFUSE_CALL(cudaLaunchCooperativeKernel,
                          "(grid-wide synchronisation) is not emulated; split the kernel there")
PADPROOF_SIMT_REFUSE_CALL(cuTensorMapEncodeTiled, "(TMA) is not emulated")
PADPROOF_SIMT_REFUSE_CALL(__cvta_generic_to_shared,
                          "(an address for PTX) is not emulated; it needs a host branch")
PADPROOF_SIMT_REFUSE_CALL(__mbarrier_init, "(mbarrier) is not emulated")
PADPROOF_SIMT_REFUSE_CALL(cudaGridDependencySynchronize, "(launches that overlap) is not emulated")
PADPROOF_SIMT_REFUSE_CALL(cudaTriggerProgrammaticLaunchCompletion,
                          "(launches that overlap) is not emulated")

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop

#undef PADPROOF_SIMT_REFUSE_CALL
