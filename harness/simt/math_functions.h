// Host side of CUDA's math API and of the small device functions kernels use beside it: see the
// headers below, one for each kind. 16-bit arithmetic is in half.h, barriers and warp operations
// in collectives.h, atomics in atomics.h.

#pragma once

#include <math.h>  // NOLINT(modernize-deprecated-headers): CUDA's names are global

#include "harness/simt/half.h"
#include "harness/simt/intrinsics/control_functions.h"
#include "harness/simt/intrinsics/conversions.h"
#include "harness/simt/intrinsics/float_functions.h"
#include "harness/simt/intrinsics/integer_functions.h"
#include "harness/simt/intrinsics/math_constants.h"
#include "harness/simt/intrinsics/memory_functions.h"
#include "harness/simt/intrinsics/simd_functions.h"
