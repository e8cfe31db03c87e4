// The toolkit's <cuda_runtime_api.h>, on the host.

#pragma once

#include "harness/simt/toolkit.h"
