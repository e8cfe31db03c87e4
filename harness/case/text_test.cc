#include <gtest/gtest.h>

#include "harness/case/case.h"
#include "harness/case/mutate.h"

namespace padproof {
namespace {

std::string ErrorOf(std::string_view line) {
  const Result<Case> parsed = Parse(line);
  return parsed ? "accepted as " + Print(*parsed) : parsed.error().message;
}

TEST(Text, MinimalCaseIsAShortLine) {
  Case c;
  c.lens_q = {1};
  c.lens_k = {17};
  c.pad_k = 1;
  c.fill = Fill::nan;
  EXPECT_EQ(Print(c), "lens_q=1 lens_k=17 pad_k=1 dim=1 fill=nan");
}

TEST(Text, EveryFieldInOrder) {
  const std::string line =
      "lens_q=1,0 lens_k=3,17 pad_q=1 pad_k=2 pad_side=left heads=2 dim=8 mask=causal:br "
      "layout=bshd dtype=bf16 values=one_hot fill=bits backward=true schedule=random:7 "
      "seed=18446744073709551615";
  const Result<Case> c = Parse(line);
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(Print(*c), line);
  EXPECT_EQ(c->schedule.seed, 7u);
  EXPECT_EQ(c->lens_k, (std::vector<int>{3, 17}));
}

TEST(Text, VariantsOfAttention) {
  const std::string line =
      "lens_q=2 lens_k=3 heads=6:2 dim=8:4 mask=window:2,-1:br mask_form=additive holes=10 "
      "softcap=30 sink=true dropout=20 splits=3";
  const Result<Case> c = Parse(line);
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(Print(*c), line);
  EXPECT_EQ(c->group, 3);
  EXPECT_EQ(c->heads_kv(), 2);
  EXPECT_EQ(c->value_dim(), 4);
  EXPECT_EQ(c->window, (Window{2, -1}));
  EXPECT_EQ(ErrorOf("lens_q=1 lens_k=1 heads=2:2 dim=4:4 bias=alibi"),
            "accepted as lens_q=1 lens_k=1 heads=2 dim=4 bias=alibi");
}

TEST(Text, StridesOfAllTensorsOrOfOne) {
  for (const char* strides :
       {"row_padded", "offset:k", "transposed:dout", "offset:dbias", "expanded:dout"}) {
    const std::string line =
        std::string("lens_q=2 lens_k=3 dim=4 bias=dense strides=") + strides + " backward=true";
    EXPECT_EQ(ErrorOf(line), "accepted as " + line);
  }
  EXPECT_EQ(
      ErrorOf("lens_q=1 lens_k=1 dim=1 strides=offset:x"),
      "column 25: 'strides=offset:x': expected one of contiguous, row_padded, offset, "
      "transposed, expanded, for one tensor only as in offset:k, with one of q, k, v, out, lse, "
      "dout, dq, dk, dv, bias, dbias");
  for (const char* wrong : {"offset:", "contiguous:k", ":k", "offset:k:v"}) {
    EXPECT_FALSE(Parse(std::string("lens_q=1 lens_k=1 dim=1 strides=") + wrong)) << wrong;
  }
}

TEST(Text, PagesHaveASize) {
  const std::string rest = "lens_q=2 lens_k=3 dim=4 ";
  for (const char* layout : {"paged:1", "paged:16", "paged:256"}) {
    EXPECT_EQ(ErrorOf(rest + "layout=" + layout), "accepted as " + rest + "layout=" + layout);
  }
  EXPECT_EQ(ErrorOf(rest + "layout=paged"),
            "column 25: 'layout=paged': expected one of bhsd, bshd, thd, paged:PAGE_SIZE with "
            "PAGE_SIZE from 1 to 256");
  for (const char* wrong : {"paged:", "paged:0", "paged:257", "paged:-1", "bshd:4", "pages", ""}) {
    EXPECT_FALSE(Parse(rest + "layout=" + wrong)) << wrong;
  }
  const std::string paged = rest + "layout=paged:4 ";
  EXPECT_EQ(ErrorOf(paged + "backward=true"),
            "column 1: backward with layout=paged: expected a forward, pages have no gradients");
  EXPECT_EQ(
      ErrorOf(paged + "pad_side=left"),
      "column 1: pad_side=left with layout=paged: expected right, where the rest of a page is");
  EXPECT_EQ(ErrorOf(paged + "mask_form=boolean"),
            "column 1: a mask tensor with layout=paged: expected mask_form=lengths, or another "
            "layout");
  EXPECT_TRUE(Parse(paged + "bias=dense mask=causal:br strides=offset:v"));
  Case c = *Parse(rest);
  c.page_size = 4;
  EXPECT_EQ(Validate(c), "a page_size with layout=bhsd: expected paged");
}

TEST(Text, AnyOrderAndBlanksAndDefaults) {
  EXPECT_EQ(ErrorOf("\tdim=2  seed=0 lens_k=1 fill=zero backward=false lens_q=1 schedule=forward "),
            "accepted as lens_q=1 lens_k=1 dim=2");
}

TEST(Text, RoundTrips) {
  Random random(3);
  for (int n = 0; n < 5000; ++n) {
    const Case c = Generate({}, random, n % 101);
    const Result<Case> back = Parse(Print(c));
    ASSERT_TRUE(back) << Print(c) << ": " << back.error().message;
    ASSERT_EQ(*back, c) << Print(c);
  }
}

TEST(Text, ErrorsNameColumnAndRemedy) {
  EXPECT_EQ(ErrorOf("lens_q=1 lens_k=1 dim=1 mask=casual"),
            "column 25: 'mask=casual': expected one of none, causal:tl, causal:br, "
            "window:LEFT,RIGHT:tl, window:LEFT,RIGHT:br with LEFT and RIGHT from -1 (no bound) to "
            "4096");
  for (const char* mask : {"window:tl", "window:1:tl", "window:1,2", "window:1,2:xx",
                           "window:-2,0:tl", "window:,:tl"}) {
    EXPECT_FALSE(Parse(std::string("lens_q=1 lens_k=1 dim=1 mask=") + mask)) << mask;
  }
  EXPECT_EQ(ErrorOf("dim=8:"),
            "column 1: 'dim=8:': expected dim or dim:dim_v, whole numbers from 1 to 256");
  EXPECT_EQ(
      ErrorOf("lens_q=1 lens_k=1 dim=1 heads=0"),
      "column 25: 'heads=0': expected heads or heads:heads_kv, whole numbers from 1 to 64, the "
      "second a divisor of the first");
  EXPECT_EQ(ErrorOf("lens_q=1 lens_k=1 dim=1 dim=2"),
            "column 25: 'dim=2': expected each field once, the first is at column 19");
  EXPECT_EQ(ErrorOf("lens_q=1,2 lens_k=1 dim=1"),
            "column 12: lens_q has 2 sequences, lens_k has 1: expected the same number");
  EXPECT_EQ(
      ErrorOf("lens_q=1 lens_k=1,,2 dim=1"),
      "column 10: 'lens_k=1,,2': expected 1 to 64 lengths from 0 to 4096, separated by commas");
  EXPECT_EQ(ErrorOf("lens_q=1 lens_k=1"),
            "column 18: the line ends: expected also dim=..., e.g. lens_q=1 lens_k=1 dim=1");
  EXPECT_EQ(ErrorOf(""),
            "column 1: the line ends: expected also lens_q=..., e.g. lens_q=1 lens_k=1 dim=1");
  EXPECT_EQ(ErrorOf("dim"), "column 1: 'dim': expected '=' and a value after the name");
  EXPECT_EQ(ErrorOf("dim=1 backward=yes"), "column 7: 'backward=yes': expected one of true, false");
  EXPECT_EQ(ErrorOf("schedule=random"),
            "column 1: 'schedule=random': expected one of forward, reverse, random:SEED, "
            "warp_lag:SEED, or any of the four with preemption, as in forward:SEED,preempt:N, with "
            "SEED from 0 and N from 1 to 4294967295");
  EXPECT_EQ(ErrorOf("seed=18446744073709551616"),
            "column 1: 'seed=18446744073709551616': expected a whole number from 0 to "
            "18446744073709551615");
  EXPECT_EQ(ErrorOf("lens_q=4096 lens_k=4096 pad_k=1 dim=1"),
            "column 1: there would be 16781312 scores: expected at most 16777216");
  EXPECT_EQ(ErrorOf("colour=1")
                .find("column 1: 'colour=1': expected name=value with a name of "
                      "lens_q, lens_k, pad_q, "),
            0u);
}

TEST(Text, EverySchedule) {
  for (Order order : {Order::forward, Order::reverse, Order::random, Order::warp_lag}) {
    for (uint32_t seed : {0u, 7u, 4294967295u}) {
      for (uint32_t preempt : {0u, 1u, 64u, 4294967295u}) {
        Case c{.lens_q = {1}, .lens_k = {1}};
        c.schedule = {.order = order, .seed = seed, .preempt = preempt};
        if (!c.schedule.Draws()) c.schedule.seed = 0;
        const Result<Case> back = Parse(Print(c));
        ASSERT_TRUE(back) << Print(c) << ": " << back.error().message;
        EXPECT_EQ(*back, c) << Print(c);
      }
    }
  }
}

// One text for one schedule: whatever is accepted is printed as it was read.
TEST(Text, SchedulesHaveOneSpelling) {
  const std::string rest = "lens_q=1 lens_k=1 dim=1 schedule=";
  for (const char* text : {"reverse", "random:7", "warp_lag:0", "forward:7,preempt:8",
                           "reverse:0,preempt:1", "random:7,preempt:64", "warp_lag:3,preempt:2"}) {
    EXPECT_EQ(ErrorOf(rest + text), "accepted as " + rest + text);
  }
  for (const char* text : {"",
                           ":7",
                           "forward:7",
                           "forward:0",
                           "reverse:1",
                           "random",
                           "random:",
                           "random:-1",
                           "random:4294967296",
                           "lag:1",
                           "random:7:8",
                           "forward,preempt:8",
                           "reverse:,preempt:8",
                           "random:7,",
                           "random:7,preempt",
                           "random:7,preempt:",
                           "random:7,preempt:0",
                           "random:7,preempt:x",
                           "random:7,preempt:4294967296",
                           "random:7,preempt:1,preempt:1",
                           "random:7,Preempt:1",
                           "random,preempt:1",
                           "warp_lag,preempt:1",
                           "warp_lag:",
                           ",preempt:8",
                           "preempt:8",
                           "forward:7preempt:8"}) {
    EXPECT_FALSE(Parse(rest + text)) << text;
  }
}

TEST(Text, OlderSchedulesAreRead) {
  const std::string rest = "lens_q=1 lens_k=1 dim=1";
  EXPECT_EQ(ErrorOf(rest + " schedule=forward"), "accepted as " + rest);
  EXPECT_EQ(ErrorOf(rest + " schedule=reverse"), "accepted as " + rest + " schedule=reverse");
  EXPECT_EQ(ErrorOf(rest + " schedule=random:7"), "accepted as " + rest + " schedule=random:7");
  EXPECT_EQ(ErrorOf(rest + " schedule=warp_lag"), "accepted as " + rest + " schedule=warp_lag:0");
}

TEST(Text, RefusesWhatAlmostIsANumber) {
  for (const char* value :
       {"", "-1", "+1", "1.0", "1e3", "0x10", "one", "1,2", "257", "99999999999999999999"}) {
    EXPECT_FALSE(Parse(std::string("lens_q=1 lens_k=1 dim=") + value)) << value;
  }
}

TEST(Text, GarbageIsQuotedSafely) {
  using namespace std::string_view_literals;
  EXPECT_EQ(ErrorOf("dim=\0\x01\xff\n"sv),
            "column 1: 'dim=\\x00\\x01\\xff\\x0a': expected dim or dim:dim_v, whole numbers from 1 "
            "to 256");
  const std::string long_word(200, 'x');
  EXPECT_NE(ErrorOf(long_word).find("'" + std::string(40, 'x') + "...'"), std::string::npos);
  EXPECT_EQ(ErrorOf(std::string(100000, ' ')),
            "column 4097: the line has 100000 characters: expected at most 4096");
}

// Damaged lines either parse to a case that prints and parses back, or give one printable line.
TEST(Text, DamagedLinesNeverSurprise) {
  Random random(11);
  int accepted = 0, refused = 0;
  for (int n = 0; n < 20000; ++n) {
    std::string line = Print(Generate({}, random, n % 101));
    const int edits = random.Between(1, 3);
    for (int edit = 0; edit < edits; ++edit) {
      const size_t at = random.Below(static_cast<uint32_t>(line.size() + 1));
      switch (random.Below(4)) {
        case 0:
          line.insert(at, 1, static_cast<char>(random.Below(256)));
          break;
        case 1:
          line.insert(at, 1, "0123456789,=: "[random.Below(14)]);
          break;
        case 2:
          line.erase(at, random.Below(6));
          break;
        default:
          line.insert(at, line.substr(random.Below(static_cast<uint32_t>(line.size() + 1)), 9));
      }
    }
    const Result<Case> parsed = Parse(line);
    if (parsed) {
      ++accepted;
      ASSERT_EQ(Validate(*parsed), "") << line;
      ASSERT_EQ(*Parse(Print(*parsed)), *parsed) << line;
    } else {
      ++refused;
      const std::string& message = parsed.error().message;
      ASSERT_EQ(message.find("column "), 0u) << message;
      for (char c : message) ASSERT_TRUE(c >= 0x20 && c < 0x7F) << message;
    }
  }
  EXPECT_GT(accepted, 500);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace padproof
