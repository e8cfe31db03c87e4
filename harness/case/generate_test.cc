#include "harness/case/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "harness/case/values.h"

namespace padproof {
namespace {

// So many that a frequency is known to a tenth of a percent: no bound below is met or missed by
// luck.
constexpr int kDraws = 100000;

const std::vector<Case>& Draws() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> drawn;
    Random random(2024);
    for (int n = 0; n < kDraws; ++n) drawn.push_back(Generate({}, random, n % 101));
    return drawn;
  }();
  return cases;
}

double Percent(const std::function<bool(const Case&)>& holds) {
  const auto count = std::count_if(Draws().begin(), Draws().end(), holds);
  return 100.0 * static_cast<double>(count) / kDraws;
}

bool Any(const std::vector<int>& lens, const std::function<bool(int)>& holds) {
  return std::any_of(lens.begin(), lens.end(), holds);
}

size_t Distinct(const std::vector<int>& lens) {
  return std::set<int>(lens.begin(), lens.end()).size();
}

TEST(Generate, LengthsCrowdWhereBugsAre) {
  const auto lens_k = [](auto holds) {
    return Percent([=](const Case& c) { return Any(c.lens_k, holds); });
  };
  EXPECT_GE(lens_k([](int len) { return len % 16 != 0; }), 60);             // tail tile
  EXPECT_GE(lens_k([](int len) { return len > 0 && len % 16 == 0; }), 15);  // no tail
  for (int len : {0, 1, 15, 16, 17, 31, 32, 33}) {
    EXPECT_GE(lens_k([=](int value) { return value == len; }), 4) << len;
  }
  EXPECT_GE(Percent([](const Case& c) { return Any(c.lens_q, [](int n) { return n == 0; }); }), 5);
  EXPECT_GE(Percent(HasEmptyRow), 5);
  EXPECT_GE(Percent([](const Case& c) { return c.seqlen_k() > 16; }), 30);  // several tiles
}

TEST(Generate, BatchesAreRaggedAndEqual) {
  const auto batch = [](auto holds) {
    return Percent([=](const Case& c) { return c.batch() > 1 && holds(c); });
  };
  const auto size = [](const Case& c) { return c.lens_k.size(); };
  EXPECT_GE(batch([](const Case& c) { return Distinct(c.lens_k) > 1; }), 25);  // ragged
  EXPECT_GE(batch([=](const Case& c) { return Distinct(c.lens_k) == size(c); }), 20);
  EXPECT_GE(batch([](const Case& c) { return Distinct(c.lens_k) == 1; }), 8);
  EXPECT_GE(batch([](const Case& c) {
              return Any(c.lens_k, [](int len) { return len == 0; }) && Distinct(c.lens_k) > 1;
            }),
            5);
  EXPECT_GE(Percent([](const Case& c) { return c.batch() == 1; }), 20);
}

TEST(Generate, ShapesClash) {
  EXPECT_GE(Percent([](const Case& c) { return c.seqlen_q() == c.seqlen_k(); }), 10);
  EXPECT_GE(Percent([](const Case& c) { return c.lens_q == c.lens_k; }), 5);
  EXPECT_GE(Percent([](const Case& c) { return c.batch() > 1 && c.batch() == c.heads; }), 10);
  EXPECT_GE(Percent([](const Case& c) { return c.batch() > 1 && c.batch() == c.seqlen_k(); }), 4);
  EXPECT_GE(Percent([](const Case& c) { return c.seqlen_q() != c.seqlen_k(); }), 50);
  const auto causal = [](auto holds) {
    return Percent([=](const Case& c) {
      for (size_t b = 0; b < c.lens_q.size(); ++b) {
        if (c.mask != Mask::none && holds(c.lens_q[b], c.lens_k[b])) return true;
      }
      return false;
    });
  };
  EXPECT_GE(causal([](int q, int k) { return q > k; }), 15);
  EXPECT_GE(causal([](int q, int k) { return q < k; }), 15);
  EXPECT_GE(causal([](int q, int k) { return q == k; }), 3);
}

TEST(Generate, PadsVary) {
  EXPECT_GE(Percent(HasPads), 60);
  for (int pad : {0, 1, 15, 16}) {
    EXPECT_GE(Percent([=](const Case& c) { return c.pad_k == pad; }), 4) << pad;
    EXPECT_GE(Percent([=](const Case& c) { return c.pad_q == pad; }), 4) << pad;
  }
  EXPECT_GE(Percent([](const Case& c) { return !IsFinite(c.fill) && HasPads(c); }), 25);  // poison
}

template <class E>
void EachValue(E Case::* field, double percent) {
  for (size_t n = 0; n < EnumText<E>::names.size(); ++n) {
    EXPECT_GE(Percent([=](const Case& c) { return c.*field == static_cast<E>(n); }), percent)
        << EnumText<E>::names[n];
  }
}

