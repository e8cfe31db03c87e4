// host_agreement
//
//   |f_host(x) - f_device(x)| <= r + r   for every real element of O, LSE, dQ, dK, dV, dBias
//
// with r the bounds of reference/derivations.md, before rounding to storage: the same source, built
// for the host and run by the SIMT layer, and built for a device and run there, on one case line.
//
// Preconditions: the row runs on a device, and the program holds a row of the same name that the
// SIMT layer runs.
//
// Why a bound and not bits: the device has an exp of its own and contracts products and sums.

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/twins.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool, bool) { return nullptr; }

void Prepare(Case& c, const KernelTraits& traits, Random&) { c = WithAllowedFill(traits, c); }

Verdict Check(const KernelRow& kernel, const Case& original) {
  const KernelRow* twin = HostTwin(kernel);
  if (twin == nullptr) return Verdict::NotApplicable("no row of this name runs on the host");
  const Case c = WithAllowedFill(kernel.traits, original);
  Problem host(c), device(c);
  if (auto verdict = Run(*twin, host)) return *verdict;
  if (auto verdict = Run(kernel, device)) return *verdict;
  WithinBound bound;
  for (int b = 0; b < c.batch(); ++b) {
    CompareWithin(kernel, {host, b, "host"}, {device, b, "device"}, bound);
  }
  return bound.verdict(kernel.traits.numerics);
}

PADPROOF_PROPERTY({.name = "host_agreement",
                   .statement = "a device and the host give the same results from one source, "
                                "within the sum of two proven bounds",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true,
                   .with_host_twin_only = true});

}  // namespace
}  // namespace padproof
