// A failure as a person reads it.

#pragma once

#include <string>

#include "harness/drivers/search.h"

namespace padproof {

/// The block of a finding, several lines, ending in a newline:
///   law / kernel   FAILED after 42 cases, shrunk in 14 steps
///     case    lens_q=1 lens_k=17 pad_k=1 dim=1 fill=nan
///     where   out[b=0 h=0 i=0 d=0]   pads 0: 0.2871   pads nan: nan   (1 of 1 elements)
///     law     ...
///     source  kernels/flash_fwd.cu
///     replay  build/check/padproof replay '...'
///     saved   corpora/flash_fwd/...
std::string Report(const Finding& finding);

/// What a shell in this directory takes to judge an entry again, which is printed in `line`: the
/// program as it is found from here, with the plugins of this run.
std::string ReplayCommand(const std::string& line);

/// The one line of a finding that was just saved and is about to be shrunk.
std::string FoundLine(const Finding& finding);

}  // namespace padproof
