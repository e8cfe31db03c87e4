// The toolkit's <curand_kernel.h>, refused on the host.

#error "padproof simt: cuRAND (<curand_kernel.h>) not emulated; include it under #if defined(__CUDACC__)"
