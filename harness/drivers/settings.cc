#include "harness/drivers/settings.h"

#include <cstdlib>

#include "harness/base/words.h"

namespace padproof {

uint64_t SeedOf(const std::string& text) {
  uint64_t number = 0;
  return ReadWhole(text, number) ? number : HashOf(std::string_view(text));
}

Result<SearchOptions> SearchOptionsFromEnvironment() {
  SearchOptions options;
  options.cases = 100;
  if (const char* seed = std::getenv("PADPROOF_SEED")) options.seed = SeedOf(seed);
  if (const char* cases = std::getenv("PADPROOF_CASES")) {
    if (!ReadWhole(cases, options.cases) || options.cases < 1) {
      return Error{"PADPROOF_CASES='" + std::string(cases) + "': expected a whole number from 1"};
    }
  }
  return options;
}

}  // namespace padproof
