#include "harness/drivers/classes.h"

#include <algorithm>

namespace padproof {

std::array<bool, kClassNames.size()> Classify(const Case& c, int tile_k) {
  const auto any_k = [&](auto test) { return std::any_of(c.lens_k.begin(), c.lens_k.end(), test); };
  const auto differ = [](const std::vector<int>& lens) {
    return std::any_of(lens.begin(), lens.end(), [&](int n) { return n != lens.front(); });
  };
  return {HasPads(c),
          differ(c.lens_q) || differ(c.lens_k),
          HasEmptyRow(c),
          any_k([&](int n) { return n % tile_k != 0; }),
          any_k([&](int n) { return n > 0 && n % tile_k == 0; }),
          any_k([](int n) { return n == 1; }),
          c.mask != Mask::none,
          c.lens_q != c.lens_k,
          !IsFinite(c.fill) && HasPads(c),
          c.backward};
}

}  // namespace padproof
