// What the toolkit's headers give, on the host: the files of include/, which have their names,
// include this, so that the source of another project finds ours instead.

#pragma once

#if defined(__CUDACC__)
#error "harness/simt/include is for the host build; nvcc has the CUDA Toolkit's own headers"
#endif

#include "harness/simt/simt.h"
