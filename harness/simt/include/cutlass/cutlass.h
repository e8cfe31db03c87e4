// The library's <cutlass/cutlass.h>, refused on the host.

#error "padproof simt: CUTLASS (<cutlass/cutlass.h>) not emulated; include it under #if defined(__CUDACC__)"
