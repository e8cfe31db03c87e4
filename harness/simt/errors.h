// cudaError_t with every code of the runtime API, and cudaStream_t: what other headers of the SIMT
// layer need of the host side. The functions are in host_api.h.

#pragma once

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {
inline namespace toolkit_names {

/// The numbers of the toolkit.
enum cudaError {
#define PADPROOF_SIMT_ERROR(name, number, text) name = number,
#include "harness/simt/error_codes.inc"
#undef PADPROOF_SIMT_ERROR
};
using cudaError_t = cudaError;

/// A launch returns when its last thread has left the kernel, so a stream orders nothing; its
/// handle is checked all the same.
using cudaStream_t = struct CUstream_st*;

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt

using namespace padproof::simt::toolkit_names;  // NOLINT(google-build-using-namespace)
#pragma GCC visibility pop