TEST(Generate, EveryValueOfEveryFieldIsDrawn) {
  EachValue(&Case::dtype, 15);
  EachValue(&Case::layout, 15);
  EachValue(&Case::mask, 10);
  EachValue(&Case::mask_form, 4);
  EachValue(&Case::bias, 4);
  EachValue(&Case::strides, 5);
  for (int op = 0; op < kOperands; ++op) {
    const double percent = op < static_cast<int>(Operand::bias) ? 0.4 : 0.02;
    EXPECT_GE(Percent([=](const Case& c) { return c.strided == op; }), percent) << op;
  }
  EachValue(&Case::pad_side, 3);
  EXPECT_GE(Percent([](const Case& c) { return c.pad_side == PadSide::left; }), 14);
  EXPECT_GE(Percent([](const Case& c) { return c.pad_side == PadSide::around; }), 14);
  EachValue(&Case::fill, 5);
  EachValue(&Case::values, 4);
  for (Order order : {Order::forward, Order::reverse, Order::random, Order::warp_lag}) {
    EXPECT_GE(Percent([=](const Case& c) { return c.schedule.order == order; }), 15);
  }
  EXPECT_GE(Percent([](const Case& c) { return c.backward; }), 25);
  for (int dim : {1, 2, 4, 8, 16}) {
    EXPECT_GE(Percent([=](const Case& c) { return c.dim == dim; }), 5) << dim;
  }
  EXPECT_GE(Percent([](const Case& c) { return c.dim > 16; }), 2);
  EXPECT_GE(Percent([](const Case& c) { return c.group > 1 && c.heads_kv() > 1; }), 4);
  EXPECT_GE(Percent([](const Case& c) { return c.group > 1 && c.heads_kv() == 1; }), 8);
  EXPECT_GE(Percent([](const Case& c) { return c.dim_v > 0; }), 8);
  EXPECT_GE(Percent([](const Case& c) { return c.holes > 0; }), 4);
  EXPECT_GE(Percent([](const Case& c) { return c.softcap > 0; }), 8);
  EXPECT_GE(Percent([](const Case& c) { return c.scale > 0; }), 8);
  EXPECT_GE(Percent([](const Case& c) { return c.heads > 8; }), 0.5);
  EXPECT_GE(Percent([](const Case& c) { return c.batch() > 4; }), 0.5);
  EXPECT_GE(Percent([](const Case& c) { return c.sink; }), 8);
  EXPECT_GE(Percent([](const Case& c) { return c.dropout > 0; }), 8);
  EXPECT_GE(Percent([](const Case& c) { return c.dropout > 0 && c.backward; }), 4);
  EXPECT_GE(Percent([](const Case& c) { return c.splits > 0; }), 25);
  for (MaskForm form : {MaskForm::lengths, MaskForm::additive}) {
    EXPECT_GE(Percent([=](const Case& c) { return c.mask_form == form && c.bias != Bias::none; }),
              3);
  }
  EXPECT_GE(Percent([](const Case& c) { return c.bias != Bias::none && c.softcap > 0; }), 4);
  EXPECT_GE(Percent([](const Case& c) { return c.dim % 2 == 1 && c.dim > 1; }), 15);
  for (int heads : {1, 2, 3, 4}) {
    EXPECT_GE(Percent([=](const Case& c) { return c.heads == heads; }), 8) << heads;
  }
}

TEST(Generate, PagesAreCutAndFilled) {
  static const std::vector<Case> cases = [] {
    Random random(2025);
    const Domain domain{.layouts = SetOf(Layout::paged), .tile_k = 4};
    std::vector<Case> drawn;
    for (int n = 0; n < 10000; ++n) drawn.push_back(Generate(domain, random, n % 101));
    return drawn;
  }();
  const auto percent = [](auto holds) {
    return static_cast<double>(std::count_if(cases.begin(), cases.end(), holds)) / 100;
  };
  for (int size : {1, 2, 3, 4, 5, 8, 16}) {
    EXPECT_GE(percent([=](const Case& c) { return c.page_size == size; }), 5) << size;
  }
  const auto any = [&](auto holds) {
    return percent([=](const Case& c) {
      return Any(c.lens_k, [&](int len) { return len > 0 && holds(c, len); });
    });
  };
  EXPECT_GE(any([](const Case& c, int len) { return len % c.page_size != 0; }), 50);
  EXPECT_GE(any([](const Case& c, int len) {  // the first entry beyond it leads nowhere
              return len % c.page_size == 0 && len < c.seqlen_k();
            }),
            20);
  EXPECT_GE(any([](const Case& c, int len) { return len > 2 * c.page_size; }), 30);
}

