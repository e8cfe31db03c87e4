// The ledger of known open failures: they stop nothing, and are red once they are fixed.

#include <gtest/gtest.h>

#include <algorithm>

#include "harness/cli/testing/program.h"

namespace padproof {
namespace {

Ran Check(const TestFolder& corpora, const std::string& kernel) {
  return RunPadproof({"check", "--kernel", kernel, "--law", "pad_poison_immunity", "--cases", "50",
                      "--jobs", "1", "--corpora", corpora.path()});
}

constexpr const char* kMutant = "flash_fwd~v_tail_not_cleared@simt";
const std::string kCase = " lens_q=1 lens_k=1 pad_k=1 dim=1 fill=nan";

TEST(Known, DoesNotMakeARunRed) {
  const TestFolder corpora;
  EXPECT_EQ(Check(corpora, kMutant).exit_code, 1);
  corpora.Write("known.txt", std::string("# looked at in May\npad_poison_immunity ") + kMutant +
                                 kCase + "  # nan at out: issue 1745\n");
  const Ran ran = Check(corpora, kMutant);
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_TRUE(Contains(
      ran.output, "known: pad_poison_immunity / " + std::string(kMutant) + ": nan at out, in "))
      << ran.output;
  EXPECT_TRUE(Contains(ran.output, "issue 1745")) << ran.output;
}

TEST(Known, AnotherWayToFailIsNotKnown) {
  const TestFolder corpora;
  corpora.Write("known.txt", std::string("pad_poison_immunity ") + kMutant + kCase +
                                 "  # value at lse: issue 1745\n");
  EXPECT_EQ(Check(corpora, kMutant).exit_code, 1);
}

TEST(Known, IsRedOnceItIsFixed) {
  const TestFolder corpora;
  const std::string file = corpora.Write(
      "known.txt", "pad_poison_immunity flash_fwd@simt" + kCase + "  # nan at out: issue 1745\n");
  const Ran ran = Check(corpora, "flash_fwd@simt");
  EXPECT_EQ(ran.exit_code, 1) << ran.output;
  EXPECT_TRUE(Contains(ran.output, file + ":1: fixed: remove the line")) << ran.output;
  EXPECT_EQ(Check(corpora, "naive@simt").exit_code, 0) << "another kernel's ledger";
}

TEST(Known, ABadLineIsOneErrorWithItsPlace) {
  const TestFolder corpora;
  const std::string good = "pad_poison_immunity flash_fwd@simt" + kCase;
  const auto refused = [&](const std::string& line, const std::string& why) {
    const std::string file = corpora.Write("known.txt", "\n" + line + "\n");
    const Ran ran = Check(corpora, "flash_fwd@simt");
    EXPECT_EQ(ran.exit_code, 2) << ran.output;
    EXPECT_TRUE(Contains(ran.output, file + ":")) << ran.output;
    EXPECT_TRUE(Contains(ran.output, why)) << ran.output;
    EXPECT_EQ(std::count(ran.output.begin(), ran.output.end(), '\n'), 1) << ran.output;
  };
  refused(good, ":2: expected 'LAW KERNEL CASE  # KIND at REGION: REASON'");
  refused(good + "  # nan at out: ", ":2: expected");
  refused(good + "  # odd at out: issue 1", ":2: 'odd' is no kind of failure; there are value");
  refused("no_law flash_fwd@simt" + kCase + "  # nan at out: issue 1", ":2: no law is called");
  refused("pad_poison_immunity flash_fwd@simt lens_q=x  # nan at out: issue 1", ":2: in the case");
  const std::string line = good + "  # nan at out: issue 1\n";
  refused(line + line, ":3: the same failure as ");
}

}  // namespace
}  // namespace padproof
