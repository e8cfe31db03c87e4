// Quantiles over cases, the text of the table, and what counts as a jump.

#include "harness/report/ratios.h"

#include <gtest/gtest.h>

namespace padproof {
namespace {

const Property kLaw{.name = "law",
                    .statement = "",
                    .inapplicable = nullptr,
                    .prepare = nullptr,
                    .check = nullptr,
                    .has_bound = true};

void Add(RatioSurvey& survey, Dtype dtype, const Verdict& verdict, const Property& law = kLaw) {
  const KernelInfo kernel{.id = "k@cpu"};
  const Case c{.lens_q = {1}, .lens_k = {verdict.closeness.empty() ? 1 : 2}, .dtype = dtype};
  survey.Add({kernel, law, c, verdict});
}

Verdict Near(double out, double lse) {
  Verdict verdict;
  verdict.closeness = {{"out", out, 10}, {"lse", lse, 1}};
  return verdict;
}

TEST(Ratios, QuantilesAreOverCasesByTensorAndDtype) {
  RatioSurvey survey;
  for (int percent = 100; percent >= 1; --percent) {
    Add(survey, Dtype::f16, Near(percent / 100.0, 0.5));
  }
  for (int i = 0; i < 25; ++i) Add(survey, Dtype::f16, Verdict::OutOfDomain("x < 1"));
  Add(survey, Dtype::f16, Verdict::NotApplicable("no pads"));
  Add(survey, Dtype::f32, Near(0.25, 0));
  Property unbounded = kLaw;
  unbounded.has_bound = false;
  Add(survey, Dtype::bf16, Near(1, 1), unbounded);

  const auto rows = survey.Rows();
  ASSERT_EQ(rows.size(), 4u);
  const RatioRow& out16 = rows[3];  // by kernel, law, tensor, dtype
  EXPECT_EQ(out16.key, (RatioKey{"k@cpu", "law", "out", Dtype::f16}));
  EXPECT_EQ(out16.cases, 100);
  EXPECT_EQ(out16.elements, 1000);
  EXPECT_EQ(out16.median, 0.5);
  EXPECT_EQ(out16.p90, 0.9);
  EXPECT_EQ(out16.p99, 0.99);
  EXPECT_EQ(out16.max, 1);
  EXPECT_EQ(out16.out_of_domain, 0.2);
  EXPECT_EQ(out16.nearest, "law k@cpu lens_q=1 lens_k=2 dim=1 dtype=f16");
  EXPECT_EQ(rows[1].key.region, "lse");
  EXPECT_EQ(rows[1].max, 0.5);
  EXPECT_EQ(rows[2].cases, 1);
  EXPECT_EQ(rows[2].median, 0.25);
  EXPECT_EQ(rows[2].out_of_domain, 0);
}

RatioRow RowOf(int64_t cases, double median, double p90, double max) {
  return {.key = {"k@cpu", "law", "out", Dtype::bf16},
          .cases = cases,
          .elements = 7 * cases,
          .median = median,
          .p90 = p90,
          .p99 = max / 2,
          .max = max,
          .out_of_domain = 0.125};
}

TEST(Ratios, TextRoundTrips) {
  const std::string text = "# a comment\n\n" + RatioText({RowOf(300, 0.0123, 0.2, 0.5)});
  const auto rows = ParseRatios("ratios.txt", text);
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().key, RowOf(0, 0, 0, 0).key);
  EXPECT_EQ(rows->front().cases, 300);
  EXPECT_EQ(rows->front().elements, 2100);
  EXPECT_EQ(rows->front().median, 0.0123);
  EXPECT_EQ(rows->front().p90, 0.2);
  EXPECT_EQ(rows->front().p99, 0.25);
  EXPECT_EQ(rows->front().max, 0.5);
  EXPECT_NEAR(rows->front().out_of_domain, 0.125, 0.001);
}

TEST(Ratios, ErrorsNameTheLine) {
  const std::string good = "k@cpu law out f32 9 90 0.1 0.2 0.3 0.4 0.0%\n";
  ASSERT_TRUE(ParseRatios("f", good));
  for (const char* bad :
       {"k@cpu law out f32 9 90 0.1 0.2 0.3 0.4", "k@cpu law out f32 9 90 x",
        "k@cpu law out f64 9 90 0.1 0.2 0.3 0.4 0.0%",
        "k@cpu law out f32 9 90 0.1 0.2 0.3 0.4 0.0% more",
        "k@cpu law dq f32 9 90 0.1 0.2 0.3 nan 0.0%", "k@cpu law dq f32 9 90 0.3 0.2 0.3 0.4 0.0%",
        "k@cpu law dq f32 9 90 0.1 0.2 0.3 1.4 0.0%", "k@cpu law dq f32 0 90 0.1 0.2 0.3 0.4 0.0%",
        "k@cpu law dq f32 9 90 0.1 0.2 0.3 0.4 0.0",
        "k@cpu law out f32 9 90 0.1 0.2 0.3 0.4 0.0%"}) {
    const auto rows = ParseRatios("f", good + bad);
    ASSERT_FALSE(rows) << bad;
    EXPECT_EQ(rows.error().message.rfind("f:2: ", 0), 0u) << rows.error().message;
  }
}

std::vector<std::string> JumpsOf(const RatioRow& kept, const RatioRow& now) {
  std::vector<std::string> jumps;
  for (const Jump& jump : CompareRatios({kept}, {now}).jumps) jumps.emplace_back(jump.what);
  return jumps;
}

TEST(Ratios, AJumpIsAboveTheNextKeptNumberAndTheFloor) {
  using Names = std::vector<std::string>;
  const RatioRow kept = RowOf(20000, 0.03, 0.06, 0.2);  // and 0.1 for the 99 %
  EXPECT_EQ(JumpsOf(kept, kept), Names{});
  EXPECT_EQ(JumpsOf(kept, RowOf(200, 0.01, 0.05, 0.1)), Names{}) << "smaller is no jump";
  EXPECT_EQ(JumpsOf(kept, RowOf(200, 0.05, 0.1, 0.5)), Names{}) << "another seed explains it";
  EXPECT_EQ(JumpsOf(kept, RowOf(200, 0.08, 0.09, 0.2)), Names{"median"});
  EXPECT_EQ(JumpsOf(kept, RowOf(200, 0.03, 0.15, 0.3)), Names{"90 %"});
  EXPECT_EQ(JumpsOf(kept, RowOf(200, 0.03, 0.06, 0.7)), Names{"maximum"});
  EXPECT_EQ(JumpsOf(kept, RowOf(200, 0.3, 0.5, 1)), (Names{"median", "90 %", "maximum"}));
  EXPECT_EQ(JumpsOf(kept, RowOf(30, 0.03, 0.15, 0.3)), Names{}) << "the 90 % of 30 is noise";
  EXPECT_EQ(JumpsOf(kept, RowOf(5, 0.3, 0.5, 0.5)), Names{}) << "the median of 5 is noise";
  EXPECT_EQ(JumpsOf(RowOf(20000, 0, 0, 0.01), RowOf(200, 0, 0, 0.9)), Names{})
      << "one element that is rounded the other way";
  const RatioRow tiny = RowOf(20000, 0, 0.0001, 0.001);
  EXPECT_EQ(JumpsOf(tiny, RowOf(20000, 0.01, 0.015, 0.09)), Names{}) << "far from the bound";
  EXPECT_EQ(Describe(CompareRatios({kept}, {RowOf(200, 0.08, 0.09, 0.2)}).jumps[0]),
            "law / k@cpu  out bf16: median 0.0800, above the kept 90 % 0.0600");
}

TEST(Ratios, RowsWithoutACounterpartAreNoJump) {
  RatioRow stranger = RowOf(200, 0.5, 0.9, 1);
  stranger.key.region = "dq";
  const auto comparison = CompareRatios({RowOf(200, 0, 0, 0)}, {stranger});
  EXPECT_TRUE(comparison.jumps.empty());
  EXPECT_EQ(comparison.compared, 0u);
  EXPECT_EQ(comparison.unknown, 1u);
  EXPECT_EQ(comparison.not_run, 1u);
}

}  // namespace
}  // namespace padproof
