// A spelling as a C++ file: a GoogleTest that needs no padproof but the headers of the ABI.

#pragma once

#include <string>

#include "harness/drivers/corpus.h"
#include "harness/drivers/kernel_info.h"
#include "harness/spell/inquiry.h"

namespace padproof {

/// What the file says of itself.
struct SpelledCase {
  const Entry& entry;
  const KernelInfo& kernel;
  const char* statement;  // of the law
};

std::string GTestText(const SpelledCase& about, const Spelling& spelling);

}  // namespace padproof
