// What laws ask of a drawn case, so that few draws are skipped. Each call keeps the case valid and
// inside what the row takes.

#pragma once

#include "harness/base/random.h"
#include "harness/case/case.h"
#include "harness/judge/kernel.h"

namespace padproof {

/// Some sequence has a padded key slot.
void EnsurePaddedKeys(Case& c, Random& random);
/// A fill that is finite and not zero, and that the row allows.
void EnsureFiniteFill(Case& c, const KernelTraits& traits, Random& random);
/// nan, inf or bits.
void EnsurePoisonFill(Case& c, Random& random);
/// An order other than forward.
void EnsureSchedule(Case& c, Random& random);
/// Some real query sees no key: it has none, or its window ends before or begins behind all of
/// them.
void EnsureEmptyRow(Case& c, const KernelTraits& traits, Random& random);

}  // namespace padproof
