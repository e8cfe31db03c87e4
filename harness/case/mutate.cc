// Decides how coverage-guided search moves from one case to its neighbours.

#include "harness/case/mutate.h"

#include <algorithm>

#include "harness/case/draw.h"

namespace padproof {
namespace {

int DifferingFields(const Case& a, const Case& b) {
  return (a.lens_q != b.lens_q) + (a.lens_k != b.lens_k) + (a.pad_q != b.pad_q) +
         (a.pad_k != b.pad_k) + (a.pad_side != b.pad_side) + (a.heads != b.heads) +
         (a.group != b.group) + (a.dim != b.dim) + (a.dim_v != b.dim_v) +
         (a.mask != b.mask || a.window != b.window) + (a.mask_form != b.mask_form) +
         (a.holes != b.holes) + (a.bias != b.bias) + (a.scale != b.scale) +
         (a.softcap != b.softcap) + (a.sink != b.sink) + (a.dropout != b.dropout) +
         (a.splits != b.splits) + (a.layout != b.layout || a.page_size != b.page_size) +
         (a.strides != b.strides || a.strided != b.strided) + (a.dtype != b.dtype) +
         (a.values != b.values) + (a.fill != b.fill) + (a.backward != b.backward) +
         (a.schedule != b.schedule) + (a.seed != b.seed);
}

/// One length becomes another one: a step, a tile's edge, a double, a half, a neighbour's, any.
void EditLength(std::vector<int>& lens, int tile, Random& random) {
  const auto count = static_cast<uint32_t>(lens.size());
  int& len = lens[random.Below(count)];
  switch (random.Below(7)) {
    case 0:
      ++len;
      break;
    case 1:
      --len;
      break;
    case 2:
      len = len / tile * tile + random.Between(-1, 1);
      break;
    case 3:
      len = len * 2;
      break;
    case 4:
      len = len / 2;
      break;
    case 5:
      len = lens[random.Below(count)];
      break;
    default:
      len = draw::Length(tile, 40, random);
  }
}

void EditBatch(Case& c, const Domain& domain, Random& random) {
  const auto at = static_cast<std::ptrdiff_t>(random.Below(static_cast<uint32_t>(c.batch())));
  if (c.batch() > 1 && random.Chance(50)) {
    c.lens_q.erase(c.lens_q.begin() + at);
    c.lens_k.erase(c.lens_k.begin() + at);
    return;
  }
  const int len_q = draw::Length(domain.tile_q, 40, random);
  const int len_k = draw::Length(domain.tile_k, 40, random);
  c.lens_q.insert(c.lens_q.begin() + at, len_q);
  c.lens_k.insert(c.lens_k.begin() + at, len_k);
}

/// Another schedule, or the same order with threads preempted at another rate or never.
void EditSchedule(Schedule& schedule, Random& random) {
  if (random.Chance(50)) {
    schedule = draw::OneSchedule(random);
    return;
  }
  schedule.preempt = random.Chance(50) ? 0 : draw::Preempt(random);
}

void EditFeature(Case& c, const Domain& domain, Random& random) {
  switch (random.Below(10)) {
    case 0:
      c.group = random.Between(1, 4);
      c.heads = c.group * random.Between(1, 2);
      return;
    case 1:
      c.dim_v = random.Chance(30) ? 0 : draw::DimV(domain, c.dim, random);
      return;
    case 2:
      c.softcap = random.OneOf({0, 1, 2, 30, 50});
      return;
    case 3:
      c.sink = !c.sink;
      return;
    case 4:
      c.bias = draw::OneOf(domain.biases, random);
      return;
    case 5:
      c.mask_form = draw::OneOf(domain.mask_forms, random);
      return;
    case 6:
      c.dropout = random.Chance(30) ? 0 : draw::Dropout(random);
      return;
    case 7:
      c.splits = random.Chance(30) ? 0 : draw::Splits(random);
      return;
    case 8:
      c.scale = random.Chance(30) ? 0 : draw::Scale(random);
      return;
    default:
      c.holes = random.OneOf({0, 10, 50, 90});
  }
}

void Edit(Case& c, const Domain& domain, Random& random) {
  switch (random.Below(22)) {
    case 0:
    case 1:
      return EditLength(c.lens_q, domain.tile_q, random);
    case 2:
    case 3:
      return EditLength(c.lens_k, domain.tile_k, random);
    case 4:
      return EditBatch(c, domain, random);
    case 5:
      c.pad_q =
          random.Chance(50) ? draw::Pad(domain.tile_q, random) : c.pad_q + random.OneOf({-1, 1});
      return;
    case 6:
      c.pad_k =
          random.Chance(50) ? draw::Pad(domain.tile_k, random) : c.pad_k + random.OneOf({-1, 1});
      return;
    case 7:
      c.pad_side = draw::OneOf(domain.pad_sides, random);
      return;
    case 8:
      c.heads = random.Between(1, random.Chance(20) ? draw::kManyHeads : 4);
      return;
    case 9:
      c.dim = draw::Dim(domain, random);
      return;
    case 10:
      c.mask = draw::OneOf(domain.masks, random);
      if (IsWindow(c.mask)) c.window = draw::OneWindow(domain.tile_k, random);
      return;
    case 11:
      return draw::SomeLayout(domain, random, c);
    case 12:
      c.dtype = draw::OneOf(domain.dtypes, random);
      return;
    case 13:
      c.values = draw::OneOf(Set<Values>::All(), random);
      return;
    case 14:
      c.fill = draw::OneOf(Set<Fill>::All(), random);
      return;
    case 15:
      c.backward = !c.backward;
      return;
    case 16:
      return EditSchedule(c.schedule, random);
    case 17:
    case 18:
    case 19:
      return EditFeature(c, domain, random);
    case 20:
      return draw::SomeStrides(domain, random, c);
    default:
      c.seed = draw::Seed(random);
  }
}

}  // namespace

Case Mutate(const Case& c, const Domain& domain, Random& random) {
  for (int attempt = 0; attempt < 32; ++attempt) {
    Case edited = c;
    const int edits = random.Between(1, 3);
    for (int n = 0; n < edits; ++n) Edit(edited, domain, random);
    edited = Fit(domain, edited);
    const int differing = DifferingFields(c, edited);
    if (differing >= 1 && differing <= 3) return edited;
  }
  // Always possible: another seed. More fields change only if `c` was outside the domain.
  Case edited = Fit(domain, c);
  edited.seed = c.seed + 1;
  return edited;
}

Case Cross(const Case& a, const Case& b, const Domain& domain, Random& random) {
  Case child = a;
  const auto from_b = [&] { return random.Chance(50); };
  if (a.batch() == b.batch()) {
    if (from_b()) child.lens_q = b.lens_q;
    if (from_b()) child.lens_k = b.lens_k;
  } else if (from_b()) {
    child.lens_q = b.lens_q;
    child.lens_k = b.lens_k;
  }
  if (from_b()) child.pad_q = b.pad_q;
  if (from_b()) child.pad_k = b.pad_k;
  if (from_b()) child.pad_side = b.pad_side;
  if (from_b()) {
    child.heads = b.heads;
    child.group = b.group;
  }
  if (from_b()) child.dim = b.dim;
  if (from_b()) child.dim_v = b.dim_v;
  if (from_b()) {
    child.mask = b.mask;
    child.window = b.window;
  }
  if (from_b()) child.mask_form = b.mask_form;
  if (from_b()) child.holes = b.holes;
  if (from_b()) child.bias = b.bias;
  if (from_b()) child.scale = b.scale;
  if (from_b()) child.softcap = b.softcap;
  if (from_b()) child.sink = b.sink;
  if (from_b()) child.dropout = b.dropout;
  if (from_b()) child.splits = b.splits;
  if (from_b()) {
    child.layout = b.layout;
    child.page_size = b.page_size;
  }
  if (from_b()) {
    child.strides = b.strides;
    child.strided = b.strided;
  }
  if (from_b()) child.dtype = b.dtype;
  if (from_b()) child.values = b.values;
  if (from_b()) child.fill = b.fill;
  if (from_b()) child.backward = b.backward;
  if (from_b()) child.schedule = b.schedule;
  if (from_b()) child.seed = b.seed;
  return Fit(domain, child);
}

}  // namespace padproof
