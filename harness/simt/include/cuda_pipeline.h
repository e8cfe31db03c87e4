// The toolkit's <cuda_pipeline.h>, on the host.

#pragma once

#include "harness/simt/pipeline.h"
#include "harness/simt/toolkit.h"
