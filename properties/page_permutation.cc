// page_permutation
//
//   f(pages in another order in the pool, and a block table that says so) gives the same bits of O
//   and LSE
//
// Preconditions: the row takes K and V in pages and repeats its bits. Pages that no table names
// move too, and entries that lead nowhere stay.
//
// Bits, because a table changes where a key is, not which key it is: the same arithmetic runs.

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  if (!traits.layouts.Has(Layout::paged)) return "takes no K and V in pages";
  return NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  if (!c.paged()) return;
  for (int& len : c.lens_q) len = len == 0 ? 1 : len;
  int& longest = c.lens_k.front();
  if (c.pages() < 2) longest = c.page_size + random.Between(1, c.page_size);
  c = WithAllowedFill(traits, c);
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  if (!c.paged()) return Verdict::NotApplicable("needs K and V in pages");
  if (c.batch() * c.pages() < 2) return Verdict::NotApplicable("needs two pages");
  Problem drawn(c), moved = drawn;
  for (uint64_t salt = 1; moved.lengths() == drawn.lengths(); ++salt) {
    if (salt > 16) return Verdict::NotApplicable("no two pages hold tokens");
    moved.MovePages(salt);
  }
  return JudgeRepeatable(kernel, drawn, "pages as drawn", moved, "pages elsewhere", nullptr);
}

PADPROOF_PROPERTY({.name = "page_permutation",
                   .statement = "where in the pool pages lie does not matter",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
