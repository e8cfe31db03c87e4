// What a shrunk case looks like: for each way of failing, the case that a person would have
// written.

#include "harness/case/simplify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "harness/case/generate.h"

namespace padproof {
namespace {

using Fails = std::function<bool(const Case&)>;

struct Descent {
  std::string line;
  int calls = 0;
};

// Greedy: the first candidate that still fails becomes the case.
Descent Descend(Case c, const Fails& fails) {
  Descent result;
  for (bool moved = true; moved;) {
    moved = false;
    for (const Case& candidate : Simplify(c)) {
      ++result.calls;
      if (!fails(candidate)) continue;
      c = candidate;
      moved = true;
      break;
    }
  }
  result.line = Print(c);
  return result;
}

// From several large cases that fail, every descent ends at `line`.
void ExpectMinimal(const Fails& fails, const std::string& line) {
  Random random(11);
  int started = 0;
  for (int n = 0; n < 4000 && started < 25; ++n) {
    const Case c = Generate({}, random, 100);
    if (!fails(c)) continue;
    ++started;
    const Descent descent = Descend(c, fails);
    EXPECT_EQ(descent.line, line) << "from " << Print(c);
    EXPECT_LE(descent.calls, 300) << "from " << Print(c);
  }
  EXPECT_GE(started, 5) << "the generator hardly draws cases for " << line;
}

bool AnyK(const Case& c, const std::function<bool(int)>& test) {
  return std::any_of(c.lens_k.begin(), c.lens_k.end(), test);
}

TEST(Simplify, EveryCandidateIsValidSimplerAndDifferent) {
  Random random(3);
  for (int n = 0; n < 300; ++n) {
    const Case c = Generate({}, random, n % 101);
    for (const Case& candidate : Simplify(c)) {
      EXPECT_EQ(Validate(candidate), "");
      EXPECT_LT(ComplexityOf(candidate), ComplexityOf(c)) << Print(candidate);
    }
  }
}

TEST(Simplify, AlwaysFailingEndsAtTheSmallestCase) {
  ExpectMinimal([](const Case&) { return true; }, "lens_q=1 lens_k=1 dim=1");
}

TEST(Simplify, FindsTheCaseAPersonWouldWrite) {
  ExpectMinimal([](const Case& c) { return AnyK(c, [](int n) { return n > 16; }); },
                "lens_q=1 lens_k=17 dim=1");
  ExpectMinimal([](const Case& c) { return AnyK(c, [](int n) { return n == 0; }); },
                "lens_q=1 lens_k=0 dim=1");
  ExpectMinimal([](const Case& c) { return AnyK(c, [](int n) { return n % 16 != 0; }); },
                "lens_q=1 lens_k=1 dim=1");
  ExpectMinimal([](const Case& c) { return c.pad_k > 0 && !IsFinite(c.fill); },
                "lens_q=1 lens_k=1 pad_k=1 dim=1 fill=nan");
  ExpectMinimal([](const Case& c) { return c.pad_k > 0 && c.fill == Fill::hot; },
                "lens_q=1 lens_k=1 pad_k=1 dim=1 fill=hot");
  ExpectMinimal([](const Case& c) { return c.backward && c.dtype == Dtype::bf16; },
                "lens_q=1 lens_k=1 dim=1 dtype=bf16 backward=true");
  ExpectMinimal([](const Case& c) { return c.heads > 1 && c.layout == Layout::bshd; },
                "lens_q=1 lens_k=1 heads=2 dim=1 layout=bshd");
  ExpectMinimal([](const Case& c) { return c.paged(); }, "lens_q=1 lens_k=1 dim=1 layout=paged:1");
  ExpectMinimal(
      [](const Case& c) {
        return c.paged() && AnyK(c, [&](int n) { return n > 0 && n % c.page_size != 0; });
      },
      "lens_q=1 lens_k=1 dim=1 layout=paged:2");
  ExpectMinimal([](const Case& c) { return c.schedule.order != Order::forward; },
                "lens_q=1 lens_k=1 dim=1 schedule=reverse");
}

TEST(Simplify, TellsTheShortestStoryOfASchedule) {
  const auto order = [](const Case& c) { return c.schedule.order; };
  ExpectMinimal([=](const Case& c) { return order(c) == Order::random; },
                "lens_q=1 lens_k=1 dim=1 schedule=random:0");
  ExpectMinimal([=](const Case& c) { return order(c) > Order::reverse; },
                "lens_q=1 lens_k=1 dim=1 schedule=warp_lag:0");
  ExpectMinimal(  // the last of four warps
      [=](const Case& c) { return order(c) == Order::warp_lag && c.schedule.seed % 4 == 3; },
      "lens_q=1 lens_k=1 dim=1 schedule=warp_lag:3");
  ExpectMinimal([](const Case& c) { return c.schedule.preempt != 0; },
                "lens_q=1 lens_k=1 dim=1 schedule=forward:0,preempt:64");
  ExpectMinimal([](const Case& c) { return c.schedule.preempt - 1 < 8; },
                "lens_q=1 lens_k=1 dim=1 schedule=forward:0,preempt:8");
  ExpectMinimal(
      [=](const Case& c) { return c.schedule.preempt - 1 < 4 && order(c) == Order::random; },
      "lens_q=1 lens_k=1 dim=1 schedule=random:0,preempt:4");
  // Preemption goes first, even where another order takes its place.
  ExpectMinimal(
      [=](const Case& c) { return c.schedule.preempt != 0 || order(c) != Order::forward; },
      "lens_q=1 lens_k=1 dim=1 schedule=reverse");
}

TEST(Simplify, TellsOfPadsOnlyWhenTokensWillNotDo) {
  ExpectMinimal([](const Case& c) { return c.seqlen_q() >= 16 && !c.packed(); },
                "lens_q=16 lens_k=1 dim=1");
  ExpectMinimal([](const Case& c) { return c.pad_k >= 4; }, "lens_q=1 lens_k=1 pad_k=4 dim=1");
}

TEST(Simplify, TellsOfTheSmallestOddDim) {
  ExpectMinimal([](const Case& c) { return c.dim % 2 == 1 && c.dim > 1; },
                "lens_q=1 lens_k=1 dim=3");
}

TEST(Simplify, KeepsTwoSequencesOnlyWhenTheyMatter) {
  ExpectMinimal(
      [](const Case& c) {
        return c.lens_k.size() > 1 && AnyK(c, [&](int n) { return n != c.lens_k[0]; });
      },
      "lens_q=1,1 lens_k=1,0 dim=1");
}

TEST(Simplify, KeepsTheMaskOnlyWhenItMatters) {
  ExpectMinimal(
      [](const Case& c) { return c.mask == Mask::causal_br && c.lens_q[0] > c.lens_k[0]; },
      "lens_q=1 lens_k=0 dim=1 mask=causal:br");
}

TEST(Simplify, TellsOfAVariantOnlyWhatMatters) {
  ExpectMinimal([](const Case& c) { return c.group > 1; }, "lens_q=1 lens_k=1 heads=2:1 dim=1");
  ExpectMinimal([](const Case& c) { return c.heads > 2 && c.group == 2; },
                "lens_q=1 lens_k=1 heads=4:2 dim=1");
  ExpectMinimal([](const Case& c) { return c.dim_v > c.dim; }, "lens_q=1 lens_k=1 dim=1:2");
  ExpectMinimal([](const Case& c) { return c.holes > 0 && c.mask_form == MaskForm::additive; },
                "lens_q=1 lens_k=1 dim=1 mask_form=additive holes=50");
  ExpectMinimal([](const Case& c) { return c.softcap > 0; }, "lens_q=1 lens_k=1 dim=1 softcap=1");
  ExpectMinimal([](const Case& c) { return c.sink; }, "lens_q=1 lens_k=1 dim=1 sink=true");
  ExpectMinimal([](const Case& c) { return c.dropout > 0; }, "lens_q=1 lens_k=1 dim=1 dropout=50");
  ExpectMinimal([](const Case& c) { return c.splits > 2; }, "lens_q=1 lens_k=1 dim=1 splits=3");
  ExpectMinimal([](const Case& c) { return c.bias == Bias::alibi; },
                "lens_q=1 lens_k=1 dim=1 bias=alibi");
  ExpectMinimal([](const Case& c) { return c.window.left == 0 && c.lens_k[0] > 1; },
                "lens_q=1 lens_k=2 dim=1 mask=window:0,-1:tl");
}

TEST(Simplify, RetellsALongRowWithIncreasingValues) {
  const auto fails = [](const Case& c) {
    return c.lens_k[0] > (c.values == Values::increasing ? 16 : 28);
  };
  EXPECT_EQ(Descend(*Parse("lens_q=3 lens_k=61 dim=4 seed=9"), fails).line,
            "lens_q=1 lens_k=17 dim=1 values=increasing");
}

}  // namespace
}  // namespace padproof
