// The toolkit's <device_launch_parameters.h>, on the host.

#pragma once

#include "harness/simt/toolkit.h"
