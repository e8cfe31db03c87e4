// How a target ends at a failure: it prints what it has seen and a DEDUP_TOKEN, by which engines
// tell failures apart, and aborts.

#pragma once

#include <string>

#include "harness/drivers/corpus.h"
#include "harness/drivers/kernel_info.h"
#include "harness/judge/property.h"

namespace padproof {

/// `next` is what to type then.
[[noreturn]] void ReportAndDie(const Entry& entry, const Failure& failure, const Property& law,
                               const KernelInfo& kernel, const char* next);

/// The same of a parser, which has no law and no kernel: `what` it did wrong, on which text.
[[noreturn]] void ParserFailed(const char* parser, const char* what, const std::string& text);

}  // namespace padproof
