// Order statistics of counts.

#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace padproof {

/// The smallest count that at least the share `q` of the counts does not exceed; 0 of none.
inline int Quantile(std::vector<int> counts, double q) {
  if (counts.empty()) return 0;
  std::sort(counts.begin(), counts.end());
  const auto needed = static_cast<size_t>(std::ceil(q * static_cast<double>(counts.size())));
  return counts[std::clamp<size_t>(needed, 1, counts.size()) - 1];
}

}  // namespace padproof
