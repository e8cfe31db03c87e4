// Decides which cases an exhaustive run meets, and in which order. enumerate_test.cc counts them.

#include "harness/case/enumerate.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <utility>

#include "harness/base/random.h"
#include "harness/case/values.h"

namespace padproof {
namespace {

constexpr int kLargestTile = 512;  // what is larger is not crossed: one case would take seconds
constexpr Window kWindows[] = {{1, 0}, {0, 2}, {-1, 1}};

template <class E>
std::vector<E> ValuesOf(Set<E> set) {
  std::vector<E> values;
  for (size_t n = 0; n < EnumText<E>::names.size(); ++n) {
    if (set.Has(static_cast<E>(n))) values.push_back(static_cast<E>(n));
  }
  return values;
}

void SortUnique(std::vector<int>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

// ---- shapes -------------------------------------------------------------------------------------

/// Of one sequence: across two edges of a small tile, across one of a large one.
std::vector<int> LengthsAlone(int tile) {
  std::vector<int> lengths;
  if (tile <= 4) {
    for (int len = 0; len <= 2 * tile + 1; ++len) lengths.push_back(len);
  } else {
    lengths = {0, 1, 2, tile - 1, tile, tile + 1};
  }
  return lengths;
}

/// All lists of `batch` of the lengths.
std::vector<std::vector<int>> Lists(const std::vector<int>& lengths, int batch) {
  std::vector<std::vector<int>> lists{{}};
  for (int b = 0; b < batch; ++b) {
    std::vector<std::vector<int>> longer;
    for (const std::vector<int>& list : lists) {
      for (int len : lengths) {
        longer.push_back(list);
        longer.back().push_back(len);
      }
    }
    lists = std::move(longer);
  }
  return lists;
}

struct MaskAndWindow {
  Mask mask;
  Window window;
};

std::vector<MaskAndWindow> MasksOf(const Domain& domain) {
  std::vector<MaskAndWindow> masks;
  for (Mask mask : ValuesOf(domain.masks)) {
    if (!IsWindow(mask)) masks.push_back({mask, {}});
    if (IsWindow(mask)) {
      for (const Window& window : kWindows) masks.push_back({mask, window});
    }
  }
  return masks;
}

/// Lengths and pads of one batch size, packed or not.
struct Block {
  std::vector<std::vector<int>> lens_q, lens_k;
  std::vector<int> pads_q, pads_k;
};

Block BlockOf(const Domain& domain, int batch) {
  const int tile_q = std::clamp(domain.tile_q, 1, kLargestTile);
  const int tile_k = std::clamp(domain.tile_k, 1, kLargestTile);
  Block block;
  block.pads_q = block.pads_k = {0, 1};
  if (batch == 1) {
    block.lens_q = Lists(LengthsAlone(tile_q), 1);
    block.lens_k = Lists(LengthsAlone(tile_k), 1);
    block.pads_k.push_back(tile_k);
    SortUnique(block.pads_k);
  } else {
    block.lens_q = Lists({0, 1, tile_q + 1}, batch);
    block.lens_k = Lists({0, 1, tile_k + 1}, batch);
  }
  return block;
}

/// The case under every side and mask that differ for it.
void AddShapes(const Domain& domain, const std::vector<MaskAndWindow>& masks, Case c,
               std::vector<Case>& shapes) {
  for (PadSide side : ValuesOf(domain.pad_sides)) {
    if (side == PadSide::between && !c.packed()) continue;
    if (side == PadSide::left && c.paged()) continue;
    if (side == PadSide::around) continue;  // left and right say each half of it
    c.pad_side = side;
    for (const auto& [mask, window] : masks) {
      c.mask = mask;
      c.window = window;
      shapes.push_back(c);
    }
    if (!HasPads(c)) break;
  }
}

void AddBlock(const Domain& domain, int batch, Layout layout, std::vector<Case>& shapes) {
  const std::vector<MaskAndWindow> masks = MasksOf(domain);
  const Block block = BlockOf(domain, batch);
  Case c;
  c.layout = layout;
  c.page_size = c.paged() ? domain.page_multiple : 0;
  for (const auto& lens_q : block.lens_q) {
    for (const auto& lens_k : block.lens_k) {
      c.lens_q = lens_q;
      c.lens_k = lens_k;
      for (int pad_q : block.pads_q) {
        for (int pad_k : block.pads_k) {
          c.pad_q = pad_q;
          c.pad_k = pad_k;
          AddShapes(domain, masks, c, shapes);
        }
      }
    }
  }
}

int SlotsOf(const Case& c) {
  int slots = 0;
  for (int b = 0; b < c.batch(); ++b) slots += RegionQ(c, b).slots + RegionK(c, b).slots;
  return slots;
}

/// Stable: those of as many slots stay in order.
void SortBySlots(std::vector<Case>& shapes) {
  std::vector<std::pair<int, size_t>> order;
  for (size_t n = 0; n < shapes.size(); ++n) order.emplace_back(SlotsOf(shapes[n]), n);
  std::sort(order.begin(), order.end());
  std::vector<Case> sorted;
  sorted.reserve(shapes.size());
  for (const auto& [slots, n] : order) sorted.push_back(std::move(shapes[n]));
  shapes = std::move(sorted);
}

// ---- manners ------------------------------------------------------------------------------------

/// What starts the turns of one field of a manner; its values are part of what a number means.
enum class Field : uint64_t {
  form = 1,
  layout,
  heads,
  dims,
  softcap,
  sink,
  dtype,
  values,
  backward,
  schedule,
  seed,
  strides,
  page_size,
  dropout,
  splits,
  scale,
};

/// Value of a field in manner 0 .. 7 of a shape: one after another, from a start of the shape's
/// own.
size_t Turn(Field field, uint64_t shape, uint64_t manner, size_t count) {
  return (HashOf({static_cast<uint64_t>(field), shape}) % count + manner) % count;
}

template <class T>
T Turn(const std::vector<T>& values, Field field, uint64_t shape, uint64_t manner) {
  return values[Turn(field, shape, manner, values.size())];
}

/// Orders forms, each given by the values of its fields, so that the uses of every value lie as
/// evenly as they can: of `count` uses in n places, use u is due at place (u + 1/2) n / count, and
/// each place takes the form whose values are most overdue. Eight in a row then have every value.
template <class Form>
void Spread(std::vector<Form>& forms) {
  const auto values = [](const Form& form) {
    return std::array{std::pair(0, static_cast<int>(form.mask_form)), std::pair(1, form.holes),
                      std::pair(2, static_cast<int>(form.bias))};
  };
  std::map<std::pair<int, int>, std::pair<int, int>> uses;  // made, to make
  for (const Form& form : forms) {
    for (const auto& value : values(form)) ++uses[value].second;
  }
  const double places = static_cast<double>(forms.size());
  for (auto place = forms.begin(); place != forms.end(); ++place) {
    const auto due = [&](const Form& form) {
      double sum = 0;
      for (const auto& value : values(form)) {
        const auto& [made, all] = uses[value];
        sum += (made + 0.5) * places / all;
      }
      return sum;
    };
    const auto next = std::min_element(
        place, forms.end(), [&](const Form& a, const Form& b) { return due(a) < due(b); });
    std::rotate(place, next, next + 1);
    for (const auto& value : values(*place)) ++uses[value].first;
  }
}

}  // namespace

Scope::Scope(const Domain& domain)
    : heads_{{1, 1}, {2, 1}},
      scales_{0},
      softcaps_{0},
      sinks_{false},
      dropouts_{0},
      splits_{0},
      dtypes_(ValuesOf(domain.dtypes)),
      schedules_{{}} {
  AddManners(domain);
  for (Layout layout : ValuesOf(domain.layouts)) {
    if (layout == Layout::bhsd || layout == Layout::bshd) padded_layouts_.push_back(layout);
  }
  for (int batch : {1, 2}) {
    if (!padded_layouts_.empty()) AddBlock(domain, batch, padded_layouts_.front(), shapes_);
    for (Layout layout : {Layout::thd, Layout::paged}) {
      if (domain.layouts.Has(layout)) AddBlock(domain, batch, layout, shapes_);
    }
  }
  SortBySlots(shapes_);
}

bool Scope::IsAllowed(const Form& form, Layout layout) {
  Case c{.lens_q = {1}, .lens_k = {1}};
  c.mask_form = form.mask_form;
  c.holes = form.holes;
  c.bias = form.bias;
  c.layout = layout;
  c.page_size = c.paged() ? 1 : 0;
  return Validate(c).empty();
}

void Scope::AddManners(const Domain& domain) {
  const auto takes = [&](Feature feature) { return domain.features.Has(feature); };
  for (int holes : {0, 50}) {
    for (Bias bias : ValuesOf(domain.biases)) {
      for (MaskForm mask_form : ValuesOf(domain.mask_forms)) {
        const Form form{mask_form, holes, bias};
        if (IsAllowed(form, Layout::bhsd)) forms_.push_back(form);
        if (IsAllowed(form, Layout::thd)) packed_forms_.push_back(form);
        if (IsAllowed(form, Layout::paged)) paged_forms_.push_back(form);
      }
    }
  }
  for (auto* forms : {&forms_, &packed_forms_, &paged_forms_}) Spread(*forms);
  for (Strides strides : ValuesOf(domain.strides)) {  // slices are for random cases: manners are 8
    if (strides != Strides::sliced) placed_.push_back({strides, kAllOperands});
  }
  if (domain.strides.Has(Strides::row_padded)) {
    for (Operand op : {Operand::k, Operand::o, Operand::d_o}) {
      placed_.push_back({Strides::row_padded, static_cast<int>(op)});
    }
  }
  for (int size : {1, 2, 3, std::clamp(domain.tile_k, 1, kMaxPageSize)}) {
    const int multiple = domain.page_multiple;
    page_sizes_.push_back(std::max(size / multiple * multiple, multiple));
  }
  SortUnique(page_sizes_);
  if (takes(Feature::gqa)) heads_.insert(heads_.end(), {{3, 3}, {4, 2}});
  if (takes(Feature::scale)) scales_ = {0, 100};
  if (takes(Feature::softcap)) softcaps_ = {0, 2, 30};
  if (takes(Feature::sink)) sinks_ = {false, true};
  if (takes(Feature::dropout)) dropouts_ = {0, 0, 0, 50};  // some laws say nothing of it
  if (takes(Feature::splits)) splits_ = {0, 1, 3, 64};
  for (const Dims& dims : std::initializer_list<Dims>{{1, 0}, {2, 0}, {5, 0}, {1, 2}, {5, 3}}) {
    const int multiple = domain.dim_multiple, largest = std::min(domain.dim_max, kMaxDim);
    if (dims.dim_v != 0 && !takes(Feature::dim_v)) continue;
    if (std::max(dims.dim, dims.dim_v) * multiple > largest) continue;
    dims_.push_back({dims.dim * multiple, dims.dim_v * multiple});
  }
  if (!domain.backward_only) backwards_.push_back(false);
  if (domain.backward) backwards_.push_back(true);
  if (domain.scheduled) {
    schedules_ = {{},
                  {.order = Order::reverse},
                  {.order = Order::random, .seed = 1},
                  {.order = Order::warp_lag, .seed = 1}};
  }
}

Case Scope::At(int64_t number) const {
  PADPROOF_CHECK(number >= 0 && number < size());
  const uint64_t shape = static_cast<uint64_t>(number) / kManners;
  const uint64_t manner = static_cast<uint64_t>(number) % kManners;
  const auto turn = [&](const auto& values, Field field) {
    return Turn(values, field, shape, manner);
  };
  Case c = shapes_[shape];
  const Form form = turn(c.packed()  ? packed_forms_
                         : c.paged() ? paged_forms_
                                     : forms_,
                         Field::form);
  c.mask_form = form.mask_form;
  c.holes = form.holes;
  c.bias = form.bias;
  if (c.paged()) {
    c.page_size = turn(page_sizes_, Field::page_size);
  } else if (!c.packed()) {
    c.layout = turn(padded_layouts_, Field::layout);
  }
  const Heads heads = turn(heads_, Field::heads);
  c.heads = heads.heads;
  c.group = heads.group;
  const Dims dims = turn(dims_, Field::dims);
  c.dim = dims.dim;
  c.dim_v = dims.dim_v;
  c.scale = turn(scales_, Field::scale);
  c.softcap = turn(softcaps_, Field::softcap);
  c.sink = turn(sinks_, Field::sink);
  c.dropout = turn(dropouts_, Field::dropout);
  c.splits = turn(splits_, Field::splits);
  c.dtype = turn(dtypes_, Field::dtype);
  constexpr size_t kValues = EnumText<Values>::names.size();
  c.values = static_cast<Values>(Turn(Field::values, shape, manner, kValues));
  static_assert(EnumText<Fill>::names.size() == kManners, "each shape meets each fill once");
  c.fill = static_cast<Fill>(manner);
  c.backward = !c.paged() && turn(backwards_, Field::backward);
  c.schedule = turn(schedules_, Field::schedule);
  c.seed = Turn(Field::seed, shape, manner, 3);
  const Placed placed = turn(placed_, Field::strides);
  const bool absent =
      placed.strided != kAllOperands && !HasTensor(c, static_cast<Operand>(placed.strided));
  c.strides = placed.strides;
  c.strided = absent ? kAllOperands : placed.strided;
  return c;
}

}  // namespace padproof
