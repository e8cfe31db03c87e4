// Looking for any failure at all: every law on every row of a kernel, as evenly as can be, until
// one fails. What a wrong kernel is run through.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "harness/drivers/search.h"

namespace padproof {

/// The first failure, not shrunk.
struct Kill {
  std::string law, kernel, kind;
  std::string line;  // the case
  int cases = 0;     // of this law and row until it failed
};

struct Hunted {
  std::optional<Kill> kill;
  int64_t judged = 0;
  bool cut_short = false;  // `stopped` said so
  std::string error;       // the harness itself failed
};

/// The law of a kill where no case of a row was one that a law speaks about: a kernel that refuses
/// every call is as red as one that fails.
inline constexpr const char* kNothingChecked = "nothing was checked";

/// Judges the first case of every law on every row, then the second, and so on, so that the law
/// that kills is the one that needs the fewest cases. Cases are those of Search.
Hunted Hunt(const std::vector<KernelInfo>& rows, const std::vector<const Property*>& laws,
            Worker& worker, const SearchOptions& options, const std::function<bool()>& stopped);

}  // namespace padproof
