// What a kernel row may say. Rows come from outside, so whoever takes one over asks first, and
// nobody behind doubts a field.

#pragma once

#include <string>

#include "harness/judge/kernel.h"

namespace padproof {

/// "" if the row says what kernel.h allows, else the first field that does not, and what is allowed
/// there: "dim_multiple is 0; it must be 1 to 256". The generator finds a case for every row that
/// passes.
std::string WhyWrong(const KernelRow& row);

}  // namespace padproof
