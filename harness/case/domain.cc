// Decides whether a kernel can run a case, and moves a case to where it can.

#include <algorithm>
#include <bit>

#include "harness/case/generate.h"
#include "harness/case/values.h"

namespace padproof {
namespace {

template <class E>
E Nearest(Set<E> set, E value) {
  PADPROOF_CHECK(set.bits != 0);
  return set.Has(value) ? value : static_cast<E>(std::countr_zero(set.bits));
}

int FitDim(const Domain& domain, int dim) {
  const int multiple = domain.dim_multiple;
  const int largest = std::min(domain.dim_max, kMaxDim) / multiple * multiple;
  return std::clamp(dim / multiple * multiple, multiple, largest);
}

void FitSizes(Case& c) {
  if (c.batch() > kMaxBatch) {
    c.lens_q.resize(kMaxBatch);
    c.lens_k.resize(kMaxBatch);
  }
  for (int& len : c.lens_q) len = std::clamp(len, 0, kMaxLen);
  for (int& len : c.lens_k) len = std::clamp(len, 0, kMaxLen);
  c.pad_q = std::clamp(c.pad_q, 0, kMaxPad);
  c.pad_k = std::clamp(c.pad_k, 0, kMaxPad);
  c.heads = std::clamp(c.heads, 1, kMaxHeads);
}

/// One cut that keeps lengths as long as anything else can give way.
void Cut(Case& c, int dim_multiple) {
  const auto halve = [](int& value) { value /= 2; };
  const int half = std::max(dim_multiple, c.dim / 2 / dim_multiple * dim_multiple);
  if (c.dim_v > c.dim) {
    c.dim_v = 0;
  } else if (c.dim > 8 && half < c.dim) {
    c.dim = half;
    if (c.dim_v == c.dim) c.dim_v = 0;
  } else if (c.heads > 1) {
    --c.heads;
    c.group = c.heads % c.group == 0 ? c.group : 1;
  } else if (c.batch() > 1) {
    c.lens_q.pop_back();
    c.lens_k.pop_back();
  } else if (c.pad_q + c.pad_k > 2) {
    halve(c.pad_q);
    halve(c.pad_k);
  } else {
    halve(c.lens_q.front());
    halve(c.lens_k.front());
  }
}

/// Gaps are for packed buffers alone.
Set<PadSide> PadSidesOf(const Domain& domain, const Case& c) {
  if (c.paged()) return SetOf(PadSide::right);
  const Set<PadSide> others{domain.pad_sides.bits & ~SetOf(PadSide::between).bits};
  return c.packed() || others.bits == 0 ? domain.pad_sides : others;
}

/// Pages hold no left pads and no gradients, and no mask tensor tells of them.
Set<Layout> LayoutsOf(const Domain& domain) {
  const bool takes_pages = !domain.backward_only && domain.pad_sides.Has(PadSide::right) &&
                           domain.mask_forms.Has(MaskForm::lengths);
  if (takes_pages) return domain.layouts;
  return {domain.layouts.bits & ~SetOf(Layout::paged).bits};
}

void FitPages(const Domain& domain, Case& c) {
  const int multiple = domain.page_multiple;
  const int largest = kMaxPageSize / multiple * multiple;
  const int whole = c.page_size / multiple * multiple;
  c.page_size = c.paged() ? std::clamp(whole, multiple, largest) : 0;
}

void FitStrides(const Domain& domain, Case& c) {
  c.strides = Nearest(domain.strides, c.strides);
  const bool named = c.strided >= 0 && c.strided < kOperands;
  const auto op = static_cast<Operand>(c.strided);
  const bool absent = !named || !HasTensor(c, op);
  const bool written = c.strides == Strides::expanded && named && !IsInput(op);
  if (c.strides == Strides::contiguous || absent || written) c.strided = kAllOperands;
}

void FitFeatures(const Domain& domain, Case& c) {
  if (!domain.features.Has(Feature::gqa)) c.group = 1;
  c.group = std::clamp(c.group, 1, c.heads);
  while (c.heads % c.group != 0) --c.group;
  const bool free = domain.features.Has(Feature::dim_v) && c.dim_v > 0;
  c.dim_v = free ? FitDim(domain, c.dim_v) : 0;
  if (c.dim_v == c.dim) c.dim_v = 0;
  c.scale = domain.features.Has(Feature::scale) ? std::clamp(c.scale, 0, kMaxScale) : 0;
  if (!domain.features.Has(Feature::softcap)) c.softcap = 0;
  c.softcap = std::clamp(c.softcap, 0, kMaxSoftcap);
  c.sink = c.sink && domain.features.Has(Feature::sink);
  c.dropout = domain.features.Has(Feature::dropout) ? std::clamp(c.dropout, 0, kMaxDropout) : 0;
  c.splits = domain.features.Has(Feature::splits) ? std::clamp(c.splits, 0, kMaxSplits) : 0;
  c.mask_form = Nearest(domain.mask_forms, c.mask_form);
  c.bias = Nearest(domain.biases, c.bias);
  if (c.packed() || c.paged()) c.mask_form = MaskForm::lengths;
  const bool tensor = c.mask_form != MaskForm::lengths;
  c.holes = tensor ? std::clamp(c.holes, 0, kMaxHoles) : 0;
  if (c.mask_form == MaskForm::boolean) c.bias = Bias::none;  // it has no room for numbers
  if (c.packed() && IsDense(c.bias)) c.bias = Bias::none;
  if (!IsWindow(c.mask)) c.window = {};
  c.window.left = std::clamp(c.window.left, -1, kMaxLen);
  c.window.right = std::clamp(c.window.right, -1, kMaxLen);
}

/// How many times the usual launches of a law dropout costs: its mask is read first, at least four
/// tokens a column of V or dO and launch (properties/support/dropout.h).
int64_t TimesForDropout(const Case& c) {
  constexpr int kTokensAColumn = 4, kUsualLaunches = 8;
  if (c.dropout == 0) return 1;
  const int longest_q = *std::max_element(c.lens_q.begin(), c.lens_q.end());
  const int longest_k = *std::max_element(c.lens_k.begin(), c.lens_k.end());
  const int tokens = std::max(c.group * longest_q, longest_k);
  return 1 + tokens / (kTokensAColumn * kUsualLaunches * c.value_dim());
}

}  // namespace

std::string MissingFeature(Set<Feature> features, const Case& c) {
  if (c.group > 1 && !features.Has(Feature::gqa)) return "fewer heads of K and V than of Q";
  if (c.dim_v != 0 && !features.Has(Feature::dim_v)) return "a head dim of V other than that of Q";
  if (c.scale > 0 && !features.Has(Feature::scale)) return "a scale of its own";
  if (c.softcap > 0 && !features.Has(Feature::softcap)) return "softcap";
  if (c.sink && !features.Has(Feature::sink)) return "sink=true";
  if (c.dropout > 0 && !features.Has(Feature::dropout)) return "dropout";
  if (c.splits > 0 && !features.Has(Feature::splits)) return "splits";
  return {};
}

bool IsWithin(const Domain& domain, const Case& c) {
  return domain.dtypes.Has(c.dtype) && domain.layouts.Has(c.layout) &&
         domain.strides.Has(c.strides) && domain.masks.Has(c.mask) &&
         domain.pad_sides.Has(c.pad_side) && domain.mask_forms.Has(c.mask_form) &&
         domain.biases.Has(c.bias) && MissingFeature(domain.features, c).empty() &&
         c.page_size % domain.page_multiple == 0 && c.dim <= domain.dim_max &&
         c.value_dim() <= domain.dim_max && c.dim % domain.dim_multiple == 0 &&
         c.value_dim() % domain.dim_multiple == 0 && (domain.backward || !c.backward) &&
         (c.backward || !domain.backward_only) && (domain.scheduled || c.schedule == Schedule{});
}

int64_t Work(const Case& c) {
  constexpr int kBesideProducts = 15;
  const int64_t rows = int64_t{c.batch()} * c.heads;
  const int64_t pairs = rows * std::max(1, c.most_slots_q()) * std::max(1, c.most_slots_k());
  return pairs * (std::max(c.dim, c.value_dim()) + kBesideProducts) * TimesForDropout(c);
}

void DropUnused(Case& c) {
  if (!c.paged()) c.page_size = 0;
  if (!c.packed() && c.pad_side == PadSide::between) c.pad_side = PadSide::right;
  if (!IsWindow(c.mask)) c.window = {};
}

void Settle(Case& c, Set<Layout> layouts, int dim_multiple) {
  const bool tensor = c.mask_form != MaskForm::lengths;
  if ((c.paged() && (c.backward || tensor)) || (c.packed() && tensor)) {
    const auto wrong = tensor ? SetOf(Layout::paged, Layout::thd) : SetOf(Layout::paged);
    const Set<Layout> right{layouts.bits & ~wrong.bits};
    if (right.bits != 0) c.layout = Nearest(right, c.layout);
  }
  if (c.paged()) c.backward = false;
  if (c.paged() || c.packed()) {
    c.mask_form = MaskForm::lengths;
    c.holes = 0;
  }
  FitSizes(c);
  DropUnused(c);
  while (Work(c) > kMaxWork) Cut(c, dim_multiple);
}

Case Fit(const Domain& domain, Case c) {
  PADPROOF_CHECK(domain.dim_multiple >= 1 && domain.dim_multiple <= domain.dim_max);
  PADPROOF_CHECK(domain.page_multiple >= 1 && domain.page_multiple <= kMaxPageSize);
  PADPROOF_CHECK(c.lens_q.size() == c.lens_k.size() && !c.lens_q.empty());
  FitSizes(c);
  c.dim = FitDim(domain, c.dim);
  c.dtype = Nearest(domain.dtypes, c.dtype);
  c.layout = Nearest(LayoutsOf(domain), c.layout);
  FitPages(domain, c);
  c.mask = Nearest(domain.masks, c.mask);
  c.pad_side = Nearest(PadSidesOf(domain, c), c.pad_side);
  FitFeatures(domain, c);
  c.backward = domain.backward_only || (domain.backward && c.backward && !c.paged());
  FitStrides(domain, c);
  if (!domain.scheduled) c.schedule = {};
  if (!c.schedule.Draws()) c.schedule.seed = 0;
  while (Work(c) > kMaxWork) Cut(c, domain.dim_multiple);
  PADPROOF_CHECK(Validate(c).empty() && IsWithin(domain, c));
  return c;
}

}  // namespace padproof
