// The toolkit's <cuda_fp16.h>, on the host.

#pragma once

#include "harness/simt/toolkit.h"
