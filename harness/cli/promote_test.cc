// `padproof promote`: once for each way to fail, and as a test that stands alone, which a compiler
// takes, which fails with the planted bug and passes without it.

#include <gtest/gtest.h>

#include <algorithm>

#include "harness/cli/testing/program.h"
#include "harness/drivers/corpus.h"

namespace padproof {
namespace {

constexpr const char* kPoisoned =
    "pad_poison_immunity flash_fwd~v_tail_not_cleared@simt lens_q=1 lens_k=1 pad_k=1 dim=1 "
    "fill=nan";
constexpr const char* kPoisonedToo =
    "pad_poison_immunity flash_fwd~v_tail_not_cleared@simt lens_q=2 lens_k=3 pad_k=1 dim=2 "
    "fill=nan";

TEST(Promote, KeepsOneCaseForEachWayToFail) {
  const TestFolder corpora;
  const Ran first = RunPadproof({"promote", kPoisoned, "--corpora", corpora.path()});
  EXPECT_EQ(first.exit_code, 0) << first.output;
  const auto files = CorpusFiles(corpora.path());
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0], corpora / "flash_fwd/pad_poison_immunity-1.case");
  EXPECT_EQ(TextOf(files[0]),
            "# pad_poison_immunity / flash_fwd~v_tail_not_cleared@simt: nan at out[b=0 h=0 i=0 "
            "d=0]\n# pads 0: -0.6445; pads nan: nan\n" +
                std::string(kPoisoned) + "\n");
  const Ran second = RunPadproof({"promote", kPoisonedToo, "--corpora", corpora.path()});
  EXPECT_EQ(second.exit_code, 0);
  EXPECT_TRUE(Contains(second.output, "(was there already)")) << second.output;
  EXPECT_EQ(CorpusFiles(corpora.path()).size(), 1u) << "it fails in the same way";
}

TEST(Promote, TakesACaseAloneAndAFile) {
  const TestFolder folder;
  const std::string corpora = folder / "corpora";
  const Ran bare = RunPadproof({"promote", "lens_q=1 lens_k=1 pad_k=1 dim=1 fill=nan", "--law",
                                "pad_poison_immunity", "--kernel",
                                "flash_fwd~v_tail_not_cleared@simt", "--corpora", corpora});
  EXPECT_EQ(bare.exit_code, 0) << bare.output;
  const std::string file = folder.Write("artifact", std::string(kPoisonedToo) + "\n");
  EXPECT_EQ(RunPadproof({"promote", file, "--corpora", corpora}).exit_code, 0);
  EXPECT_EQ(CorpusFiles(corpora).size(), 1u);
}

TEST(Promote, BadInputIsOneLineThatSaysWhatToDo) {
  const TestFolder corpora;
  const auto refused = [&](std::vector<std::string> arguments, const std::string& why) {
    arguments.insert(arguments.begin(), "promote");
    arguments.insert(arguments.end(), {"--corpora", corpora.path()});
    const Ran ran = RunPadproof(arguments);
    EXPECT_EQ(ran.exit_code, 2) << ran.output;
    EXPECT_TRUE(Contains(ran.output, why)) << ran.output;
    EXPECT_EQ(std::count(ran.output.begin(), ran.output.end(), '\n'), 1) << ran.output;
  };
  refused({"lens_q=1 lens_k=1 dim=1"}, "add --law and --kernel");
  refused({"oracle_agreement flash_fwd@simt lens_q=1 lens_k=1 dim=1"}, "does not fail");
  refused({"no_such_file"}, "neither a file nor a case");
  refused({kPoisoned, "--law", "determinism"}, "no case in it matches");
  EXPECT_TRUE(CorpusFiles(corpora.path()).empty());
}

// ---- --as-gtest ---------------------------------------------------------------------------------

std::string Spelled(const std::string& line) {
  const TestFolder folder;
  const std::string file = folder / "spelled.cc";
  const Ran ran = RunPadproof(
      {"promote", line, "--corpora", folder / "corpora", "--as-gtest", file, "--deadline", "2"});
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  return TextOf(file);
}

