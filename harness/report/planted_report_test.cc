// What is red about planted bugs and about edits, and how counts are summed up.

#include "harness/report/planted_report.h"

#include <gtest/gtest.h>

#include "harness/report/mutation_report.h"
#include "harness/report/quantile.h"

namespace padproof {
namespace {

const Property kNamed{.name = "named"}, kOther{.name = "other"};

class PlantedTest : public testing::Test {
 protected:
  PlantedTest() {
    bug_.mutant.killed_by = "named";
    bug_.mutant.bug = "what is wrong";
    bug_.row.id = bug_.row.name = "k~m@simt";
  }
  PlantedResult Result(std::vector<Attempt> attempts) const {
    return {.bug = &bug_, .attempts = std::move(attempts)};
  }
  static Attempt After(int cases, const Property& law = kNamed) {
    return {&law, cases, "lens_q=1"};
  }

  PlantedBug bug_;
};

TEST_F(PlantedTest, ASurvivorInAnySeedIsRed) {
  EXPECT_FALSE(AnyRed({Result({After(3), After(9)})}, true));
  const PlantedResult once = Result({After(3), Attempt{}});
  EXPECT_TRUE(AnyRed({once}, true));
  EXPECT_EQ(PlantedLine(once).find("SURVIVED k~m@simt"), 0u) << PlantedLine(once);
  EXPECT_NE(PlantedLine(once).find("what is wrong  1 of 2 seeds"), std::string::npos);
}

TEST_F(PlantedTest, AnotherKillerIsRedOnlyWithAllLawsAtHand) {
  EXPECT_TRUE(AnyRed({Result({After(3, kOther)})}, true));
  EXPECT_FALSE(AnyRed({Result({After(3, kOther)})}, false));
}

TEST_F(PlantedTest, AnEquivalentOneIsRedOnlyWhenItIsKilled) {
  bug_.mutant.equivalent = "the compiler does it too";
  EXPECT_FALSE(AnyRed({Result({Attempt{}})}, true));
  EXPECT_EQ(PlantedSummary({Result({Attempt{}})}), "0 killed, 0 survived, 1 equivalent\n");
  EXPECT_TRUE(AnyRed({Result({After(3)})}, true));
  EXPECT_TRUE(AnyRed({Result({Attempt{}, After(3)})}, true)) << "one seed of two is enough";
  EXPECT_NE(PlantedSummary({Result({After(3)})}).find("1 killed that their files call equivalent"),
            std::string::npos);
}

TEST_F(PlantedTest, ManySeedsNameTheSlowOnes) {
  const std::string text =
      PlantedSummary({Result({After(3), After(100)}), Result({After(1), After(2)})});
  EXPECT_NE(text.find("cases of a law to the kill: median 2, p95 100, most 100\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("above 20 at p95:\n  k~m@simt"), std::string::npos) << text;
}

TEST_F(PlantedTest, TheMatrixShowsWhoAloneKills) {
  PlantedResult result = Result({After(7)}), both = result;
  result.matrix = {7, PlantedResult::kHolds, PlantedResult::kSaysNothing};
  both.matrix = {4, 4, 9};
  const Property slow{.name = "slow"};
  const std::string text = KillMatrix({result, both}, {&kNamed, &kOther, &slow});
  EXPECT_NE(text.find("   7   .   -\n"), std::string::npos) << text;
  for (const char* line : {"named                     kills   2, first   2, alone   1: k~m@simt\n",
                           "other                     kills   1, first   1, alone   0\n",
                           "slow                      kills   1, first   0, alone   0\n",
                           "never first, hence never alone: slow\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(Quantile, IsACountThatOccurred) {
  EXPECT_EQ(Quantile({}, 0.5), 0);
  EXPECT_EQ(Quantile({4, 1, 3, 2}, 0.5), 2);
  EXPECT_EQ(Quantile({4, 1, 3, 2}, 0.95), 4);
  EXPECT_EQ(Quantile({5}, 0.5), 5);
}

TEST(MutationReport, CountsEachFateOnceAndNamesTheIdleLaw) {
  const auto mutation = [](const char* id, Fate fate) {
    Mutation m{.edit = {.id = id, .op = "guard", .what = "'a' -> 'b'", .source_line = "f(a);"},
               .fate = fate};
    if (fate == Fate::killed)
      m.kill = {.law = "named", .kernel = "k", .kind = "value", .line = "", .cases = 5};
    return m;
  };
  MutationReport report{
      .file = "dir/k.cu",
      .mutations = {mutation("00000001", Fate::killed), mutation("00000002", Fate::survived),
                    mutation("00000003", Fate::survived), mutation("00000004", Fate::same_code)},
      .asked = 5,
      .equivalents = {{"00000002", "why"}},
      .laws = {&kNamed, &kOther}};
  const std::string text = MutationSummary(report);
  EXPECT_NE(text.find("score 50.0 %: 1 of 2 edits"), std::string::npos) << text;
  EXPECT_NE(text.find("first to kill: named 1\nnever first: other\n"), std::string::npos) << text;
  EXPECT_NE(text.find("k.cu:1:1  00000003  'a' -> 'b'\n      f(a);\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("00000002"), std::string::npos) << text;
  EXPECT_NE(text.find("4 of 5 edits were tried"), std::string::npos) << text;
  EXPECT_TRUE(report.red());
  report.equivalents.emplace("00000003", "why");
  EXPECT_FALSE(report.red());
  report.equivalents.emplace("00000001", "wrong");
  EXPECT_TRUE(report.red()) << "it is killed";
}

}  // namespace
}  // namespace padproof
