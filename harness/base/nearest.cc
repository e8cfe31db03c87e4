#include "harness/base/nearest.h"

#include <algorithm>
#include <numeric>

namespace padproof {
namespace {

/// Levenshtein's distance, row by row (Wagner and Fischer 1974).
size_t Edits(std::string_view from, std::string_view to) {
  std::vector<size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < from.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < to.size(); ++j) {
      const size_t replaced = diagonal + (from[i] != to[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string Nearest(std::string_view word, const std::vector<std::string>& names) {
  size_t fewest = word.size() / 2 + 1;
  std::string nearest;
  for (const std::string& name : names) {
    const size_t edits = Edits(word, name);
    if (edits >= fewest) continue;
    fewest = edits;
    nearest = name;
  }
  return nearest;
}

}  // namespace padproof
