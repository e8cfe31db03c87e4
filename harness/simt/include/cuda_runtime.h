// The toolkit's <cuda_runtime.h>, on the host.

#pragma once

#include "harness/simt/toolkit.h"
