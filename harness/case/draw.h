// Draws of single fields, shared by the generator and the mutator. Not for others.

#pragma once

#include "harness/case/generate.h"

namespace padproof::draw {

/// One of the set's values, each equally likely.
template <class E>
E OneOf(Set<E> set, Random& random) {
  PADPROOF_CHECK(set.bits != 0);
  for (;;) {
    const auto value = static_cast<E>(random.Below(EnumText<E>::names.size()));
    if (set.Has(value)) return value;
  }
}

// More than a power of two that an index may be cut to.
inline constexpr int kManySequences = 9;
inline constexpr int kManyHeads = 17;

/// A length at or one off a multiple of the tile.
int LengthNearTile(int tile, Random& random);
/// 0, 1, near a multiple of the tile, or anything up to `largest`.
int Length(int tile, int largest, Random& random);
/// 0, 1, a few, or about a tile.
int Pad(int tile, Random& random);
int Dim(const Domain& domain, Random& random);
/// A head dim of V that is not the case's dim.
int DimV(const Domain& domain, int dim, Random& random);
/// Reaches of a window: 0, a few, about a tile, or no bound; rarely no bound at all.
Window OneWindow(int tile, Random& random);
/// Any layout, with a page size that lengths meet the multiples of.
void SomeLayout(const Domain& domain, Random& random, Case& c);
/// Not 0: rates that models have, half, and one that leaves few.
int Dropout(Random& random);
/// Not 0: few, more than there are keys, and many.
int Splits(Random& random);
/// Not 0: none, and others that models have.
int Scale(Random& random);
void SomeStrides(const Domain& domain, Random& random, Case& c);
Fill OneFill(Random& random);
Schedule OneSchedule(Random& random);
/// A rate of preemption, not 0.
uint32_t Preempt(Random& random);
uint64_t Seed(Random& random);

}  // namespace padproof::draw
