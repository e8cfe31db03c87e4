// hidden_key_invariance
//
//   for any content of the real key j, in K and V of one head:
//     O, LSE and dQ of every query that does not see j stay the same bits, zeros of either sign
//
// Preconditions: some query does not see some key of its sequence, by a causal mask, a window or a
// hole; the row repeats its bits. dK and dV are not compared: they sum over queries that do see j.
//
// Bits, because what is hidden adds an exact zero, of either sign (where all that a query sees is
// dropped or underflows, that is the sign of the result). Content like that of another token,
// unless the row stands any bits there (`hidden_content`): tiled kernels multiply it by 0, and
// masks that are added want finite scores.

#include <optional>

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool has_forward, bool) {
  if (traits.masks == SetOf(Mask::none) && traits.mask_forms == SetOf(MaskForm::lengths)) {
    return "takes no mask that hides a key";
  }
  return NotRepeatable(traits, has_forward);
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  if (c.mask == Mask::none && c.holes == 0) {
    c.mask = traits.masks.Has(Mask::causal_br) ? Mask::causal_br : Mask::causal_tl;
  }
  for (int& len : c.lens_k) {
    if (len < 2) len = random.Between(2, 6);
  }
  for (int& len : c.lens_q) {
    if (len == 0) len = random.Between(1, 6);
  }
}

/// A key, of those that some query does not see, or none.
std::optional<Index> HiddenKey(const Case& c) {
  const uint64_t start = HashOf({c.seed}) >> 32;
  for (int b = 0; b < c.batch(); ++b) {
    const int len_k = c.lens_k[static_cast<size_t>(b)];
    for (int n = 0; n < len_k; ++n) {
      const int j =
          static_cast<int>((start + static_cast<uint64_t>(n)) % static_cast<uint64_t>(len_k));
      for (int h = 0; h < c.heads; ++h) {
        for (int i = 0; i < c.lens_q[static_cast<size_t>(b)]; ++i) {
          if (!Sees(c, b, h, i, j)) return Index{b, h / c.group, j, 0};
        }
      }
    }
  }
  return std::nullopt;
}

/// Another token like it, or what the pads of the case hold, if that is not finite.
Fill ContentOf(const Case& c) { return IsFinite(c.fill) ? Fill::noise : c.fill; }

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  const std::optional<Index> key = HiddenKey(c);
  if (!key) return Verdict::NotApplicable("every query sees every key of its sequence");
  Problem calm(c), loud = calm;
  const bool any_bits = kernel.traits.promises.hidden_content == HiddenContent::any_bits;
  const Fill content = any_bits ? ContentOf(c) : Fill::noise;
  loud.FillTokens(content, [=](Operand op, const Index& at) {
    return !HasQueryRows(op) && at.b == key->b && at.h == key->h && at.i == key->i;
  });
  return JudgeRepeatable(kernel, calm, "as drawn", loud,
                         "key " + std::to_string(key->i) + " " + std::string(NameOf(content)),
                         [&](Operand op, const Index& at) {
                           if (!HasQueryRows(op)) return false;
                           const bool other = at.b != key->b || at.h / c.group != key->h;
                           return other || !Sees(c, at.b, at.h, at.i, key->i);
                         });
}

PADPROOF_PROPERTY({.name = "hidden_key_invariance",
                   .statement = "a key that the mask hides from a query does not touch its results",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .about_attention = true,
                   .tells_heads_apart = true});

}  // namespace
}  // namespace padproof
