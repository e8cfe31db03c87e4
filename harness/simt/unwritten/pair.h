// A kernel that uses what nobody wrote, and its twin that does not: what the kernels and the test
// program share.

#pragma once

#include <cstddef>

namespace padproof::simt_unwritten {

struct Pair {
  const char* name;  // the line to be reported ends in "// unwritten: <name>"
  const char* says;  // text that the report has too, or ""
  void (*run)(bool broken);
};

extern const Pair kPairs[];
extern const size_t kPairCount;
extern const Pair kDivergent;  // its broken twin is reported by the runtime itself

}  // namespace padproof::simt_unwritten
