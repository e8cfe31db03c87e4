// What the scope of an exhaustive run holds, counted: every shape, in every fill, each case once;
// and which values of fields meet.

#include "harness/case/enumerate.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

namespace padproof {
namespace {

// Domains as rows of kernels have them.
Domain Padded(int tile_q, int tile_k) {
  return {.layouts = SetOf(Layout::bhsd, Layout::bshd),
          .pad_sides = SetOf(PadSide::right, PadSide::left),
          .dim_max = 128,
          .tile_q = tile_q,
          .tile_k = tile_k};
}

Domain Packed() {
  Domain domain = Padded(4, 4);
  domain.layouts = SetOf(Layout::thd);
  domain.pad_sides = Set<PadSide>::All();
  domain.mask_forms = SetOf(MaskForm::lengths);
  domain.biases = SetOf(Bias::none, Bias::alibi);
  return domain;
}

Domain Paged() {
  Domain domain = Padded(4, 4);
  domain.layouts = SetOf(Layout::paged);
  domain.pad_sides = SetOf(PadSide::right);
  domain.mask_forms = SetOf(MaskForm::lengths);
  domain.backward = false;
  return domain;
}

// Little is taken, and nothing that is at its default in a case.
Domain Narrow() {
  return {.dtypes = SetOf(Dtype::bf16),
          .layouts = SetOf(Layout::bshd),
          .masks = SetOf(Mask::causal_br),
          .pad_sides = SetOf(PadSide::left),
          .mask_forms = SetOf(MaskForm::additive),
          .biases = SetOf(Bias::none),
          .features = {},
          .dim_max = 16,
          .dim_multiple = 8,
          .tile_q = 16,
          .tile_k = 64,
          .backward_only = true,
          .scheduled = false};
}

std::vector<Case> AllOf(const Domain& domain) {
  const Scope scope(domain);
  std::vector<Case> cases;
  for (int64_t n = 0; n < scope.size(); ++n) cases.push_back(scope.At(n));
  return cases;
}

const std::vector<Case>& PaddedCases() {
  static const std::vector<Case> cases = AllOf(Padded(4, 4));
  return cases;
}

TEST(Scope, HasAsManyCasesAsItsSpecificationSays) {
  constexpr int kMasks = 3 + 2 * 3, kSides = 2, kPads = 2 * 3;
  constexpr int kAlone = 10 * 10 * kMasks * (1 + (kPads - 1) * kSides);
  // Equal lengths without pad_q and pad_k have no pad, and so one side.
  constexpr int kTwo = kMasks * (9 * 9 * 4 * kSides - 3 * 3);
  EXPECT_EQ(Scope(Padded(4, 4)).size(), kManners * (kAlone + kTwo));
  EXPECT_EQ(Scope(Padded(4, 4)).size(), 125208);

  constexpr int kPackedAlone = 10 * 10 * kMasks * (1 + (kPads - 1) * 3);
  constexpr int kPackedTwo = kMasks * 9 * 9 * (1 + 3 * 3);
  EXPECT_EQ(Scope(Packed()).size(), kManners * (kPackedAlone + kPackedTwo));

  EXPECT_EQ(Scope(Paged()).size(), kManners * kMasks * (10 * 10 * kPads + 9 * 9 * 4));

  // Queries one at a time: 0 .. 3 of them.
  EXPECT_EQ(Scope(Padded(1, 4)).size(), kManners * (kAlone * 4 / 10 + kTwo));
  // A large tile: six lengths instead of ten.
  EXPECT_EQ(Scope(Padded(16, 16)).size(), kManners * (kAlone * 36 / 100 + kTwo));
}

TEST(Scope, EveryShapeIsThereInEveryFill) {
  std::map<std::string, std::set<Fill>> fills;
  const auto key = [](Case c) {
    Case shape;
    shape.lens_q = c.lens_q;
    shape.lens_k = c.lens_k;
    shape.pad_q = c.pad_q;
    shape.pad_k = c.pad_k;
    shape.pad_side = c.pad_side;
    shape.mask = c.mask;
    shape.window = c.window;
    return Print(shape);
  };
  for (const Case& c : PaddedCases()) fills[key(c)].insert(c.fill);
  size_t expected = 0;
  for (int len_q = 0; len_q <= 9; ++len_q) {
    for (int len_k = 0; len_k <= 9; ++len_k) {
      for (int pad_q : {0, 1}) {
        for (int pad_k : {0, 1, 4}) {
          for (PadSide side : {PadSide::right, PadSide::left}) {
            if (side == PadSide::left && pad_q + pad_k == 0) continue;
            for (const char* mask :
                 {"none", "causal:tl", "causal:br", "window:1,0:tl", "window:1,0:br",
                  "window:0,2:tl", "window:0,2:br", "window:-1,1:tl", "window:-1,1:br"}) {
              Case c = *Parse("lens_q=0 lens_k=0 dim=1 mask=" + std::string(mask));
              c.lens_q = {len_q};
              c.lens_k = {len_k};
              c.pad_q = pad_q;
              c.pad_k = pad_k;
              c.pad_side = side;
              EXPECT_EQ(fills[key(c)].size(), 8u) << key(c);
              ++expected;
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(expected, 9900u);
  EXPECT_EQ(fills.size() * kManners, PaddedCases().size());
}

TEST(Scope, EveryCaseIsValidAndOccursOnce) {
  for (const Domain& domain :
       {Padded(4, 4), Packed(), Paged(), Padded(1, 32), Narrow(), Domain{}}) {
    std::set<std::string> lines;
    const PadSide first_side = Scope(domain).At(0).pad_side;
    for (const Case& c : AllOf(domain)) {
      ASSERT_EQ(Validate(c), "") << Print(c);
      ASSERT_TRUE(IsWithin(domain, c)) << Print(c);
      ASSERT_TRUE(HasPads(c) || c.pad_side == first_side) << Print(c);
      EXPECT_TRUE(lines.insert(Print(c)).second) << "twice: " << Print(c);
    }
    EXPECT_GT(lines.size(), 4000u);
  }
}

TEST(Scope, ALargeTileIsNotCrossedAndStaysValid) {
  for (const Case& c : AllOf(Padded(4096, 4096))) ASSERT_EQ(Validate(c), "") << Print(c);
}

TEST(Scope, EachShapeMeetsEachPageSize) {
  std::map<int, int> sizes;
  std::set<int> of_shape;
  int n = 0;
  for (const Case& c : AllOf(Paged())) {
    ASSERT_TRUE(c.paged());
    ++sizes[c.page_size];
    of_shape.insert(c.page_size);
    if (++n % kManners != 0) continue;
    ASSERT_EQ(of_shape, (std::set{1, 2, 3, 4})) << Print(c);
    of_shape.clear();
  }
  EXPECT_EQ(sizes.size(), 4u);
  Domain sixteen = Paged();
  sixteen.page_multiple = 16;
  for (const Case& c : AllOf(sixteen)) ASSERT_EQ(c.page_size, 16);
}

// ---- which values meet --------------------------------------------------------------------------

struct NamedField {
  const char* name;
  std::function<std::string(const Case&)> value;
  size_t values;  // how many the specification names
};

const std::vector<NamedField>& MannerFields() {
  const auto number = [](auto n) { return std::to_string(n); };
  static const std::vector<NamedField> fields{
      {"mask_form", [](const Case& c) { return std::string(NameOf(c.mask_form)); }, 3},
      {"holes", [=](const Case& c) { return number(c.holes); }, 2},
      {"bias", [](const Case& c) { return std::string(NameOf(c.bias)); }, 4},
      {"layout", [](const Case& c) { return std::string(NameOf(c.layout)); }, 2},
      {"strides", [](const Case& c) { return std::string(NameOf(c.strides)); }, 5},
      {"heads", [=](const Case& c) { return number(c.heads) + ":" + number(c.group); }, 4},
      {"dim", [=](const Case& c) { return number(c.dim) + ":" + number(c.dim_v); }, 5},
      {"scale", [=](const Case& c) { return number(c.scale); }, 2},
      {"softcap", [=](const Case& c) { return number(c.softcap); }, 3},
      {"sink", [=](const Case& c) { return number(c.sink); }, 2},
      {"dropout", [=](const Case& c) { return number(c.dropout); }, 2},
      {"splits", [=](const Case& c) { return number(c.splits); }, 4},
      {"dtype", [](const Case& c) { return std::string(NameOf(c.dtype)); }, 3},
      {"values", [](const Case& c) { return std::string(NameOf(c.values)); }, 10},
      {"fill", [](const Case& c) { return std::string(NameOf(c.fill)); }, 8},
      {"backward", [=](const Case& c) { return number(c.backward); }, 2},
      {"schedule", [](const Case& c) { return Print(c.schedule); }, 4},
      {"seed", [=](const Case& c) { return number(c.seed); }, 3},
  };
  return fields;
}

/// Values of every field as small numbers, a row a case.
struct Columns {
  std::vector<std::vector<std::string>> names;  // of each field's values
  std::vector<std::vector<uint8_t>> rows;
};

Columns ColumnsOf(const std::vector<Case>& cases, const std::vector<NamedField>& fields) {
  Columns columns;
  columns.names.resize(fields.size());
  for (const Case& c : cases) {
    std::vector<uint8_t>& row = columns.rows.emplace_back();
    for (size_t f = 0; f < fields.size(); ++f) {
      auto& names = columns.names[f];
      const std::string value = fields[f].value(c);
      const auto at = std::find(names.begin(), names.end(), value);
      row.push_back(static_cast<uint8_t>(at - names.begin()));
      if (at == names.end()) names.push_back(value);
    }
  }
  return columns;
}

/// Pairs that Validate forbids: no mask tensor, no holes; no room for a bias in a boolean one.
bool Forbidden(const std::string& a, const std::string& b) {
  static const std::set<std::pair<std::string, std::string>> pairs{
      {"mask_form=lengths", "holes=50"},
      {"mask_form=boolean", "bias=alibi"},
      {"mask_form=boolean", "bias=dense"},
      {"mask_form=boolean", "bias=masking"}};
  return pairs.contains({a, b});
}

TEST(Scope, AnyThreeValuesOfDifferentMannerFieldsMeet) {
  const auto& fields = MannerFields();
  const Columns all = ColumnsOf(PaddedCases(), fields);
  for (size_t f = 0; f < fields.size(); ++f) EXPECT_EQ(all.names[f].size(), fields[f].values);
  const auto spelt = [&](size_t f, size_t v) { return fields[f].name + ("=" + all.names[f][v]); };
  for (size_t f = 0; f < fields.size(); ++f) {
    for (size_t g = f + 1; g < fields.size(); ++g) {
      for (size_t h = g + 1; h < fields.size(); ++h) {
        bool met[10][10][10] = {};
        for (const auto& row : all.rows) met[row[f]][row[g]][row[h]] = true;
        for (size_t x = 0; x < all.names[f].size(); ++x) {
          for (size_t y = 0; y < all.names[g].size(); ++y) {
            for (size_t z = 0; z < all.names[h].size(); ++z) {
              const std::string a = spelt(f, x), b = spelt(g, y), c = spelt(h, z);
              if (Forbidden(a, b) || Forbidden(a, c) || Forbidden(b, c)) continue;
              EXPECT_TRUE(met[x][y][z]) << a << " " << b << " " << c;
            }
          }
        }
      }
    }
  }
}

TEST(Scope, EveryShapeMeetsEveryValueOfAMannerField) {
  const auto& fields = MannerFields();
  for (const Domain& domain : {Padded(4, 4), Packed()}) {
    const Columns all = ColumnsOf(AllOf(domain), fields);
    for (size_t first = 0; first < all.rows.size(); first += kManners) {
      for (size_t f = 0; f < fields.size(); ++f) {
        std::set<uint8_t> met;
        for (size_t m = 0; m < kManners; ++m) met.insert(all.rows[first + m][f]);
        ASSERT_EQ(met.size(), std::min<size_t>(kManners, all.names[f].size()))
            << fields[f].name << " of shape " << first / kManners;
      }
    }
  }
}

// Ten kinds of values do not fit into eight manners: each meets every value of a field of a shape.
TEST(Scope, EveryKindOfValuesMeetsEveryValueOfAFieldOfAShape) {
  const auto number = [](auto n) { return std::to_string(n); };
  const std::vector<NamedField> fields{
      {"values", [](const Case& c) { return std::string(NameOf(c.values)); }, 10},
      {"lens_q", [=](const Case& c) { return number(c.batch()) + ":" + number(c.lens_q[0]); }, 13},
      {"lens_k", [=](const Case& c) { return number(c.batch()) + ":" + number(c.lens_k[0]); }, 13},
      {"last lens_k", [=](const Case& c) { return number(c.lens_k.back()); }, 10},
      {"pad_q", [=](const Case& c) { return number(c.pad_q); }, 2},
      {"pad_k", [=](const Case& c) { return number(c.pad_k); }, 3},
      {"pad_side", [](const Case& c) { return std::string(NameOf(c.pad_side)); }, 2},
      {"mask",
       [=](const Case& c) {
         return std::string(NameOf(c.mask)) + number(c.window.left) + "," + number(c.window.right);
       },
       9}};
  const Columns all = ColumnsOf(PaddedCases(), fields);
  for (size_t f = 0; f < fields.size(); ++f) {
    EXPECT_EQ(all.names[f].size(), fields[f].values) << fields[f].name;
    std::set<std::pair<uint8_t, uint8_t>> met;
    for (const auto& row : all.rows) met.insert({row[0], row[f]});
    EXPECT_EQ(met.size(), f == 0 ? 10 : 10 * fields[f].values) << fields[f].name;
  }
}

// ---- order --------------------------------------------------------------------------------------

TEST(Scope, SmallCasesComeFirst) {
  int last = 0;
  for (const Case& c : PaddedCases()) {
    const int slots = c.batch() * (c.most_slots_q() + c.most_slots_k());
    ASSERT_LE(last, slots) << Print(c);
    last = slots;
  }
}

// Numbers stand in reports and in --from: a change here gives them another meaning.
TEST(Scope, ANumberIsTheSameCaseEverywhere) {
  EXPECT_EQ(Print(PaddedCases()[1000]),
            "lens_q=0 lens_k=1 pad_q=1 pad_side=left dim=1:2 mask=window:-1,1:br "
            "mask_form=additive holes=50 bias=alibi scale=100 sink=true splits=1 layout=bshd "
            "strides=offset "
            "dtype=bf16 values=deep schedule=warp_lag:1 seed=1");
  EXPECT_EQ(Print(PaddedCases()[125207]),
            "lens_q=5,5 lens_k=5,5 pad_q=1 pad_k=1 pad_side=left heads=3:1 dim=1 "
            "mask=window:-1,1:br mask_form=additive bias=dense scale=100 softcap=2 dropout=50 "
            "strides=row_padded "
            "fill=bits schedule=warp_lag:1");
  EXPECT_EQ(Print(Scope(Packed()).At(5000)),
            "lens_q=0 lens_k=2 pad_q=1 pad_side=left heads=2 dim=5 mask=window:0,2:tl bias=alibi "
            "softcap=2 sink=true splits=1 layout=thd strides=expanded dtype=f16 values=outlier "
            "backward=true "
            "schedule=warp_lag:1 seed=1");
}

}  // namespace
}  // namespace padproof
