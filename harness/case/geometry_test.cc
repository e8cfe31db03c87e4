#include <gtest/gtest.h>

#include "harness/base/random.h"
#include "harness/case/case.h"
#include "harness/case/generate.h"

namespace padproof {
namespace {

Case Ragged() {
  Case c;
  c.lens_q = {1, 3};
  c.lens_k = {4, 2};
  c.pad_q = 1;
  c.pad_k = 2;
  return c;
}

TEST(Geometry, PadsLieOnTheirSide) {
  Case c = Ragged();
  EXPECT_EQ(c.seqlen_q(), 4);
  EXPECT_EQ(c.seqlen_k(), 6);
  EXPECT_EQ(SlotK(c, 1, 1), 1);
  EXPECT_TRUE(IsRealK(c, 1, 0));
  EXPECT_FALSE(IsRealK(c, 1, 2));
  c.pad_side = PadSide::left;
  EXPECT_EQ(SlotK(c, 1, 0), 4);
  EXPECT_EQ(SlotQ(c, 0, 0), 3);
  EXPECT_FALSE(IsRealK(c, 1, 3));
  EXPECT_TRUE(IsRealK(c, 1, 5));
}

TEST(Geometry, PackedSequencesFollowOneAnother) {
  Case c = Ragged();  // keys 4 and 2, 2 padded slots
  c.layout = Layout::thd;
  const auto regions = [&](PadSide side) {
    c.pad_side = side;
    std::vector<int> numbers;
    for (int b = 0; b < 2; ++b) {
      const Region r = RegionK(c, b);
      numbers.insert(numbers.end(), {r.begin, r.slots, r.leftpad});
    }
    return numbers;
  };
  EXPECT_EQ(regions(PadSide::right), (std::vector<int>{0, 4, 0, 4, 4, 0}));
  EXPECT_EQ(regions(PadSide::left), (std::vector<int>{0, 6, 2, 6, 2, 0}));
  EXPECT_EQ(regions(PadSide::between), (std::vector<int>{0, 6, 0, 6, 4, 0}));
  EXPECT_EQ(regions(PadSide::around), (std::vector<int>{0, 5, 1, 5, 3, 0}));
  EXPECT_EQ(c.seqlen_k(), 4);
  EXPECT_TRUE(HasPads(c));
  c.pad_q = c.pad_k = 0;
  EXPECT_FALSE(HasPads(c));
}

TEST(Geometry, PadsOnBothSidesHaveTheOddOneBefore) {
  Case c = Ragged();  // keys 4 and 2, 2 padded slots
  c.pad_side = PadSide::around;
  EXPECT_EQ(SlotK(c, 0, 0), 1);
  EXPECT_EQ(SlotK(c, 1, 0), 2);
  c.pad_k = 1;
  EXPECT_EQ(SlotK(c, 0, 0), 1);
  EXPECT_FALSE(IsRealK(c, 1, 1));
  EXPECT_TRUE(IsRealK(c, 1, 3));
  EXPECT_FALSE(IsRealK(c, 1, 4));
}

TEST(Geometry, PagesAreWhole) {
  Case c = Ragged();  // keys 4 and 2, 2 padded slots
  c.layout = Layout::paged;
  for (const auto& [size, pages] : {std::pair(1, 6), {2, 3}, {4, 2}, {5, 2}, {6, 1}, {16, 1}}) {
    c.page_size = size;
    EXPECT_EQ(c.pages(), pages);
    EXPECT_EQ(c.seqlen_k(), pages * size);
    EXPECT_EQ(RegionK(c, 1).slots, pages * size);
    EXPECT_EQ(SlotK(c, 1, 1), 1);
    EXPECT_EQ(c.seqlen_q(), 4);  // no page of Q
  }
  c = {.lens_q = {1}, .lens_k = {3}, .layout = Layout::paged, .page_size = 4};
  EXPECT_TRUE(HasPads(c));
  c.page_size = 3;
  EXPECT_FALSE(HasPads(c));
  c.lens_k = {0};
  EXPECT_EQ(c.pages(), 0);
  EXPECT_EQ(Validate(c), "");
}

TEST(Geometry, EverySlotIsOneTokenOrAPad) {
  Random random(7);
  for (int n = 0; n < 500; ++n) {
    const Case c = Generate({}, random, n % 101);
    for (int b = 0; b < c.batch(); ++b) {
      const int slots = RegionK(c, b).slots;
      std::vector<int> seen(static_cast<size_t>(slots), 0);
      for (int j = 0; j < c.lens_k[static_cast<size_t>(b)]; ++j) {
        ++seen.at(static_cast<size_t>(SlotK(c, b, j)));
      }
      for (int slot = 0; slot < slots; ++slot) {
        ASSERT_EQ(seen[static_cast<size_t>(slot)], IsRealK(c, b, slot) ? 1 : 0) << Print(c);
      }
    }
  }
}

/// The formulas of enums.h, pair by pair.
bool Formula(const Case& c, int i, int j) {
  const int at = IsBottomRight(c.mask) ? i + c.lens_k[0] - c.lens_q[0] : i;
  if (c.mask == Mask::none) return true;
  if (!IsWindow(c.mask)) return j <= at;
  return (c.window.left == -1 || j >= at - c.window.left) &&
         (c.window.right == -1 || j <= at + c.window.right);
}

TEST(Geometry, VisibleKeysFollowTheMasksFormula) {
  std::vector<Case> masks;
  for (Mask mask : {Mask::none, Mask::causal_tl, Mask::causal_br}) masks.push_back({.mask = mask});
  for (Mask mask : {Mask::window_tl, Mask::window_br}) {
    for (int left = -1; left <= 3; ++left) {
      for (int right = -1; right <= 3; ++right) {
        masks.push_back({.mask = mask, .window = {left, right}});
      }
    }
  }
  for (Case c : masks) {
    c.pad_q = 2;  // which no formula knows
    c.pad_k = 3;
    for (int len_q = 1; len_q <= 6; ++len_q) {
      for (int len_k = 0; len_k <= 6; ++len_k) {
        c.lens_q = {len_q};
        c.lens_k = {len_k};
        bool any_empty = false;
        for (int i = 0; i < len_q; ++i) {
          int sees = 0;
          const KeyRange keys = VisibleKeys(c, 0, i);
          for (int j = 0; j < len_k; ++j) {
            sees += Formula(c, i, j);
            EXPECT_EQ(Sees(c, 0, 0, i, j), Formula(c, i, j)) << Print(c) << " " << i << " " << j;
            EXPECT_EQ(j >= keys.first && j < keys.last, Formula(c, i, j)) << Print(c);
          }
          any_empty |= sees == 0;
          EXPECT_EQ(SeesNothing(c, 0, 0, i), sees == 0) << Print(c) << " i=" << i;
        }
        EXPECT_EQ(HasEmptyRow(c), any_empty) << Print(c);
      }
    }
  }
}

TEST(Geometry, HolesHideTheirShareAndNothingMore) {
  Case c;
  c.lens_q = c.lens_k = {40};
  c.mask = Mask::causal_br;
  c.mask_form = MaskForm::boolean;
  for (int holes : {0, 10, 50, 99}) {
    c.holes = holes;
    int visible = 0, hidden = 0;
    for (int h = 0; h < 4; ++h) {
      for (int i = 0; i < 40; ++i) {
        for (int j = 0; j < 40; ++j) {
          const bool sees = Sees(c, 0, h, i, j);
          EXPECT_FALSE(sees && j > i);
          if (j <= i) ++(sees ? visible : hidden);
        }
      }
    }
    EXPECT_NEAR(100.0 * hidden / (visible + hidden), holes, 3);
  }
  EXPECT_TRUE(HasEmptyRow(c));  // a query that sees one key does not see it
}

TEST(Geometry, HasPadsSeesPadsAndRaggedBatches) {
  Case c = Ragged();
  EXPECT_TRUE(HasPads(c));
  c.pad_q = c.pad_k = 0;
  EXPECT_TRUE(HasPads(c));
  c.lens_q = {2, 2};
  c.lens_k = {3, 3};
  EXPECT_FALSE(HasPads(c));
  c.pad_q = 1;
  EXPECT_TRUE(HasPads(c));
}

TEST(Validate, SaysWhatIsAllowed) {
  Case good = Ragged();
  EXPECT_EQ(Validate(good), "");
  const auto wrong = [&](auto edit) {
    Case c = good;
    edit(c);
    return Validate(c);
  };
  EXPECT_EQ(wrong([](Case& c) { c.lens_k = {1}; }),
            "lens_q has 2 sequences, lens_k has 1: expected the same number");
  EXPECT_EQ(wrong([](Case& c) { c.lens_q = c.lens_k = {}; }),
            "the number of sequences is 0: expected 1 to 64");
  EXPECT_EQ(wrong([](Case& c) { c.lens_k[1] = -1; }),
            "a length in lens_k is -1: expected 0 to 4096");
  EXPECT_EQ(wrong([](Case& c) { c.dim = 0; }), "dim is 0: expected 1 to 256");
  EXPECT_EQ(wrong([](Case& c) { c.pad_q = 4097; }), "pad_q is 4097: expected 0 to 4096");
  EXPECT_EQ(wrong([](Case& c) { c.mask = static_cast<Mask>(9); }), "mask is 9: expected 0 to 4");
  EXPECT_EQ(wrong([](Case& c) { c.heads = 4, c.group = 3; }),
            "heads is 4 and 3 of them share a head of K and V: expected a divisor of heads");
  EXPECT_EQ(wrong([](Case& c) { c.dim_v = c.dim; }), "dim_v is dim: expected it left out then");
  EXPECT_EQ(wrong([](Case& c) { c.mask = Mask::causal_tl, c.window.left = 2; }),
            "a window with mask causal:tl: expected one of window");
  EXPECT_EQ(wrong([](Case& c) { c.holes = 10; }),
            "holes with mask_form=lengths: expected a mask tensor, boolean or additive");
  EXPECT_EQ(wrong([](Case& c) { c.bias = Bias::alibi, c.mask_form = MaskForm::boolean; }),
            "a bias with mask_form=boolean: expected lengths, or additive, which holds it");
  EXPECT_EQ(wrong([](Case& c) { c.softcap = -1; }), "softcap is -1: expected 0 to 1000");
  EXPECT_EQ(wrong([](Case& c) { c.dropout = 91; }), "dropout is 91: expected 0 to 90");
  EXPECT_EQ(wrong([](Case& c) { c.splits = 129; }), "splits is 129: expected 0 to 128");
  EXPECT_EQ(wrong([](Case& c) { c.schedule.seed = 1; }),
            "schedule forward has a seed: expected one only with random, warp_lag or preempt");
  EXPECT_EQ(wrong([](Case& c) { c.schedule = {.order = Order::reverse, .seed = 1}; }),
            "schedule reverse has a seed: expected one only with random, warp_lag or preempt");
  EXPECT_EQ(wrong([](Case& c) { c.schedule.order = static_cast<Order>(4); }),
            "schedule is 4: expected 0 to 3");
  EXPECT_EQ(wrong([](Case& c) { c.schedule = {.order = Order::random, .seed = 1}; }), "");
  EXPECT_EQ(wrong([](Case& c) { c.schedule = {.order = Order::warp_lag, .seed = 1}; }), "");
  EXPECT_EQ(wrong([](Case& c) { c.schedule = {.seed = 1, .preempt = 4}; }), "");
  EXPECT_EQ(wrong([](Case& c) {
              c.lens_q = {4096, 4096};
              c.lens_k = {1, 1};
              c.heads = 64;
              c.dim = 64;
            }),
            "Q would have 33562624 elements: expected at most 16777216");
  EXPECT_EQ(wrong([](Case& c) {
              c.lens_q = {4096};
              c.lens_k = {4096};
            }),
            "there would be 16789506 scores: expected at most 16777216");
}

}  // namespace
}  // namespace padproof
