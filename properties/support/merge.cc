#include "properties/support/merge.h"

#include <algorithm>
#include <cmath>

#include "reference/bounds.h"

namespace padproof {
namespace {

constexpr double kFp64 = 0x1p-48;  // of the merge itself: more than its few roundings

double Most(const reference::Judged& judged) { return std::fabs(judged.centre) + judged.radius; }

double SumOfExp(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return NAN;
  const double most = std::max(a, b);
  if (std::isinf(most)) return most;
  return most + std::log(std::exp(a - most) + std::exp(b - most));
}

/// exp(part - whole), the weight of a part; 0 for one of -inf.
double Weight(double part, double whole) { return part == -INFINITY ? 0 : std::exp(part - whole); }

/// A radius; NaN, of 0 times infinity, is infinity.
double OrInfinity(double radius) { return radius >= 0 ? radius : INFINITY; }

}  // namespace

Merge::Merge(const std::array<MergePart, 2>& parts, Dtype dtype) : parts_(parts), dtype_(dtype) {
  std::array<double, 2> exact;
  for (size_t s = 0; s < 2; ++s) {
    const reference::ForwardRow& row = *parts[s].row;
    exact[s] = row.lse.centre;
    const double rounding = reference::HalfUlp(Dtype::f32, Most(row.lse));
    lse_errors_[s] = row.lse.centre == -INFINITY ? 0 : row.lse.radius + rounding;
  }
  const double whole = SumOfExp(exact[0], exact[1]);
  lse_ = SumOfExp(parts[0].stored_lse, parts[1].stored_lse);
  for (size_t s = 0; s < 2; ++s) {
    weights_[s] = Weight(exact[s], whole);
    merged_[s] = Weight(parts[s].stored_lse, lse_);
  }
}

reference::Judged Merge::Lse() const {
  double growth = 0;
  for (size_t s = 0; s < 2; ++s) growth += weights_[s] * std::expm1(lse_errors_[s]);
  return {.centre = lse_, .radius = OrInfinity(std::log1p(growth) + kFp64 * std::fabs(lse_))};
}

reference::Judged Merge::Out(int d, const std::array<double, 2>& stored) const {
  const double grown = std::expm1(lse_errors_[0] + lse_errors_[1]);
  double weights = weights_[0] * weights_[1] * grown * (1 + 1e-6);  // q; w_s are those of fp64
  if (!(weights <= 1)) weights = 1;
  double merged = 0, parts = 0, apart = 0, difference = 0, magnitude = 0;
  for (size_t s = 0; s < 2; ++s) {
    const reference::Judged& out = parts_[s].row->out[static_cast<size_t>(d)];
    const bool exact = out.centre == 0 && out.radius == 0;
    const double rounding = exact ? 0 : reference::HalfUlp(dtype_, Most(out));
    if (Most(out) > FactsOf(dtype_).max_finite) return {.centre = merged, .radius = INFINITY};
    merged += merged_[s] * stored[s];
    parts += merged_[s] * (out.radius + rounding);
    apart += out.radius;
    difference += s == 0 ? out.centre : -out.centre;
    magnitude += Most(out);
  }
  const double radius =
      weights * (std::fabs(difference) + apart) + parts * (1 + kFp64) + kFp64 * magnitude;
  return {.centre = merged, .radius = OrInfinity(radius)};
}

}  // namespace padproof
