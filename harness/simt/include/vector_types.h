// The toolkit's <vector_types.h>, on the host.

#pragma once

#include "harness/simt/toolkit.h"
