// The toolkit's <cuda_pipeline_primitives.h>, on the host.

#pragma once

#include "harness/simt/pipeline.h"
#include "harness/simt/toolkit.h"
