// What a shrinking run costs, and that it ends: every path down is finite, and a run from a case
// with every field far from simple needs few calls.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "harness/case/generate.h"
#include "harness/case/simplify.h"

namespace padproof {
namespace {

using Predicate = std::function<bool(const Case&)>;

struct Descent {
  Case c;
  int calls = 0;
};

Descent Descend(Case c, const Predicate& fails) {
  Descent result{.c = std::move(c)};
  for (bool moved = true; moved;) {
    moved = false;
    for (const Case& candidate : Simplify(result.c)) {
      ++result.calls;
      if (!fails(candidate)) continue;
      result.c = candidate;
      moved = true;
      break;
    }
  }
  return result;
}

Case Large() {
  Case c;
  c.lens_q = {130, 17, 64, 300};
  c.lens_k = {33, 257, 0, 120};
  c.pad_q = 13;
  c.pad_k = 47;
  c.pad_side = PadSide::left;
  c.heads = 4;
  c.dim = 40;
  c.mask = Mask::causal_br;
  c.layout = Layout::bshd;
  c.dtype = Dtype::bf16;
  c.values = Values::subnormal;
  c.fill = Fill::bits;
  c.backward = true;
  c.schedule = {.order = Order::random, .seed = 987654, .preempt = 3};
  c.seed = 0xDEADBEEFCAFEull;
  return c;
}

/// The line that the large case shrinks to, within 200 calls.
std::string FromLarge(const Predicate& fails) {
  EXPECT_TRUE(fails(Large()));
  const Descent descent = Descend(Large(), fails);
  EXPECT_LE(descent.calls, 200) << Print(descent.c);
  return Print(descent.c);
}

// Taking a late, that is timid, candidate at random each time ends at the simplest case too.
TEST(SimplifyPaths, EveryPathEnds) {
  Random random(29);
  for (int n = 0; n < 50; ++n) {
    Case c = Generate({}, random, 100);
    int steps = 0;
    for (std::vector<Case> next = Simplify(c); !next.empty(); next = Simplify(c), ++steps) {
      const auto late = static_cast<uint32_t>(next.size() / 2);
      c = next[late + random.Below(static_cast<uint32_t>(next.size()) - late)];
      ASSERT_LT(steps, 1000);
    }
    ASSERT_EQ(Print(c), "lens_q=1 lens_k=1 dim=1");
  }
}

TEST(SimplifyPaths, CandidatesAreDistinct) {
  Random random(23);
  for (int n = 0; n < 500; ++n) {
    const std::vector<Case> candidates = Simplify(Generate({}, random, n % 101));
    std::set<std::string> lines;
    for (const Case& candidate : candidates) lines.insert(Print(candidate));
    ASSERT_EQ(lines.size(), candidates.size());
  }
}

// The pads that a longer neighbour caused survive without the neighbour.
TEST(SimplifyPaths, RaggedBecomesPadded) {
  const auto padded_keys = [](const Case& c) {
    return std::any_of(c.lens_k.begin(), c.lens_k.end(),
                       [&](int len) { return len > 0 && c.seqlen_k() > len; });
  };
  Case ragged = Large();
  ragged.pad_q = ragged.pad_k = 0;
  EXPECT_EQ(Print(Descend(ragged, padded_keys).c), "lens_q=1 lens_k=1 pad_k=1 dim=1");
}

TEST(SimplifyPaths, FewCalls) {
  const auto any_len_k = [](const Case& c, int least) {
    return std::any_of(c.lens_k.begin(), c.lens_k.end(), [=](int len) { return len >= least; });
  };
  EXPECT_EQ(FromLarge([](const Case&) { return true; }), "lens_q=1 lens_k=1 dim=1");
  EXPECT_EQ(FromLarge([&](const Case& c) { return any_len_k(c, 200); }),
            "lens_q=1 lens_k=200 dim=1");
  EXPECT_EQ(FromLarge([](const Case& c) { return c.dim % 8 == 0; }), "lens_q=1 lens_k=1 dim=8");
  EXPECT_EQ(FromLarge([](const Case& c) { return c.seed != 0; }), "lens_q=1 lens_k=1 dim=1 seed=1");
  EXPECT_EQ(FromLarge([](const Case& c) { return c.schedule.order == Order::random; }),
            "lens_q=1 lens_k=1 dim=1 schedule=random:0");
  EXPECT_EQ(FromLarge([](const Case& c) { return c.schedule.preempt != 0; }),
            "lens_q=1 lens_k=1 dim=1 schedule=forward:0,preempt:64");
  EXPECT_EQ(FromLarge([](const Case& c) { return !IsFinite(c.fill) && c.pad_k > 2; }),
            "lens_q=1 lens_k=1 pad_k=3 dim=1 fill=nan");
}

// Many needs at once, as a real bug has them.
TEST(SimplifyPaths, FewCallsWithManyNeeds) {
  const auto fails = [](const Case& c) {
    return c.mask == Mask::causal_br && c.dim % 8 == 0 && c.dtype == Dtype::bf16 && c.backward &&
           c.pad_k > 2 && c.fill == Fill::bits && c.pad_side == PadSide::left &&
           std::any_of(c.lens_k.begin(), c.lens_k.end(), [](int len) { return len > 32; });
  };
  const Descent descent = Descend(Large(), fails);
  EXPECT_EQ(Print(descent.c),
            "lens_q=1 lens_k=33 pad_k=3 pad_side=left dim=8 mask=causal:br dtype=bf16 fill=bits "
            "backward=true");
  EXPECT_LE(descent.calls, 250);
  RecordProperty("calls", descent.calls);
}

}  // namespace
}  // namespace padproof
