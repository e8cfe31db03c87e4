#include "properties/support/prepare.h"

#include <algorithm>

#include "harness/case/draw.h"
#include "properties/support/run.h"

namespace padproof {

void EnsurePaddedKeys(Case& c, Random& random) {
  const bool padded = c.pad_k > 0 || std::any_of(c.lens_k.begin(), c.lens_k.end(),
                                                 [&](int len) { return len != c.lens_k.front(); });
  if (!padded) c.pad_k = random.Between(1, 5);
}

void EnsureFiniteFill(Case& c, const KernelTraits& traits, Random& random) {
  if (c.fill == Fill::zero || !IsFinite(c.fill)) {
    c.fill = random.OneOf({Fill::noise, Fill::copy, Fill::hot, Fill::huge});
  }
  c.fill = AllowedFill(traits, c.fill);
}

void EnsurePoisonFill(Case& c, Random& random) {
  if (IsFinite(c.fill)) c.fill = random.OneOf({Fill::nan, Fill::inf, Fill::bits});
}

void EnsureSchedule(Case& c, Random& random) {
  while (c.schedule.order == Order::forward) c.schedule = draw::OneSchedule(random);
}

void EnsureEmptyRow(Case& c, const KernelTraits& traits, Random& random) {
  const size_t b = random.Below(static_cast<uint32_t>(c.lens_q.size()));
  const Mask window = c.paged() || random.Chance(50) ? Mask::window_tl : Mask::window_br;
  if (traits.masks.Has(window) && random.Chance(c.paged() ? 70 : 40)) {
    c.mask = window;
    c.window = {.left = random.Between(0, 2), .right = random.Between(0, 2)};
    const int keys = std::clamp(c.lens_k[b], 1, 2 * traits.tile_k);
    c.lens_k[b] = keys;
    // Beyond the last key; of pages, into one that holds no token.
    const int page = c.paged() ? c.page_size : 1, slots = (keys + page - 1) / page * page;
    c.lens_q[b] = std::min(slots + c.window.left + random.Between(2, 4), kMaxLen);
  }
  if (HasEmptyRow(c)) return;
  c.lens_q[b] = std::max(1, c.lens_q[b]);
  c.lens_k[b] = 0;
}

}  // namespace padproof
