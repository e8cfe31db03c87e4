// The toolkit's <thrust/device_vector.h>, refused on the host.

#error "padproof simt: Thrust (<thrust/device_vector.h>) not emulated; include it under #if defined(__CUDACC__)"
