// What a case was about, as coverage: libFuzzer keeps an input that is the first of its kind, also
// where kernels run the same code for it.

#pragma once

#include "harness/case/case.h"
#include "harness/judge/verdict.h"

namespace padproof {

/// Marks what the case shows of pads, tiles and empty rows, in which storage and layout, how its
/// keys are split, masked and biased, and what came of it.
void CountCase(const Case& c, int tile_k, const Verdict& verdict);

}  // namespace padproof
