#include "harness/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace padproof {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "padproof: broken invariant '%s' at %s:%d; this is a bug in padproof\n",
               condition, file, line);
  std::abort();
}

}  // namespace padproof
