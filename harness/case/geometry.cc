// Decides where tokens lie, who sees whom, and which cases are allowed at all.

#include <algorithm>

#include "harness/base/random.h"
#include "harness/case/case.h"
#include "harness/case/recipe.h"
#include "harness/case/values.h"

namespace padproof {
namespace {

int LongestOf(const std::vector<int>& lens) {
  return lens.empty() ? 0 : *std::max_element(lens.begin(), lens.end());
}

int PadsBefore(int pads, PadSide side) {
  return side == PadSide::left ? pads : side == PadSide::around ? (pads + 1) / 2 : 0;
}

/// Of a buffer in which sequences follow one another, with `pad` slots as PadSide says.
Region PackedRegion(const std::vector<int>& lens, int pad, PadSide side, int b) {
  Region region;
  for (int n = 0; n <= b; ++n) {
    region.begin += region.slots;
    region.leftpad = n == 0 ? PadsBefore(pad, side) : 0;
    const bool last = n + 1 == static_cast<int>(lens.size());
    const int after = side == PadSide::between ? pad : last ? pad - PadsBefore(pad, side) : 0;
    region.slots = region.leftpad + lens[static_cast<size_t>(n)] + after;
  }
  return region;
}

Region RegionOf(const Case& c, const std::vector<int>& lens, int seqlen, int pad, int b) {
  if (c.packed()) return PackedRegion(lens, pad, c.pad_side, b);
  const int pads = seqlen - lens[static_cast<size_t>(b)];
  return {.begin = 0, .slots = seqlen, .leftpad = PadsBefore(pads, c.pad_side)};
}

bool IsReal(const Region& region, int len, int slot) {
  return slot >= region.leftpad && slot < region.leftpad + len;
}

std::string OutOfRange(const char* what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return {};
  return std::string(what) + " is " + std::to_string(value) + ": expected " + std::to_string(low) +
         " to " + std::to_string(high);
}

template <class E>
std::string Unnamed(const char* what, E value) {
  return OutOfRange(what, static_cast<int64_t>(value), 0,
                    static_cast<int64_t>(EnumText<E>::names.size()) - 1);
}

std::string ValidateLens(const Case& c) {
  if (c.lens_q.size() != c.lens_k.size()) {
    return "lens_q has " + std::to_string(c.lens_q.size()) + " sequences, lens_k has " +
           std::to_string(c.lens_k.size()) + ": expected the same number";
  }
  std::string wrong =
      OutOfRange("the number of sequences", static_cast<int64_t>(c.lens_q.size()), 1, kMaxBatch);
  for (size_t b = 0; b < c.lens_q.size() && wrong.empty(); ++b) {
    wrong = OutOfRange("a length in lens_q", c.lens_q[b], 0, kMaxLen);
    if (wrong.empty()) wrong = OutOfRange("a length in lens_k", c.lens_k[b], 0, kMaxLen);
  }
  return wrong;
}

std::string ValidateSize(const Case& c) {
  const int64_t rows = int64_t{c.batch()} * c.heads;
  const int widest = std::max(c.dim, c.value_dim());
  const int64_t q = rows * c.most_slots_q() * widest, k = rows * c.most_slots_k() * widest;
  const int64_t scores = rows * c.seqlen_q() * c.seqlen_k();
  const auto expected = ": expected at most " + std::to_string(kMaxElements);
  if (q > kMaxElements) return "Q would have " + std::to_string(q) + " elements" + expected;
  if (k > kMaxElements) return "K would have " + std::to_string(k) + " elements" + expected;
  if (scores > kMaxElements)
    return "there would be " + std::to_string(scores) + " scores" + expected;
  return {};
}

std::string ValidatePages(const Case& c) {
  if (!c.paged() && c.page_size != 0) {
    return "a page_size with layout=" + std::string(NameOf(c.layout)) + ": expected paged";
  }
  if (!c.paged()) return {};
  if (std::string wrong = OutOfRange("page_size", c.page_size, 1, kMaxPageSize); !wrong.empty()) {
    return wrong;
  }
  if (c.pad_side != PadSide::right) {
    return "pad_side=" + std::string(NameOf(c.pad_side)) +
           " with layout=paged: expected right, where the rest of a page is";
  }
  if (c.backward) return "backward with layout=paged: expected a forward, pages have no gradients";
  return {};
}

/// Fields that are right alone and may be wrong together.
std::string ValidateTogether(const Case& c) {
  if (c.heads % c.group != 0) {
    return "heads is " + std::to_string(c.heads) + " and " + std::to_string(c.group) +
           " of them share a head of K and V: expected a divisor of heads";
  }
  if (c.dim_v == c.dim) return "dim_v is dim: expected it left out then";
  if (!IsWindow(c.mask) && c.window != Window{}) {
    return "a window with mask " + std::string(NameOf(c.mask)) + ": expected one of window";
  }
  if (c.pad_side == PadSide::between && !c.packed()) {
    return "pad_side=between with layout=" + std::string(NameOf(c.layout)) + ": expected thd";
  }
  if ((c.packed() || c.paged()) && c.mask_form != MaskForm::lengths) {
    return "a mask tensor with layout=" + std::string(NameOf(c.layout)) +
           ": expected mask_form=lengths, or another layout";
  }
  if (std::string wrong = ValidatePages(c); !wrong.empty()) return wrong;
  if (c.holes > 0 && c.mask_form == MaskForm::lengths) {
    return "holes with mask_form=lengths: expected a mask tensor, boolean or additive";
  }
  if (IsDense(c.bias) && c.packed()) {
    return "bias=" + std::string(NameOf(c.bias)) +
           " with layout=thd: expected another layout, or no dense bias";
  }
  if (c.bias != Bias::none && c.mask_form == MaskForm::boolean) {
    return "a bias with mask_form=boolean: expected lengths, or additive, which holds it";
  }
  if (c.strided != kAllOperands && c.strides == Strides::contiguous) {
    return std::string("strides=contiguous:") + NameOf(static_cast<Operand>(c.strided)) +
           ": expected no tensor there";
  }
  if (c.strides == Strides::expanded && c.strided != kAllOperands &&
      !IsInput(static_cast<Operand>(c.strided))) {
    return std::string("strides=expanded:") + NameOf(static_cast<Operand>(c.strided)) +
           ": expected an input, heads of an output do not share memory";
  }
  if (!c.schedule.Draws() && c.schedule.seed != 0) {
    return "schedule " + std::string(NameOf(c.schedule.order)) +
           " has a seed: expected one only with random, warp_lag or preempt";
  }
  return ValidateSize(c);
}

}  // namespace

int Case::most_slots_q() const { return LongestOf(lens_q) + pad_q; }
int Case::pages() const {
  return paged() ? (LongestOf(lens_k) + pad_k + page_size - 1) / page_size : 0;
}
int Case::most_slots_k() const { return paged() ? pages() * page_size : LongestOf(lens_k) + pad_k; }
int Case::seqlen_q() const { return packed() ? LongestOf(lens_q) : most_slots_q(); }
int Case::seqlen_k() const { return packed() ? LongestOf(lens_k) : most_slots_k(); }

Region RegionQ(const Case& c, int b) { return RegionOf(c, c.lens_q, c.seqlen_q(), c.pad_q, b); }
Region RegionK(const Case& c, int b) { return RegionOf(c, c.lens_k, c.seqlen_k(), c.pad_k, b); }

std::string Validate(const Case& c) {
  const std::string checks[] = {
      ValidateLens(c),
      OutOfRange("pad_q", c.pad_q, 0, kMaxPad),
      OutOfRange("pad_k", c.pad_k, 0, kMaxPad),
      Unnamed("pad_side", c.pad_side),
      OutOfRange("heads", c.heads, 1, kMaxHeads),
      OutOfRange("the number of heads that share one of K and V", c.group, 1, kMaxHeads),
      OutOfRange("dim", c.dim, 1, kMaxDim),
      OutOfRange("dim_v", c.dim_v, 0, kMaxDim),
      Unnamed("mask", c.mask),
      OutOfRange("the window to the left", c.window.left, -1, kMaxLen),
      OutOfRange("the window to the right", c.window.right, -1, kMaxLen),
      Unnamed("mask_form", c.mask_form),
      OutOfRange("holes", c.holes, 0, kMaxHoles),
      Unnamed("bias", c.bias),
      OutOfRange("scale", c.scale, 0, kMaxScale),
      OutOfRange("softcap", c.softcap, 0, kMaxSoftcap),
      OutOfRange("dropout", c.dropout, 0, kMaxDropout),
      OutOfRange("splits", c.splits, 0, kMaxSplits),
      Unnamed("layout", c.layout),
      OutOfRange("page_size", c.page_size, 0, kMaxPageSize),
      Unnamed("strides", c.strides),
      OutOfRange("the tensor with strides", c.strided, kAllOperands, kOperands - 1),
      Unnamed("dtype", c.dtype),
      Unnamed("values", c.values),
      Unnamed("fill", c.fill),
      Unnamed("schedule", c.schedule.order),
  };
  for (const std::string& wrong : checks) {
    if (!wrong.empty()) return wrong;
  }
  return ValidateTogether(c);
}

int SlotQ(const Case& c, int b, int i) { return RegionQ(c, b).leftpad + i; }
int SlotK(const Case& c, int b, int j) { return RegionK(c, b).leftpad + j; }

bool IsRealQ(const Case& c, int b, int slot) {
  return IsReal(RegionQ(c, b), c.lens_q[static_cast<size_t>(b)], slot);
}

bool IsRealK(const Case& c, int b, int slot) {
  return IsReal(RegionK(c, b), c.lens_k[static_cast<size_t>(b)], slot);
}

KeyRange VisibleKeys(const Case& c, int b, int i) {
  const int len_q = c.lens_q[static_cast<size_t>(b)], len_k = c.lens_k[static_cast<size_t>(b)];
  const int at = IsBottomRight(c.mask) ? i + len_k - len_q : i;
  KeyRange keys{0, len_k};
  if (IsCausal(c.mask)) keys.last = at + 1;
  if (c.window.left >= 0) keys.first = at - c.window.left;
  if (c.window.right >= 0) keys.last = at + c.window.right + 1;
  keys.last = std::clamp(keys.last, 0, len_k);
  keys.first = std::clamp(keys.first, 0, keys.last);
  return keys;
}

bool Sees(const Case& c, int b, int h, int i, int j) {
  const KeyRange keys = VisibleKeys(c, b, i);
  if (j < keys.first || j >= keys.last) return false;
  if (c.holes == 0) return true;
  const auto word = [](int x) { return static_cast<uint64_t>(x); };
  const uint64_t hash = HashOf({hash_salt::kHole, c.seed, word(b), word(h), word(i), word(j)});
  return (hash >> 32) % 100 >= word(c.holes);
}

bool SeesNothing(const Case& c, int b, int h, int i) {
  const KeyRange keys = VisibleKeys(c, b, i);
  int j = keys.first;
  while (j < keys.last && !Sees(c, b, h, i, j)) ++j;
  return j >= keys.last;
}

bool HasPads(const Case& c) {
  if (c.packed()) return c.pad_q > 0 || c.pad_k > 0;
  const auto shorter = [](const std::vector<int>& lens, int seqlen) {
    return std::any_of(lens.begin(), lens.end(), [=](int len) { return len < seqlen; });
  };
  return shorter(c.lens_q, c.seqlen_q()) || shorter(c.lens_k, c.seqlen_k());
}

bool HasEmptyRow(const Case& c) {
  for (int b = 0; b < c.batch(); ++b) {
    for (int h = 0; h < (c.holes > 0 ? c.heads : 1); ++h) {
      for (int i = 0; i < c.lens_q[static_cast<size_t>(b)]; ++i) {
        if (SeesNothing(c, b, h, i)) return true;
      }
    }
  }
  return false;
}

}  // namespace padproof
