#include "harness/drivers/settings.h"

#include <charconv>
#include <cstdlib>

namespace padproof {
namespace {

template <class Number>
bool ParseWhole(const std::string& text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && !text.empty();
}

}  // namespace

uint64_t SeedOf(const std::string& text) {
  uint64_t number = 0;
  return ParseWhole(text, number) ? number : HashOf(std::string_view(text));
}

Result<SearchOptions> SearchOptionsFromEnvironment() {
  SearchOptions options;
  options.cases = 100;
  if (const char* seed = std::getenv("PADPROOF_SEED")) options.seed = SeedOf(seed);
  if (const char* cases = std::getenv("PADPROOF_CASES")) {
    if (!ParseWhole(std::string(cases), options.cases) || options.cases < 1) {
      return Error{"PADPROOF_CASES='" + std::string(cases) + "': expected a whole number from 1"};
    }
  }
  return options;
}

}  // namespace padproof
