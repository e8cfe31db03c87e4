// Draws random cases. It knows the kernel's row: lengths crowd around multiples of its tiles, 0 and
// 1; shapes clash on purpose (B == S, B == H, Sq == Sk) and differ; features are mixed in swarms (a
// random subset is switched off for a whole case), so that every pair of features meets.

#pragma once

#include "harness/base/random.h"
#include "harness/case/case.h"

namespace padproof {

/// What the generator needs to know of a kernel.
struct Domain {
  Set<Dtype> dtypes = Set<Dtype>::All();
  Set<Layout> layouts = Set<Layout>::All();
  Set<Mask> masks = Set<Mask>::All();
  Set<PadSide> pad_sides = Set<PadSide>::All();
  int dim_max = 64;
  int dim_multiple = 1;
  int tile_q = 16;
  int tile_k = 16;
  bool backward = true;        // the kernel has a backward
  bool backward_only = false;  // and nothing else: every case must ask for it
  bool scheduled = true;       // the SIMT schedule matters (backend "simt")
};

/// A valid case within `domain`. `size` grows from 0 to 100 over a run: small cases first.
Case Generate(const Domain& domain, Random& random, int size);

}  // namespace padproof
