// A whole run: misbehaving kernels do not stop it, failures are on disk before they are shown, and
// a killed parent loses none.

#include "harness/drivers/run.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "harness/drivers/corpus.h"
#include "harness/drivers/paths.h"

extern char** environ;

namespace padproof {
namespace {

namespace fs = std::filesystem;

std::string FreshFolder() {
  std::string name = (fs::temp_directory_path() / "padproof-run-XXXXXX").string();
  return mkdtemp(name.data());
}

// `padproof arguments...` with its output in `file`; does not wait.
pid_t Start(std::vector<std::string> arguments, const std::string& file) {
  arguments.insert(arguments.begin(), WorkerProgram());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  EXPECT_EQ(posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

int ExitCode(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string Read(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class RunTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = FreshFolder();
    setenv("PADPROOF_PLUGINS", (ExecutableDirectory() + "/tests/misbehaving.so").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("PADPROOF_PLUGINS");
    fs::remove_all(folder_);
  }
  std::vector<std::string> Check(std::vector<std::string> more) const {
    std::vector<std::string> arguments{"check", "--law", "guards_intact", "--corpora", folder_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::string folder_;
};

TEST_F(RunTest, DeathsDoNotStopTheOthers) {
  const std::string log = folder_ + "/log";
  const std::string kernels =
      "misbehaving.segfault,misbehaving.exit,misbehaving.hang,misbehaving.shout";
  const pid_t run =
      Start(Check({"--kernel", kernels, "--cases", "40", "--deadline", "0.3", "--jobs", "2"}), log);
  EXPECT_EQ(ExitCode(run), 1);
  const std::string text = Read(log);
  for (const char* expected : {"misbehaving.segfault@cpu   ", "exit code 0", "no answer within",
                               "lens_q=1 lens_k=3 dim=1", "3 cell(s) failed"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " in\n" << text;
  }
  EXPECT_EQ(CorpusFiles(folder_).size(), 3u);
}

TEST_F(RunTest, ALimitOfTimeLeavesNoCellOut) {
  const std::string log = folder_ + "/log";
  const pid_t run =
      Start({"check", "--kernel", "flash_fwd.4x4@simt,misbehaving.segfault", "--cases", "10000000",
             "--seconds", "2", "--jobs", "2", "--corpora", folder_},
            log);
  EXPECT_EQ(ExitCode(run), 1);
  const std::string text = Read(log);
  EXPECT_EQ(text.find("NONE"), std::string::npos) << text;
  EXPECT_NE(text.find("misbehaving.segfault@cpu   "), std::string::npos) << text;
}

TEST_F(RunTest, AKilledParentLosesNoFailureThatWasPrinted) {
  const std::string log = folder_ + "/log";
  // The hang keeps the run busy while the crash has long been found.
  const pid_t run =
      Start(Check({"--kernel", "misbehaving.segfault,misbehaving.hang", "--deadline", "30"}), log);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (Read(log).find("saved ") == std::string::npos &&
         std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  kill(run, SIGKILL);
  EXPECT_EQ(ExitCode(run), -1);
  const std::string text = Read(log);
  ASSERT_NE(text.find("saved "), std::string::npos) << text;
  const auto files = CorpusFiles(folder_);
  ASSERT_EQ(files.size(), 1u);
  const auto entries = ReadCorpusFile(files[0]);
  ASSERT_TRUE(entries) << entries.error().message;
  EXPECT_EQ(entries->front().kernel, "misbehaving.segfault@cpu");
}

// `bench ratios` on few cases of one kernel and law, beside a table of at most one row.
class RatiosTest : public RunTest {
 protected:
  int Ratios(const std::string& kernel, const std::string& law,
             const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"bench",   "ratios", "--kernel",  kernel,
                                       "--law",   law,      "--cases",   "30",
                                       "--table", Table(),  "--corpora", folder_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const int code = ExitCode(Start(arguments, folder_ + "/log"));
    text_ = Read(folder_ + "/log");
    return code;
  }
  int RowSums(const std::vector<std::string>& more = {}) {
    return Ratios("flash_fwd.4x4@simt", "row_sums_to_one", more);
  }
  std::string Table() const { return folder_ + "/ratios.txt"; }
  void Keep(const std::string& numbers) const {
    std::ofstream(Table()) << "# why\nflash_fwd.4x4@simt row_sums_to_one row_sum f16 " << numbers
                           << "\n";
  }
  std::string text_;
};

TEST_F(RatiosTest, AJumpIsNamedAndRedWhenStrict) {
  Keep("9 9 1 1 1 1 0%");
  EXPECT_EQ(RowSums({"--strict"}), 0) << text_;
  EXPECT_NE(text_.find("1 rows compared"), std::string::npos) << text_;
  Keep("9 9 0 0 0 0 0%");
  EXPECT_EQ(RowSums(), 0) << text_;
  EXPECT_NE(text_.find("JUMP  row_sums_to_one / flash_fwd.4x4@simt  row_sum f16: "),
            std::string::npos)
      << text_;
  EXPECT_EQ(RowSums({"--strict"}), 1) << text_;
}

TEST_F(RatiosTest, NothingToCompareWithIsRedWhenStrict) {
  std::ofstream(Table()) << "# no row\n";
  EXPECT_EQ(RowSums(), 0) << text_;
  EXPECT_EQ(RowSums({"--strict"}), 1) << text_;
}

TEST_F(RatiosTest, ALawThatFailsIsRed) {
  Keep("9 9 1 1 1 1 0%");
  EXPECT_EQ(Ratios("misbehaving.shout@cpu", "oracle_agreement"), 1) << text_;
  EXPECT_NE(text_.find("FAILED"), std::string::npos) << text_;
}

TEST_F(RatiosTest, WhatItCannotReadOrMustNotWriteIsBadUsage) {
  EXPECT_EQ(RowSums(), 2) << "no table: " << text_;
  Keep("nonsense");
  EXPECT_EQ(RowSums(), 2) << text_;
  EXPECT_NE(text_.find("ratios.txt:2: "), std::string::npos) << text_;
  EXPECT_EQ(RowSums({"--write"}), 2) << "part of the table: " << text_;
  Keep("9 9 1 1 1 1 0%");
  EXPECT_EQ(Ratios("flash_fwd.4x4@simt", "determinism"), 2) << "no bound: " << text_;
}

TEST_F(RunTest, AnExhaustiveRunSaysItsSizeFirstAndItsShareLast) {
  const std::string log = folder_ + "/log";
  const pid_t run = Start({"check", "--exhaustive", "--kernel", "flash_fwd.4x4@simt", "--law",
                           "guards_intact,gradient_agreement", "--from", "5000", "--cases", "200",
                           "--corpora", folder_},
                          log);
  EXPECT_EQ(ExitCode(run), 0);
  const std::string text = Read(log);
  for (const char* expected :
       {"padproof check --exhaustive: 1 kernels, 2 laws, 1 cells, 200 cases, ",
        "scope: 200 cases, all judged under 1 laws",
        "  flash_fwd.4x4@simt: gradient_agreement: has no backward",
        "200 cases judged of 200 in scope (100.0%)"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " in\n" << text;
  }
}

TEST_F(RunTest, BenchSpeedPrintsEveryCellAndTheSums) {
  const std::string log = folder_ + "/log";
  const pid_t run = Start({"bench", "speed", "--kernel", "flash_fwd.4x4@simt", "--law",
                           "guards_intact,gradient_agreement", "--cases", "20"},
                          log);
  EXPECT_EQ(ExitCode(run), 0);
  const std::string text = Read(log);
  for (const char* expected : {"\ngradient_agreement            -      -\n", "\nguards_intact ",
                               "\nlaws with a bound             -      -\n", "\nall laws "}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " in\n" << text;
  }
  EXPECT_EQ(ExitCode(Start({"bench", "speed", "--kernel", "misbehaving.shout@cpu", "--law",
                            "oracle_agreement"},
                           log)),
            1)
      << Read(log);
}

TEST_F(RunTest, BadInputIsOneLineAndExitCodeTwo) {
  const std::vector<std::vector<std::string>> bad{
      {"check", "--kernel", "no_such_kernel"},
      {"check", "--kernel", "flash_fwd@simt,no_such_kernel"},
      {"check", "--kernel", ","},
      {"check", "--law", "no_such_law"},
      {"check", "--cases", "-1"},
      {"check", "--from", "1"},
      {"check", "--exhaustive", "--seed", "1"},
      {"check", "--exhaustive", "--kernel", "flash_fwd@simt", "--from", "1000000000"},
      {"replay", "nonsense"},
      {"replay", "guards_intact misbehaving.shout@cpu lens_q=1 lens_k=x dim=1"},
      {"replay", folder_},
      {"replay", folder_ + "/missing.case"},
      {"no_such_command"},
      {}};
  for (const auto& arguments : bad) {
    const std::string log = folder_ + "/log";
    EXPECT_EQ(ExitCode(Start(arguments, log)), 2) << Read(log);
    EXPECT_FALSE(Read(log).empty());
  }
}

}  // namespace
}  // namespace padproof
