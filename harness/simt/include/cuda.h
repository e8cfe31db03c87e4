// The toolkit's <cuda.h>, on the host.

#pragma once

#include "harness/simt/toolkit.h"
