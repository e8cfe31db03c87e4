// The toolkit's <cooperative_groups.h>, on the host.

#pragma once

#include "harness/simt/cooperative_groups.h"
#include "harness/simt/toolkit.h"
