// The toolkit's <cub/cub.cuh>, refused on the host.

#error "padproof simt: CUB (<cub/cub.cuh>) not emulated; include it under #if defined(__CUDACC__)"
