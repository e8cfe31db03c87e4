// The toolkit's <math_constants.h>, on the host.

#pragma once

#include "harness/simt/toolkit.h"
