// The toolkit's <cuda_bf16.h>, on the host.

#pragma once

#include "harness/simt/toolkit.h"
