// How far a stored number is from where it may be, in units of the radius. Rounding is monotone, so
// `out` is acceptable iff some real number within the radius rounds to it: distances are taken to
// the preimage of the rounding, the interval of all reals that round to `out`.

#include <cmath>
#include <limits>

#include "harness/base/check.h"
#include "harness/base/dtype.h"
#include "reference/attention.h"

namespace padproof::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Interval {
  double low, high;
};

/// The closed preimage of a number that is not NaN. +0 and -0 have the same one.
Interval PreimageOf(Dtype dtype, uint32_t bits) {
  const uint32_t sign = dtype == Dtype::f32 ? 0x80000000u : 0x8000u;
  const uint32_t magnitude = bits & ~sign;
  const DtypeFacts facts = FactsOf(dtype);
  Interval at{-facts.eta, facts.eta};
  if (magnitude != 0) {
    // Magnitudes are ordered like their bits, and the midpoint of two neighbours is exact in fp64.
    // Half an ulp beyond the largest finite number begins the preimage of infinity.
    const double below = Decode(dtype, magnitude - 1), here = Decode(dtype, magnitude);
    if (std::isinf(here)) {
      at = {below + (below - Decode(dtype, magnitude - 2)) / 2, kInfinity};
    } else {
      const double above = Decode(dtype, magnitude + 1);
      at = {(below + here) / 2, std::isinf(above) ? here + (here - below) / 2 : (here + above) / 2};
    }
  }
  return (bits & sign) != 0 ? Interval{-at.high, -at.low} : at;
}

double Over(double distance, double radius) {
  PADPROOF_CHECK(radius >= 0);
  if (distance == 0 || std::isinf(radius)) return 0;
  return radius == 0 ? kInfinity : distance / radius;
}

}  // namespace

double Ratio(Dtype dtype, uint32_t bits, const Judged& judged) {
  if (IsNan(dtype, bits) || std::isnan(judged.centre)) return kInfinity;
  if (std::isinf(judged.centre)) return Decode(dtype, bits) == judged.centre ? 0 : kInfinity;
  const Interval at = PreimageOf(dtype, bits);
  if (judged.centre < at.low) return Over(at.low - judged.centre, judged.radius);
  if (judged.centre > at.high) return Over(judged.centre - at.high, judged.radius);
  return 0;
}

double PairRatio(Dtype dtype, uint32_t a, uint32_t b, double radius_a, double radius_b) {
  if (IsNan(dtype, a) || IsNan(dtype, b)) return kInfinity;
  const double x = Decode(dtype, a), y = Decode(dtype, b);
  if (x == y) return 0;
  const Interval low = PreimageOf(dtype, x < y ? a : b), high = PreimageOf(dtype, x < y ? b : a);
  return Over(std::fmax(0, high.low - low.high), radius_a + radius_b);
}

}  // namespace padproof::reference
