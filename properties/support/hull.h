// How far O may be outside of the values that its query sees.
//
// Let w_j >= 0 be the kernel's weights, whatever the errors of its scores and exponentials, and l
// their exact sum, with that of a sink: c = sum_j w_j v_j / l lies in the convex hull of the v_j,
// and of 0 where there is a sink. The kernel's O differs from c by the rounding of P, of the sum
// over keys, of the row sum and of the division alone. Each of these errors is at most its share of
// sum_j w_j |v_j| / l <= max|v|, so that with rho the same errors for V = 1 (row_sum_radius) and
// f = 2^-126 for each product or sum that is flushed
//   |O - c| <= rho max|v| + (8 n + 16) f

#pragma once

#include <algorithm>

#include "reference/attention.h"
#include "reference/bounds.h"

namespace padproof {

/// Of column d of a row in domain, before rounding to storage: this bound or that of the oracle,
/// whichever is less. `value_max`: max |v_jd| of the keys that it sees.
inline double HullRadius(const reference::ForwardRow& row, int d, double value_max) {
  const double rounding =
      row.row_sum_radius * value_max + (8.0 * row.visible + 16) * reference::kFlush;
  const double whole = row.out[static_cast<size_t>(d)].radius;
  return rounding <= whole ? rounding : whole;
}

}  // namespace padproof
