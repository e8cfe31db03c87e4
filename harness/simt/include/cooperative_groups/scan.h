// The toolkit's <cooperative_groups/scan.h>, on the host.

#pragma once

#include "harness/simt/cooperative_groups_algorithms.h"
#include "harness/simt/toolkit.h"