TEST(Generate, AFewThreadsArePreempted) {
  const double preempted = Percent([](const Case& c) { return c.schedule.preempt != 0; });
  EXPECT_GE(preempted, 15);
  EXPECT_LE(preempted, 25);  // a switch at every other access costs time
  for (uint32_t every : {1u, 2u, 4u, 8u, 16u, 64u}) {
    EXPECT_GE(Percent([=](const Case& c) { return c.schedule.preempt == every; }), 1) << every;
  }
  for (size_t n = 0; n < EnumText<Order>::names.size(); ++n) {
    EXPECT_GE(Percent([=](const Case& c) {
                return c.schedule.order == static_cast<Order>(n) && c.schedule.preempt != 0;
              }),
              3)
        << EnumText<Order>::names[n];
  }
}

TEST(Generate, SmallCasesComeFirst) {
  Random random(5);
  const auto mean_work = [&](int size) {
    double sum = 0;
    for (int n = 0; n < 400; ++n) {
      const Case c = Generate({}, random, size);
      sum += static_cast<double>(c.seqlen_q()) * c.seqlen_k();
    }
    return sum / 400;
  };
  EXPECT_LT(mean_work(0) * 2, mean_work(100));
}

// Whatever a kernel's row says, cases are valid and the kernel can run them.
TEST(Generate, StaysWithinTheDomain) {
  Random random(9);
  for (int n = 0; n < 5000; ++n) {
    const auto subset = [&](auto set) {
      set.bits = 1 + random.Below(set.bits);
      return set;
    };
    const int multiple = random.OneOf({1, 2, 8, 16});
    const Domain domain{.dtypes = subset(Set<Dtype>::All()),
                        .layouts = subset(Set<Layout>::All()),
                        .masks = subset(Set<Mask>::All()),
                        .pad_sides = {subset(Set<PadSide>::All()).bits | 1u},
                        .mask_forms = {subset(Set<MaskForm>::All()).bits | 1u},
                        .biases = {subset(Set<Bias>::All()).bits | 1u},
                        .features = {random.Below(16)},
                        .dim_max = multiple * random.Between(1, 256 / multiple),
                        .dim_multiple = multiple,
                        .page_multiple = random.OneOf({1, 16, 256}),
                        .tile_q = random.OneOf({1, 16, 64, 128}),
                        .tile_k = random.OneOf({1, 16, 32, 256}),
                        .backward = random.Chance(50),
                        .backward_only = random.Chance(20),
                        .scheduled = random.Chance(50)};
    Domain sane = domain;
    sane.backward |= sane.backward_only;
    if (sane.backward_only) sane.layouts.bits |= 1u;  // pages have no gradients
    const Case c = Generate(sane, random, n % 101);
    ASSERT_EQ(Validate(c), "") << Print(c);
    ASSERT_TRUE(IsWithin(sane, c)) << Print(c);
    ASSERT_TRUE(sane.scheduled || c.schedule == Schedule{}) << Print(c);
  }
}

TEST(Generate, NoScheduleWhereNoneIsTaken) {
  const Domain domain{.scheduled = false};
  for (const Schedule& schedule : {Schedule{.order = Order::reverse},
                                   Schedule{.order = Order::forward, .seed = 1, .preempt = 4}}) {
    Case c{.lens_q = {1}, .lens_k = {1}};
    EXPECT_TRUE(IsWithin(domain, c));
    c.schedule = schedule;
    EXPECT_FALSE(IsWithin(domain, c)) << Print(c);
    EXPECT_EQ(Fit(domain, c).schedule, Schedule{});
  }
}

// The same seed draws the same lines and the same numbers with every compiler, for ever: saved
// seeds and the cases of a fuzzing corpus depend on it. Change the constants only on purpose.
TEST(Generate, SameSeedSameBits) {
  Random random(42);
  uint64_t lines = 0, bits = 0;
  for (int n = 0; n < 200; ++n) {
    const Case c = Generate({}, random, n % 101);
    lines = Mix(lines ^ HashOf(Print(c)));
    for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o}) {
      const auto& lens = HasQueryRows(op) ? c.lens_q : c.lens_k;
      for (int b = 0; b < c.batch(); ++b) {
        for (int d = 0; d < c.dim; ++d) {
          for (int i = 0; i < lens[static_cast<size_t>(b)]; ++i) {
            bits = Mix(bits ^ RealBits(c, op, b, c.heads - 1, i, d));
          }
          for (int pad = 0; pad < 4; ++pad) {
            bits = Mix(bits ^ PadBits(c, c.fill, op, b, c.heads - 1, pad, d));
            bits = Mix(bits ^ PadBits(c, Fill::hot, op, b, c.heads - 1, pad, d));
          }
        }
      }
    }
  }
  EXPECT_EQ(lines, 10701809290026016319ull);
  EXPECT_EQ(bits, 8323053351349508512ull);
}

}  // namespace
}  // namespace padproof
