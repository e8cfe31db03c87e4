// Decides which cases a random run meets, and how often. generate_test.cc states the frequencies
// that this is tuned to.

#include "harness/case/generate.h"

#include <algorithm>

#include "harness/case/draw.h"
#include "harness/case/values.h"

namespace padproof {
namespace draw {

int LengthNearTile(int tile, Random& random) {
  const int multiple = random.Chance(65) ? 1 : 2;
  return std::max(0, tile * multiple + random.Between(-1, 1));
}

int Length(int tile, int largest, Random& random) {
  const uint32_t kind = random.Below(100);
  if (kind < 10) return 0;
  if (kind < 20) return 1;
  // Small cases first: lengths near a tile come in as `largest` approaches it.
  if (kind < 60 && random.Below(40) < 8 + static_cast<uint32_t>(largest)) {
    return LengthNearTile(tile, random);
  }
  if (kind == 60 && largest >= 30) return random.Between(largest, 200);  // rare: they cost most
  return random.Between(0, largest);
}

int Pad(int tile, Random& random) {
  switch (random.Below(8)) {
    case 0:
    case 1:
      return 0;
    case 2:
    case 3:
      return 1;
    case 4:
      return tile - 1;
    case 5:
      return tile + random.Between(0, 1);
    default:
      return random.Between(2, 7);
  }
}

int Dim(const Domain& domain, Random& random) {
  const int multiple = domain.dim_multiple;
  const int count = std::min(domain.dim_max, kMaxDim) / multiple;
  if (random.Chance(6)) return multiple * random.Between(1, count);
  // Where shared memory is largest: limits and paddings of a tile show at the last few.
  if (random.Chance(4)) return multiple * std::max(1, count - random.OneOf({0, 0, 0, 1, 2, 5}));
  const int dim = random.OneOf({1, 2, 3, 4, 5, 8, 8, 16, 16});
  return multiple * std::clamp(dim / multiple, 1, count);
}

int DimV(const Domain& domain, int dim, Random& random) {
  int other = Dim(domain, random);
  // Columns of V beyond those of a long row of Q show only where there are some.
  const int multiple = domain.dim_multiple, largest = std::min(domain.dim_max, kMaxDim) / multiple;
  if (dim > 64 && random.Chance(50)) {
    other = multiple * random.Between(std::min(64 / multiple + 1, largest), largest);
  }
  return other == dim ? 0 : other;
}

Window OneWindow(int tile, Random& random) {
  const auto reach = [&] {
    const uint32_t kind = random.Below(8);
    if (kind < 2) return kind == 0 ? 0 : -1;
    if (kind == 7) return random.Between(6, 40);
    return kind < 5 ? random.Between(1, 5) : std::max(0, tile + random.Between(-1, 1));
  };
  Window window;
  window.left = reach();
  window.right = random.Chance(30) ? 0 : reach();  // causal windows are what models have
  return window;
}

void SomeLayout(const Domain& domain, Random& random, Case& c) {
  c.layout = OneOf(domain.layouts, random);
  c.page_size = 0;
  if (!c.paged()) return;
  const int multiple = domain.page_multiple;
  const int size = random.Chance(40) ? domain.tile_k : random.OneOf({1, 2, 3, 4, 5, 8, 16});
  c.page_size = std::max(size / multiple * multiple, multiple);
}

void SomeStrides(const Domain& domain, Random& random, Case& c) {
  c.strides = OneOf(domain.strides, random);
  // One tensor unlike the others shows code that takes the strides of another one.
  const bool all = random.Chance(40);
  c.strided = all ? kAllOperands : random.Between(0, kOperands - 1);
}

int Dropout(Random& random) { return random.OneOf({1, 10, 20, 50, 50, 90}); }

int Splits(Random& random) { return random.OneOf({1, 2, 3, 4, 5, 8, 17, 40, 64}); }

int Scale(Random& random) { return random.OneOf({100, 100, 50, 25, 10, 200}); }

Fill OneFill(Random& random) {
  // Pads that may not be looked at at all are what most laws are about: half the draws.
  if (random.Chance(50)) return random.OneOf({Fill::nan, Fill::inf, Fill::bits});
  return random.OneOf({Fill::zero, Fill::noise, Fill::copy, Fill::hot, Fill::huge});
}

uint32_t Preempt(Random& random) {
  // Rates at which a thread is sometimes stopped inside a read-modify-write and sometimes not are
  // the most telling; stopped at every access, threads walk in step again.
  return random.OneOf({1u, 2u, 2u, 2u, 4u, 4u, 4u, 8u, 8u, 16u, 64u});
}

Schedule OneSchedule(Random& random) {
  Schedule schedule{.order = OneOf(Set<Order>::All(), random)};
  if (random.Chance(25)) schedule.preempt = Preempt(random);
  if (schedule.Draws()) schedule.seed = random.Below(1000);
  return schedule;
}

uint64_t Seed(Random& random) {
  if (random.Chance(20)) return 0;
  return random.Chance(10) ? random.Next() : random.Below(100000);
}

}  // namespace draw

namespace {

/// What a whole case may use. Each feature is off in a quarter of the cases, so that features also
/// meet without a third one that hides their bug.
struct Swarm {
  explicit Swarm(Random& random)
      : batches(random.Chance(75)),
        heads(random.Chance(75)),
        pads(random.Chance(75)),
        left(random.Chance(75)),
        causal(random.Chance(75)),
        layouts(random.Chance(75)),
        dtypes(random.Chance(75)),
        values(random.Chance(75)),
        fills(random.Chance(75)),
        backward(random.Chance(75)),
        schedules(random.Chance(75)),
        empties(random.Chance(75)),
        features(random.Chance(60)) {}
  bool batches, heads, pads, left, causal, layouts, dtypes, values, fills, backward, schedules,
      empties, features;
};

int LengthUnder(const Swarm& swarm, int tile, int largest, Random& random) {
  const int len = draw::Length(tile, largest, random);
  return len == 0 && !swarm.empties ? 1 : len;
}

/// All equal, all different, or independent; sometimes one sequence without tokens.
std::vector<int> Lengths(const Swarm& swarm, int batch, int tile, int largest, Random& random) {
  std::vector<int> lens;
  const uint32_t kind = random.Below(4);
  for (int b = 0; b < batch; ++b) {
    int len = LengthUnder(swarm, tile, largest, random);
    if (kind == 0 && b > 0) len = lens.front();
    // A few more tries, then one step past the longest, which is surely new.
    const auto is_old = [&] { return std::find(lens.begin(), lens.end(), len) != lens.end(); };
    for (int tries = 0; kind == 1 && is_old(); ++tries) {
      len = tries < 4 ? LengthUnder(swarm, tile, largest, random)
                      : *std::max_element(lens.begin(), lens.end()) + 1;
    }
    lens.push_back(len);
  }
  if (swarm.empties && batch > 1 && random.Chance(10)) {
    lens[random.Below(static_cast<uint32_t>(batch))] = 0;
  }
  return lens;
}

void DrawShape(const Domain& domain, const Swarm& swarm, int size, Random& random, Case& c) {
  const int largest = 2 + size * 38 / 100;
  const bool many_sequences = random.Chance(4), many_heads = random.Chance(10);
  const int batch =
      swarm.batches ? random.Between(1, many_sequences ? draw::kManySequences : 4) : 1;
  c.lens_q = Lengths(swarm, batch, domain.tile_q, largest, random);
  c.lens_k = Lengths(swarm, batch, domain.tile_k, largest, random);
  if (random.Chance(20)) {
    (random.Chance(50) ? c.lens_q : c.lens_k) = random.Chance(50) ? c.lens_q : c.lens_k;
  }
  c.heads = swarm.heads ? random.Between(1, 4) : 1;
  if (swarm.heads && many_heads) c.heads = random.Between(5, draw::kManyHeads);
  c.dim = draw::Dim(domain, random);
  if (swarm.pads) {
    c.pad_q = draw::Pad(domain.tile_q, random);
    c.pad_k = draw::Pad(domain.tile_k, random);
  }
}

/// Sizes that are equal by accident hide an index that is mixed up, and break code that guesses a
/// meaning from a size: make them equal on purpose, beside the many cases where they differ.
void Clash(const Swarm& swarm, Random& random, Case& c) {
  if (swarm.heads && random.Chance(15)) c.heads = std::min(c.batch(), 4);
  if (random.Chance(15)) {  // B == S
    for (auto* lens : {&c.lens_q, &c.lens_k}) {
      for (int& len : *lens) len = std::min(len, c.batch());
      (*lens)[random.Below(static_cast<uint32_t>(c.batch()))] = c.batch();
    }
    c.pad_q = c.pad_k = 0;
  }
  if (random.Chance(15)) {  // Sq == Sk, the lengths as they are
    const int gap = c.seqlen_q() - c.seqlen_k();
    (gap < 0 ? c.pad_q : c.pad_k) += gap < 0 ? -gap : gap;
  }
}

/// What few models have, each by itself and sometimes together.
void DrawFeatures(const Domain& domain, Random& random, Case& c) {
  if (domain.features.Has(Feature::gqa) && random.Chance(40)) {
    c.group = random.OneOf({2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8});
    const bool many = c.heads > 4 && c.group < 4;
    const int heads_kv = many                         ? random.Between(3, 5)
                         : c.group > 4 && c.group < 8 ? random.Between(1, 2)
                                                      : random.OneOf({1, 1, 2});
    c.heads = c.group * heads_kv;
  }
  const auto may = [&](Feature feature, uint32_t percent) {
    return domain.features.Has(feature) && random.Chance(percent);
  };
  if (random.Chance(25)) c.dim_v = draw::DimV(domain, c.dim, random);
  if (may(Feature::scale, 25)) c.scale = draw::Scale(random);
  if (random.Chance(35)) c.softcap = random.OneOf({1, 2, 30, 50});
  c.sink = random.Chance(25);
  if (may(Feature::dropout, 25)) c.dropout = draw::Dropout(random);
  if (may(Feature::splits, 80)) c.splits = draw::Splits(random);
  if (c.splits > 8 && random.Chance(50)) {  // a tile of keys for each, or nearly
    const int most = std::min(c.splits * domain.tile_k, 300) + random.Between(-2, 1);
    c.lens_k[random.Below(static_cast<uint32_t>(c.batch()))] = most;
  }
  if (random.Chance(60)) c.bias = draw::OneOf(domain.biases, random);
  // A whole row of the lowest numbers is rare in any tensor.
  const bool lower = c.bias == Bias::dense && domain.biases.Has(Bias::masking);
  if (lower && random.Chance(40)) c.bias = Bias::masking;
  if (random.Chance(40)) {
    c.mask_form = draw::OneOf(domain.mask_forms, random);
    if (random.Chance(60)) c.holes = random.OneOf({10, 50, 90});
    // An additive mask of 0 and -inf alone is a boolean one: no number of it can be misused.
    const bool bare = c.mask_form == MaskForm::additive && c.bias == Bias::none;
    if (bare) c.bias = draw::OneOf(domain.biases, random);
  }
}

/// A window is made for sequences much longer than it, and a causal mask for as many tiles of
/// queries as of keys: one of some tiles, of which the last queries skip the first.
void Outgrow(const Domain& domain, Random& random, Case& c) {
  const auto at = random.Below(static_cast<uint32_t>(c.batch()));
  c.lens_k[at] = std::min(domain.tile_k * random.Between(3, 5), 96) + random.Between(-1, 1);
  c.lens_q[at] = std::max(1, c.lens_k[at] + random.OneOf({0, 0, -1, 1, -domain.tile_q}));
}

/// One size far beyond the others, which are as small as can be: what is cut to a few bits, or to
/// the size of a table, shows nowhere else.
void Stretch(const Domain& domain, Random& random, Case& c) {
  c.lens_q.assign(1, random.Between(1, 2));
  c.lens_k.assign(1, random.Between(1, 2));
  c.dim = domain.dim_multiple;
  c.dim_v = 0;
  c.heads = c.group = 1;
  switch (random.Below(6)) {
    case 0:
    case 1:  // most masks hide most keys from one query
      c.lens_k[0] = random.Chance(50) ? random.Between(601, 2100) : random.Between(129, 600);
      if (domain.masks.Has(Mask::none) && random.Chance(75)) c.mask = Mask::none;
      break;
    case 2:
      c.lens_q[0] = random.Chance(50) ? random.Between(301, 1100) : random.Between(100, 300);
      break;
    case 3:
      c.lens_q.assign(static_cast<size_t>(random.Between(17, 48)), 1);
      c.lens_k.assign(c.lens_q.size(), 1);
      if (random.Chance(60)) {
        for (int& len : c.lens_q) len = random.Between(0, 2);
        for (int& len : c.lens_k) len = random.Between(0, 3);
      }
      c.lens_k.back() = 2;
      break;
    case 4: {
      const bool shared = domain.features.Has(Feature::gqa) && random.Chance(60);
      c.group = shared ? random.OneOf({4, 8, 9, 16, 20}) : 1;
      c.heads = shared ? c.group * random.OneOf({1, 2}) : random.Between(17, 40);
      c.lens_k[0] = 2;
      break;
    }
    default:  // a window needs both lengths, which cost most
      c.lens_k[0] = random.Between(130, 250);
      if (!IsWindow(c.mask)) break;
      c.lens_q[0] = c.lens_k[0];
      (random.Chance(60) ? c.window.left : c.window.right) = random.Between(100, c.lens_k[0] - 10);
  }
  if (domain.biases.Has(Bias::alibi) && random.Chance(60)) c.bias = Bias::alibi;
  if (c.bias == Bias::alibi) {  // it leaves something of a far key in the last of eight heads alone
    if (c.heads < 8) c.heads = 8;
    c.values = random.OneOf({Values::normal, Values::tied});
  }
  if (c.paged()) c.page_size = random.OneOf({32, 64, 128, 256});
}

}  // namespace

Case Generate(const Domain& domain, Random& random, int size) {
  const Swarm swarm(random);
  Case c;
  DrawShape(domain, swarm, std::clamp(size, 0, 100), random, c);
  Clash(swarm, random, c);
  // What a swarm leaves out stays at its default; Fit moves that into the domain.
  if (swarm.left) c.pad_side = draw::OneOf(domain.pad_sides, random);
  if (swarm.causal) c.mask = draw::OneOf(domain.masks, random);
  if (IsWindow(c.mask)) {
    c.window = draw::OneWindow(domain.tile_k, random);
  }
  if (c.mask != Mask::none && size > 20 && random.Chance(IsWindow(c.mask) ? 20 : 8)) {
    Outgrow(domain, random, c);
  }
  if (swarm.features) DrawFeatures(domain, random, c);
  // What heads have of their own shows an index that is cut.
  if (c.heads > 8 && random.Chance(75)) {
    c.bias = domain.biases.Has(Bias::alibi) ? Bias::alibi : c.bias;
    c.sink = true;
  }
  // Every case of a kernel that takes pages alone has some: they are no feature to switch off.
  if (swarm.layouts || domain.layouts == SetOf(Layout::paged)) draw::SomeLayout(domain, random, c);
  if (swarm.layouts && random.Chance(65)) draw::SomeStrides(domain, random, c);
  if (swarm.dtypes) c.dtype = draw::OneOf(domain.dtypes, random);
  if (swarm.values && random.Chance(75)) c.values = draw::OneOf(Set<Values>::All(), random);
  if (swarm.fills) c.fill = draw::OneFill(random);
  c.backward = swarm.backward && random.Chance(50);
  if (swarm.schedules) c.schedule = draw::OneSchedule(random);
  c.seed = draw::Seed(random);
  if (size > 30 && random.Chance(6)) Stretch(domain, random, c);
  return Fit(domain, c);
}

}  // namespace padproof
