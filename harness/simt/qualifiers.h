// CUDA's declaration specifiers on the host: most say where code runs or a variable lies, and here
// there is one place. Host build only; included by simt.h.
//
// A __device__, __constant__ or __managed__ variable is an ordinary one, so that `static`, `extern`
// and `const` mean what they mean on the device with -rdc=true, in any order with these words, and
// it keeps its value across launches.

#pragma once

#include <memory>  // before __noinline__ below, which the standard library spells in attributes

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __managed__
#undef __forceinline__
#undef __noinline__
#undef __inline_hint__
#undef __launch_bounds__
#undef __maxnreg__
#undef __grid_constant__
#undef __align__
#undef __builtin_align__

#if !defined(SIMT_GLOBAL) && defined(__clang__)
// Internal linkage lets AddressSanitizer put redzones around raw __shared__ arrays of templates.
#define SIMT_GLOBAL __attribute__((internal_linkage))
#elif !defined(SIMT_GLOBAL)
#define SIMT_GLOBAL
#endif

#define __global__ SIMT_GLOBAL
#define __device__
#define __host__
#define __constant__
#define __managed__
// Blocks run one after another. The runtime finds these arrays by their section, and fills them for
// each block; `used`: the optimiser must not know that they begin as zero. g++ ignores `section` in
// templates, but not `noinit`; the name with a dot keeps clang's redzones.
#if defined(__clang__)
#define __shared__ static __attribute__((section("simt.shared"), used))
#else
#define __shared__ static __attribute__((noinit, used))
#endif
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __align__(n)
#define __noinline__ __attribute__((noinline))
#define __inline_hint__ inline
#if defined(__OPTIMIZE__)
#define __forceinline__ inline __attribute__((always_inline))
#else
#define __forceinline__ inline
#endif
