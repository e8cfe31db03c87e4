// Two results on parts of the keys, merged by their LSE in fp64, with the bound of the merge.
//
//   w_s = exp(LSE_s - LSE'),  LSE' = ln(exp LSE_1 + exp LSE_2),  O' = w_1 O_1 + w_2 O_2
//
// Let e_s be the largest error of the stored LSE_s and p_s that of the stored O_s: its bound and
// its rounding to storage. Let w_s, O_s and LSE' be exact from here on, and w^_s what the stored
// LSE_s give. With d = error of LSE_1 - error of LSE_2, |d| <= e_1 + e_2:
//   w^_1 - w_1 = w_1 w_2 (e^d - 1) / (w_1 e^d + w_2) = -(w^_2 - w_2)
// The denominator is at least 1 for d >= 0 and at least e^d for d < 0, so that in both cases
//   |w^_1 - w_1| <= w_1 w_2 (e^(e_1 + e_2) - 1) =: q
//   |merged - O'| = |(w^_1 - w_1)(O_1 - O_2) + sum_s w^_s (stored O_s - O_s)|
//                <= q |O_1 - O_2| + w^_1 p_1 + w^_2 p_2
// LSE' grows with each LSE_s, so that it is off by at most ln sum_s w_s e^e_s upwards and
// -ln sum_s w_s e^-e_s downwards, of which by convexity the first is the larger.

#pragma once

#include <array>

#include "harness/base/dtype.h"
#include "reference/attention.h"

namespace padproof {

/// One part: its row by the oracle, in domain, and the LSE that the kernel stored. A row without a
/// visible key is exact: O = 0, LSE = -inf.
struct MergePart {
  const reference::ForwardRow* row = nullptr;
  double stored_lse = 0;
};

class Merge {
 public:
  /// Of outputs stored in `dtype`; the rows must outlive it.
  Merge(const std::array<MergePart, 2>& parts, Dtype dtype);

  /// The merged LSE and how far it may be from the exact one.
  reference::Judged Lse() const;
  /// Column d of the merged O from what both parts stored there. The radius is infinite where a
  /// stored O may have overflowed.
  reference::Judged Out(int d, const std::array<double, 2>& stored) const;

 private:
  std::array<MergePart, 2> parts_;
  Dtype dtype_;
  double lse_ = 0;                      // merged, from the stored ones
  std::array<double, 2> lse_errors_{};  // e_s
  std::array<double, 2> weights_{};     // w_s
  std::array<double, 2> merged_{};      // w^_s
};

}  // namespace padproof
