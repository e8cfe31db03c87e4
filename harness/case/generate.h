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
  Set<Strides> strides = Set<Strides>::All();
  Set<PadSide> pad_sides = Set<PadSide>::All();
  Set<MaskForm> mask_forms = Set<MaskForm>::All();
  Set<Bias> biases = Set<Bias>::All();
  Set<Feature> features = Set<Feature>::All();
  int dim_max = 64;
  int dim_multiple = 1;
  int page_multiple = 1;  // page sizes are multiples of it
  int tile_q = 16;
  int tile_k = 16;
  bool backward = true;        // the kernel has a backward
  bool backward_only = false;  // and nothing else: every case must ask for it
  bool scheduled = true;       // the SIMT schedule matters (backend "simt")
};

/// The feature of `c` that is not in `features`, or an empty string.
std::string MissingFeature(Set<Feature> features, const Case& c);

/// True when the kernel behind `domain` can run `c`.
bool IsWithin(const Domain& domain, const Case& c);

/// A valid case within `domain` near `c`, whose enums are named and whose lists are not empty and
/// of one size: what the kernel lacks is replaced, what costs more than kMaxWork is cut.
Case Fit(const Domain& domain, Case c);

/// What a case costs: multiplications of Q K^T, and what each pair of query and key costs besides.
int64_t Work(const Case& c);

/// Of a drawn case. It keeps a launch on the host well under a second.
inline constexpr int64_t kMaxWork = int64_t{1} << 20;

/// Puts to its default what the mask or the layout leaves without a meaning: a window, gaps between
/// sequences, a page size.
void DropUnused(Case& c);

/// Moves what was drawn to where what a law then asked for (gradients, a mask tensor, another mask,
/// longer sequences) is valid: a layout of `layouts` that has it, no window without its mask. What
/// costs more than kMaxWork is cut: head dims (to multiples), heads, sequences, then lengths.
void Settle(Case& c, Set<Layout> layouts, int dim_multiple);

/// A valid case within `domain`. `size` grows from 0 to 100 over a run: small cases first.
Case Generate(const Domain& domain, Random& random, int size);

}  // namespace padproof
