// `padproof mutate` from end to end on a toy: what is killed, what no law sees, what a person has
// judged, and a run that goes on where another stopped.

#include "harness/drivers/mutation.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "harness/drivers/child.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string Read(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The toy in a folder of its own, outside of the source tree.
class MutateTest : public testing::Test {
 protected:
  static fs::path FreshFolder() {
    std::string name = (fs::temp_directory_path() / "padproof-mutate-XXXXXX").string();
    return mkdtemp(name.data());
  }
  // The precompiled header and the journal are shared: each test's toy has a path of its own.
  static void SetUpTestSuite() { work_ = FreshFolder(); }
  static void TearDownTestSuite() { fs::remove_all(work_); }

  void SetUp() override {
    folder_ = FreshFolder();
    const fs::path from = fs::path(SourceDirectory()) / "harness/drivers/testing";
    for (const char* file : {"toy_attention.cu", "toy_attention.h"}) {
      fs::copy_file(from / file, folder_ / file);
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Exit code; what was printed is in output_.
  int Mutate(const std::string& file, std::vector<std::string> more) {
    std::vector<std::string> words{WorkerProgram(), "mutate", folder_ / file, "--cases", "30",
                                   "--folder",      work_};
    if (std::count(more.begin(), more.end(), "--law") == 0) {
      words.insert(words.end(), {"--law", "oracle_agreement"});
    }
    words.insert(words.end(), more.begin(), more.end());
    const auto code = RunProgram(words, folder_, "output");
    EXPECT_TRUE(code) << code.error().message;
    output_ = Read(folder_ / "output");
    return code ? *code : -1;
  }
  /// The line of the toy that holds `text`.
  std::string LineOf(const std::string& text) const {
    const std::string source = Read(folder_ / "toy_attention.cu");
    const auto end = source.begin() + static_cast<ptrdiff_t>(source.find(text));
    return std::to_string(1 + std::count(source.begin(), end, '\n'));
  }
  std::vector<std::string> GuardOfBatch() const {
    return {"--operator", "guard", "--line", LineOf("a.batch > 1000000")};
  }
  json Mutants(std::vector<std::string> more) {
    more.emplace_back("--json");
    Mutate("toy_attention.cu", more);
    return json::parse(output_).at("mutants");
  }

  static inline fs::path work_;
  fs::path folder_;
  std::string output_;
};

TEST_F(MutateTest, WrongArithmeticIsKilledAndNamesTheLaw) {
  const json mutants =
      Mutants({"--operator", "arithmetic", "--line", LineOf("std::exp(score(j) - max) * At")});
  ASSERT_EQ(mutants.size(), 2u);
  for (const json& mutant : mutants) {
    EXPECT_EQ(mutant.at("fate"), "killed");
    EXPECT_EQ(mutant.at("killed_by").at("law"), "oracle_agreement");
    EXPECT_EQ(mutant.at("killed_by").at("kernel"), "toy_attention~mutated");
  }
}

TEST_F(MutateTest, TheLineThatNoLawSeesIsRedUntilItIsJudged) {
  EXPECT_EQ(Mutate("toy_attention.cu", GuardOfBatch()), 1) << output_;
  EXPECT_NE(output_.find("no law sees these lines:"), std::string::npos) << output_;
  EXPECT_NE(output_.find("if (a.batch > 1000000)"), std::string::npos) << output_;
  std::string id;
  for (const json& mutant : Mutants(GuardOfBatch())) {
    if (mutant.at("fate") == "survived") id = mutant.at("id");
  }
  std::ofstream(folder_ / "toy_attention.equivalent") << id << ": no case is that large\n";
  EXPECT_EQ(Mutate("toy_attention.cu", GuardOfBatch()), 0) << output_;
}

TEST_F(MutateTest, AKilledEditThatIsSaidToBeEquivalentIsRed) {
  std::string id;
  for (const json& mutant : Mutants(GuardOfBatch())) {
    if (mutant.at("fate") == "killed") id = mutant.at("id");
  }
  std::ofstream(folder_ / "toy_attention.equivalent") << id << ": wrong\nffffffff: gone\n";
  EXPECT_EQ(Mutate("toy_attention.cu", GuardOfBatch()), 1) << output_;
  EXPECT_NE(output_.find("said to be equivalent, and a law fails:"), std::string::npos) << output_;
  EXPECT_NE(output_.find("no edit is called ffffffff any more"), std::string::npos) << output_;
}

TEST_F(MutateTest, ASecondRunKnowsTheFirst) {
  Mutate("toy_attention.cu", GuardOfBatch());
  const std::string journal = Read(work_ / "toy_attention.jsonl");
  Mutate("toy_attention.cu", GuardOfBatch());
  EXPECT_NE(output_.find("known from"), std::string::npos) << output_;
  EXPECT_EQ(Read(work_ / "toy_attention.jsonl"), journal) << "nothing was tried again";
  std::ofstream(folder_ / "toy_attention.cu", std::ios::app) << "// changed\n";
  Mutate("toy_attention.cu", GuardOfBatch());
  EXPECT_EQ(output_.find("known from"), std::string::npos) << "another source";
}

TEST_F(MutateTest, WhatDoesNotCompileOrChangesNothingIsNoSurvivor) {
  std::string source = Read(folder_ / "toy_attention.cu");
  source.replace(source.find("  return kOk;"), 0, "  int spare = 0;\n  spare += 1;\n");
  std::ofstream(folder_ / "toy_attention.cu") << source;
  const json spare = Mutants({"--line", LineOf("spare += 1")});
  ASSERT_EQ(spare.size(), 4u);
  for (const json& mutant : spare) EXPECT_EQ(mutant.at("fate"), "same code") << mutant;
  const json status = Mutants({"--operator", "arguments", "--line", LineOf("too many sequences")});
  ASSERT_EQ(status.size(), 1u);
  EXPECT_EQ(status[0].at("fate"), "no compile");
}

TEST_F(MutateTest, AHeaderIsTriedInItsKernel) {
  const std::string kernel = folder_ / "toy_attention.cu";
  EXPECT_EQ(Mutate("toy_attention.h", {"--kernel-file", kernel, "--operator", "index"}), 0)
      << output_;
  EXPECT_NE(output_.find("5 of 5 edits"), std::string::npos) << output_;
  EXPECT_EQ(Mutate("toy_attention.h", {"--kernel-file", kernel, "--kernel", "other*"}), 2);
}

TEST_F(MutateTest, AKernelThatFailsAsItIsIsRefused) {
  std::string source = Read(folder_ / "toy_attention.cu");
  source.replace(source.find("out / sum"), 9, "out * sum");
  std::ofstream(folder_ / "toy_attention.cu") << source;
  EXPECT_EQ(Mutate("toy_attention.cu", GuardOfBatch()), 2) << output_;
  EXPECT_NE(output_.find("oracle_agreement fails without any edit"), std::string::npos) << output_;
  std::ofstream(folder_ / "toy_attention.cu") << "int main( {\n  int x = 1;\n";
  EXPECT_EQ(Mutate("toy_attention.cu", {}), 2) << output_;
  EXPECT_NE(output_.find("does not compile as it is"), std::string::npos) << output_;
}

TEST_F(MutateTest, BadInputIsToldInOneLine) {
  const auto told = [&](std::vector<std::string> more, const std::string& what) {
    EXPECT_EQ(Mutate("toy_attention.cu", std::move(more)), 2) << output_;
    EXPECT_NE(output_.find(what), std::string::npos) << output_;
  };
  told({"--line", "9-3"}, "--line '9-3': expected a line or first-last, such as 80-90");
  told({"--line", "x"}, "--line 'x': expected");
  told({"--operator", "nothing"}, "edits is left; --line and --operator choose among them");
  told({"--law", "nothing"}, "no law matches 'nothing'");
  EXPECT_EQ(Mutate("missing.cu", {}), 2);
  EXPECT_NE(output_.find("no such file; check the path"), std::string::npos) << output_;
  std::ofstream(folder_ / "toy_attention.equivalent") << "x\n";
  told({}, "toy_attention.equivalent:1: no colon");
}

TEST_F(MutateTest, TwoRunsDoNotShareAFolder) {
  const fs::path folder = work_ / "toy_attention";
  fs::create_directories(folder);
  const int lock = open((folder / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  ASSERT_EQ(flock(lock, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(Mutate("toy_attention.cu", GuardOfBatch()), 2);
  EXPECT_NE(output_.find("in use by another run"), std::string::npos) << output_;
  close(lock);
}

TEST_F(MutateTest, RunsWithOtherFlagsDoNotShareAPrecompiledHeader) {
  const auto precompiled = [&] {
    int count = 0;
    for (const auto& file : fs::directory_iterator(work_))
      count += file.path().extension() == ".gch";
    return count;
  };
  Mutate("toy_attention.cu", GuardOfBatch());
  const int before = precompiled();
  auto other = GuardOfBatch();
  other.emplace_back("--flag=-DOTHER");
  Mutate("toy_attention.cu", other);
  EXPECT_EQ(precompiled(), before + 1);
}

TEST_F(MutateTest, ListsAndSamplesWithoutTrying) {
  EXPECT_EQ(Mutate("toy_attention.cu", {"--list", "--sample", "7"}), 0);
  EXPECT_EQ(std::count(output_.begin(), output_.end(), '\n'), 7) << output_;
  const std::string seven = output_;
  Mutate("toy_attention.cu", {"--list", "--sample", "7"});
  EXPECT_EQ(output_, seven);
  Mutate("toy_attention.cu", {"--list", "--sample", "7", "--seed", "1"});
  EXPECT_NE(output_, seven);
}

}  // namespace
}  // namespace padproof