TEST(Spell, AComparisonOfTwoCallsMakesTwoCalls) {
  const std::string text = Spelled(kPoisoned);
  EXPECT_TRUE(Contains(text, "Buffer<float> v = {-0.64453125f, 0.0f};")) << text;
  EXPECT_TRUE(Contains(text, "call_2.v = {-0.64453125f, Bits(0xff")) << text;
  EXPECT_TRUE(Contains(text, "EXPECT_TRUE(Same(call_2.o[0], call_1.o[0]))")) << text;
}

TEST(Spell, AnIntervalIsTheOneThatTheLawAccepts) {
  const std::string text = Spelled(
      "oracle_agreement flash_fwd~no_rescale@simt lens_q=1 lens_k=17 dim=1 values=increasing");
  EXPECT_TRUE(Contains(text, "EXPECT_GE(call_1.o[0], -0.5412")) << text;
  EXPECT_TRUE(Contains(text, "EXPECT_LE(call_1.o[0], -0.5412")) << text;
}

TEST(Spell, ZeroIsExact) {
  const std::string text = Spelled(
      "pad_gradients_zero flash_bwd~dk_pads_not_written@simt lens_q=1 lens_k=1 pad_k=1 dim=1 "
      "backward=true");
  EXPECT_TRUE(Contains(text, "EXPECT_EQ(call_1.dk[1], 0.0);")) << text;
}

TEST(Spell, WhereNaNIsComparedWithNaNANumberIsDue) {
  const std::string text = Spelled(
      "convex_hull flash_fwd~tail_scored_at_minus_1e4@simt lens_q=1 lens_k=1 pad_k=1 dim=1 "
      "values=sunken fill=huge");
  EXPECT_TRUE(Contains(text, "EXPECT_FALSE(std::isnan(call_1.o[0]));")) << text;
}

TEST(Spell, ACrashAndAHangAreCallsThatDoNotReturn) {
  for (const char* mutant : {"segfault", "hang"}) {
    const std::string text =
        Spelled("guards_intact flash_fwd~" + std::string(mutant) + "@simt lens_q=1 lens_k=5 dim=1");
    EXPECT_TRUE(Contains(text, "alarm(10);")) << text;
    EXPECT_TRUE(Contains(text, "ASSERT_EQ(call_1.Run(), StatusCode::ok);")) << text;
  }
}

// What a stand-alone test is worth: compiled by the system's compiler, it is red with the planted
// bug and green without.
class Compiled : public testing::TestWithParam<std::pair<const char*, const char*>> {
 protected:
  int ExitCodeWith(const std::string& kernel) {
    const std::string program = folder_ / "program";
    const Ran built = RunCommand(
        {"/usr/bin/env", PADPROOF_CXX_COMPILER, "-std=c++20", "-I" PADPROOF_SOURCE_DIRECTORY,
         "-Wall", "-Wno-unknown-pragmas", folder_ / "spelled.cc", "-x", "c++", kernel, "-x", "none",
         PADPROOF_SIMT_LIBRARY, "-lgtest", "-lgtest_main", "-pthread", "-o", program});
    EXPECT_EQ(built.exit_code, 0) << built.output;
    EXPECT_FALSE(Contains(built.output, "spelled.cc")) << built.output;
    return RunCommand({program}).exit_code;
  }

  TestFolder folder_;
};

TEST_P(Compiled, IsRedWithTheBugAndGreenWithout) {
#if defined(PADPROOF_INSTRUMENTED)
  GTEST_SKIP() << "a plain compiler cannot link this build's SIMT library";
#endif
  const auto [mutant, line] = GetParam();
  const Ran ran = RunPadproof(
      {"promote", line, "--corpora", folder_ / "corpora", "--as-gtest", folder_ / "spelled.cc"});
  ASSERT_EQ(ran.exit_code, 0) << ran.output;
  const std::string mutants = ExecutableDirectory() + "/kernels/mutants/";
  EXPECT_EQ(ExitCodeWith(mutants + mutant + ".cu"), 1);
  EXPECT_EQ(ExitCodeWith(PADPROOF_SOURCE_DIRECTORY "/kernels/flash_fwd.cu"), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Spell, Compiled,
    testing::Values(std::pair{"v_tail_not_cleared", kPoisoned},
                    std::pair{
                        "unmasked_tail",
                        "row_sums_to_one flash_fwd~unmasked_tail@simt lens_q=1 lens_k=1 dim=1"}),
    [](const auto& chosen) { return std::string(chosen.param.first); });

}  // namespace
}  // namespace padproof
