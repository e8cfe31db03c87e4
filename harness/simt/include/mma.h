// The toolkit's <mma.h>, on the host.

#pragma once

#include "harness/simt/wmma.h"
#include "harness/simt/toolkit.h"
