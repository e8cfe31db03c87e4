// layout_invariance
//
//   |f(contiguous) - f(strided)| <= r + r   for every real element of O, LSE, dQ, dK, dV
//
// with r the bounds of reference/derivations.md, before rounding to storage: the same tokens in
// contiguous tensors and in tensors of other strides, or with heads and slots the other way around.
//
// Preconditions: the row takes two layouts, or strides that are not contiguous.
//
// Why a bound and not bits: a library may choose its arithmetic by strides.

#include <string>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/twins.h"

namespace padproof {
namespace {

bool TakesBoth(const KernelTraits& traits) {
  return traits.layouts.Has(Layout::bhsd) && traits.layouts.Has(Layout::bshd);
}

bool TakesBoth(const KernelTraits& traits, const Case& c) {
  return TakesBoth(traits) && !c.packed() && !c.paged();
}

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  const bool strided = traits.strides != SetOf(Strides::contiguous);
  return strided || TakesBoth(traits) ? nullptr : "takes contiguous tensors of one layout";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  if (c.heads < 2) c.heads = random.Between(2, 3);
  if (c.strides == Strides::contiguous && !TakesBoth(traits, c)) {
    const Strides strides = random.OneOf({Strides::row_padded, Strides::offset, Strides::transposed,
                                          Strides::expanded, Strides::sliced});
    if (traits.strides.Has(strides)) c.strides = strides;
  }
  c = WithAllowedFill(traits, c);
}

/// "bshd row_padded:k"
std::string Told(const Case& c) {
  std::string told(NameOf(c.layout));
  if (c.strides == Strides::contiguous) return told;
  told += " " + std::string(NameOf(c.strides));
  return c.strided == kAllOperands ? told : told + ":" + NameOf(static_cast<Operand>(c.strided));
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  Case strided = WithAllowedFill(kernel.traits, original);
  Case plain = strided;
  plain.strides = Strides::contiguous;
  plain.strided = kAllOperands;
  if (TakesBoth(kernel.traits, original)) {
    plain.layout = Layout::bhsd;
    strided.layout = Layout::bshd;
  }
  if (plain == strided) return Verdict::NotApplicable("contiguous tensors of one layout");
  Problem first(plain), second(strided);
  for (int b = 0; b < plain.batch(); ++b) CopyTokens(first, b, second, b);
  return JudgeTwins(kernel, first, Told(plain).c_str(), second, Told(strided).c_str());
}

PADPROOF_PROPERTY(
    {.name = "layout_invariance",
     .statement = "strides and layout do not matter, within the sum of two proven bounds",
     .inapplicable = Inapplicable,
     .prepare = Prepare,
     .check = Check,
     .has_bound = true});

}  // namespace
}  // namespace padproof
