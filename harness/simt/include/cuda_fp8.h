// The toolkit's <cuda_fp8.h>, refused on the host.

#error "padproof simt: 8-bit floats (<cuda_fp8.h>) not emulated; include it under #if defined(__CUDACC__)"
