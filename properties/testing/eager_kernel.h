// A kernel in this process, for tests of laws: fp32, with the conventions of eager code.

#pragma once

#include "harness/judge/kernel.h"

namespace padproof {

/// Three passes over all slots; LSE +inf and O 0 at pads. What a query does not see gets the lowest
/// finite score, so that a row of nothing else is a mean over all slots; a careful one leaves out
/// what is not seen, with O = 0 and LSE = +inf where that is all. Its backward computes the softmax
/// again, in another order.
KernelRow EagerRow(bool careful);

/// An element of an fp32 tensor.
float& At(const Tensor& t, int b, int h, int slot, int d);

}  // namespace padproof
