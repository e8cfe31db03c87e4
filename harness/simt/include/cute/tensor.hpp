// The library's <cute/tensor.hpp>, refused on the host.

#error "padproof simt: CuTe (<cute/tensor.hpp>) not emulated; include it under #if defined(__CUDACC__)"
