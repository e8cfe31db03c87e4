// Storage types on the host: exact conversions by integer arithmetic, the same bits everywhere.

#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/case/enums.h"

namespace padproof {

constexpr size_t SizeOf(Dtype dtype) { return dtype == Dtype::f32 ? 4 : 2; }

/// The bits of `x` rounded to nearest even in `dtype`; overflow gives infinity; any NaN a quiet
/// NaN.
uint32_t Encode(Dtype dtype, double x);

/// The exact value of a bit pattern.
double Decode(Dtype dtype, uint32_t bits);

bool IsNan(Dtype dtype, uint32_t bits);
bool IsFinite(Dtype dtype, uint32_t bits);
/// +0 or -0.
constexpr bool IsZero(Dtype dtype, uint32_t bits) {
  return (bits & (dtype == Dtype::f32 ? 0x7fffffffu : 0x7fffu)) == 0;
}

/// Facts of a storage type: unit roundoff, half the smallest
/// subnormal, smallest normal, largest finite.
struct DtypeFacts {
  double unit_roundoff;
  double eta;
  double min_normal;
  double max_finite;
};
DtypeFacts FactsOf(Dtype dtype);

}  // namespace padproof
