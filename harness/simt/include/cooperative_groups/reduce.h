// The toolkit's <cooperative_groups/reduce.h>, on the host.

#pragma once

#include "harness/simt/cooperative_groups_algorithms.h"
#include "harness/simt/toolkit.h"
