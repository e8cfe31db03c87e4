// The toolkit's <cooperative_groups/memcpy_async.h>, refused on the host.

#error "padproof simt: cooperative_groups::memcpy_async (<cooperative_groups/memcpy_async.h>) not emulated; include it under #if defined(__CUDACC__)"
