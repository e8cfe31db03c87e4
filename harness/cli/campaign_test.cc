// `padproof campaign`: what it finds, and that nothing of it is lost whoever is killed when.

#include "harness/campaign/campaign.h"

#include <gtest/gtest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include "harness/campaign/controller.h"
#include "harness/campaign/in_flight.h"
#include "harness/cli/testing/program.h"
#include "harness/drivers/identity.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMutant = "flash_fwd~v_tail_not_cleared@simt";
constexpr const char* kIdentity = "pad_poison_immunity/flash_fwd~v_tail_not_cleared@simt/nan/out";

bool Soon(const std::function<bool()>& happens, double seconds = 60) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!happens()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// Children of a process whose command line has a word.
std::vector<pid_t> ChildrenOf(pid_t parent, const std::string& word) {
  std::vector<pid_t> children;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    const std::string stat = pid > 0 ? TextOf(entry.path() / "stat") : "";
    int its_parent = 0;
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;
    std::sscanf(stat.c_str() + name_end + 1, " %*c %d", &its_parent);
    if (its_parent == parent && Contains(TextOf(entry.path() / "cmdline"), word)) {
      children.push_back(pid);
    }
  }
  return children;
}

TEST(FuzzerOf, EveryTargetHasItsTurnBesideRandomSearch) {
  for (const int jobs : {1, 2, 3, 4, 9, 64}) {
    const CampaignSettings settings{.fuzzers = {"a", "b", "c", "d"}, .jobs = jobs};
    std::map<std::string, int> turns;
    for (int round = 1; round <= 8; ++round) {
      for (int shard = 0; shard < jobs; ++shard) {
        ++turns[FuzzerOf(settings, {.round = round, .shard = shard})];
      }
    }
    const int fuzz = jobs == 1 ? 4 : 8 * (jobs / 2);
    EXPECT_EQ(turns[""], 8 * jobs - fuzz) << jobs;
    for (const std::string& target : settings.fuzzers) EXPECT_EQ(turns[target], fuzz / 4) << jobs;
  }
  EXPECT_EQ(FuzzerOf({.jobs = 2}, {.round = 1, .shard = 1}), "") << "there is none";
}

class CampaignTest : public testing::Test {
 protected:
  /// `more`: options, each with its value.
  std::vector<std::string> Command(const std::string& hours,
                                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command{WorkerProgram(),   "campaign",
                                     "start",           directory_,
                                     "--hours",         hours,
                                     "--kernel",        kMutant,
                                     "--law",           "pad_poison_immunity,determinism",
                                     "--jobs",          "1",
                                     "--corpora",       corpora_,
                                     "--fuzzer",        "none",
                                     "--round-minutes", "0.05"};
    for (size_t n = 0; n < more.size(); n += 2) {
      auto at = std::find(command.begin(), command.end(), more[n]);
      if (at == command.end()) at = command.insert(at, {more[n], ""});
      at[1] = more[n + 1];
    }
    return command;
  }
  Child Start(const std::vector<std::string>& command) {
    auto child = Child::Start(command, folder_ / "output");
    EXPECT_TRUE(child.ok());
    return std::move(*child);
  }
  Ran Resume() { return RunPadproof({"campaign", "resume", directory_}); }
  Ran Report() { return RunPadproof({"campaign", "report", directory_}); }
  std::string Journal() const { return TextOf(directory_ + "/journal"); }

  /// A stand-in for a libFuzzer target; its arguments end in the folder of new units and the
  /// corpus.
  std::string Fuzzer(const std::string& script) const {
    const std::string file = folder_.Write("stand_in_fuzzer", "#!/bin/bash\n" + script);
    chmod(file.c_str(), 0755);
    return file;
  }

  /// A round that has found something and is not merged: what is left by a controller that died.
  void LeaveARoundUnmerged() {
    const std::string attempt = AttemptDirectory(directory_, {.round = 1});
    CampaignSettings settings{.kernels = kMutant,
                              .laws = "pad_poison_immunity",
                              .fuzzers = {"/nowhere/some_fuzzer"},
                              .corpora = corpora_,
                              .jobs = 2,
                              .seconds = 0.01,
                              .round_seconds = 1};
    ASSERT_TRUE(WriteSettings(directory_, settings));
    const std::string shape = " lens_q=3 lens_k=9 pad_k=5 dim=4 fill=nan";
    const std::pair<std::string, const char*> found[] = {
        {"pad_poison_immunity flash_fwd~v_tail_not_cleared@simt" + shape, "nan"},
        {"pad_poison_immunity flash_fwd.4x4~v_tail_not_cleared@simt" + shape, "nan"},
        {"row_sums_to_one flash_fwd~unmasked_tail@simt lens_q=3 lens_k=9 dim=4", "value"}};
    for (const auto& [line, kind] : found) {
      const auto entry = ParseEntry(line);
      ASSERT_TRUE(entry);
      const Failure failure{.kind = kind, .region = "out"};
      ASSERT_TRUE(WriteFinding(attempt + "/findings",
                               {.identity = IdentityOf(entry->law, entry->kernel, failure),
                                .entry = *entry,
                                .round = 1,
                                .text = CaseFileText({.entry = *entry, .failure = failure})}));
    }
    const std::string units = AttemptDirectory(directory_, {.round = 1, .shard = 1}) + "/units";
    fs::create_directories(units);
    for (int n = 0; n < 500; ++n) std::ofstream(units + "/unit" + std::to_string(n)) << n;
  }

  TestFolder folder_;
  std::string directory_ = folder_ / "night", corpora_ = folder_ / "corpora";
};

TEST_F(CampaignTest, FindsShrinksPromotesAndReports) {
  const Ran ran = RunCommand(Command("0.002"));
  EXPECT_EQ(ran.exit_code, 1) << ran.output;
  const auto findings = FindingsIn(directory_ + "/findings");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].identity, kIdentity);
  EXPECT_EQ(Print(findings[0].entry.c), "lens_q=1 lens_k=1 pad_k=1 dim=1 fill=nan");
  EXPECT_EQ(findings[0].saved, corpora_ + "/flash_fwd/pad_poison_immunity-1.case");
  EXPECT_TRUE(fs::exists(findings[0].saved));
  EXPECT_TRUE(Contains(ran.output, "pads 0: -0.6445; pads nan: nan")) << ran.output;
  EXPECT_GE(LastRound(directory_), 2) << "it goes on after a finding";

  const Ran status = RunPadproof({"campaign", "status", directory_});
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_TRUE(Contains(status.output, "not running: round ")) << status.output;
  EXPECT_TRUE(Contains(status.output, "1 way to fail in 1 kernel, 0 of them not merged"))
      << status.output;
  const std::string xml = folder_ / "report.xml";
  const Ran report = RunPadproof({"campaign", "report", directory_, "--json", "--junit", xml});
  EXPECT_EQ(report.exit_code, 1);
  EXPECT_TRUE(Contains(report.output, "\"identity\": \"" + std::string(kIdentity)));
  EXPECT_TRUE(Contains(TextOf(xml), "tests=\"2\" failures=\"1\" errors=\"0\"")) << TextOf(xml);
  EXPECT_TRUE(Contains(TextOf(xml), "<failure message=\"pad_poison_immunity / ")) << TextOf(xml);
}

TEST_F(CampaignTest, AKnownFailureIsNoFinding) {
  folder_.Write("corpora/known.txt",
                std::string("pad_poison_immunity ") + kMutant +
                    " lens_q=1 lens_k=1 pad_k=1 dim=1 fill=nan  # nan at out: issue 1745\n");
  const Ran ran = RunCommand(Command("0.0005"));
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_TRUE(Contains(ran.output, "known: " + std::string(kIdentity))) << ran.output;
}

TEST_F(CampaignTest, AKilledShardLosesNothingAndIsStartedAgain) {
  Child controller = Start(Command("0.003", {"--round-minutes", "0.2"}));
  const std::string first = AttemptDirectory(directory_, {.round = 1});
  ASSERT_TRUE(Soon([&] { return !FindingsIn(first + "/findings").empty(); }));
  const auto shards = ChildrenOf(controller.pid(), "shard");
  ASSERT_EQ(shards.size(), 1u);
  kill(shards[0], SIGKILL);
  ASSERT_TRUE(controller.WaitFor(120));
  EXPECT_EQ(controller.exit_code(), 1) << TextOf(folder_ / "output");
  EXPECT_TRUE(Contains(Journal(), "end round 1 shard 0 attempt 0 exit code 137")) << Journal();
  EXPECT_GT(ReadStatus(AttemptDirectory(directory_, {.round = 1, .attempt = 1})).cases, 0);
  EXPECT_EQ(FindingsIn(directory_ + "/findings").size(), 1u);
}

TEST_F(CampaignTest, AKilledControllerLosesNothing) {
  Child controller = Start(Command("0.01", {"--round-minutes", "0.5"}));
  const std::string first = AttemptDirectory(directory_, {.round = 1});
  ASSERT_TRUE(Soon([&] { return !FindingsIn(first + "/findings").empty(); }));
  const auto shards = ChildrenOf(controller.pid(), "shard");
  controller.Signal(SIGKILL);
  ASSERT_TRUE(controller.WaitFor(10));
  ASSERT_EQ(shards.size(), 1u);
  EXPECT_TRUE(Soon([&] { return kill(shards[0], 0) != 0 || !IsControlled(directory_); }));
  EXPECT_TRUE(FindingsIn(directory_ + "/findings").empty()) << "no merge yet";
  EXPECT_TRUE(Contains(Report().output, "1 way to fail in 1 kernel, 1 of them not merged yet"));
  CampaignSettings settings = *ReadSettings(directory_);
  settings.seconds = 0.1;  // nothing but what is left over
  ASSERT_TRUE(WriteSettings(directory_, settings));
  const Ran resumed = Resume();
  EXPECT_EQ(resumed.exit_code, 1) << resumed.output;
  EXPECT_EQ(FindingsIn(directory_ + "/findings").size(), 1u) << Journal();
}

TEST_F(CampaignTest, AMergeThatIsKilledAgainAndAgainLosesNothing) {
  LeaveARoundUnmerged();
  int kills = 0;
  for (int milliseconds = 5; !IsMerged(directory_, 1) && kills < 60; milliseconds += 20, ++kills) {
    Child merge = Start({WorkerProgram(), "campaign", "merge", directory_, "1"});
    if (merge.WaitFor(milliseconds / 1000.0)) break;
    merge.Signal(SIGKILL);
    ASSERT_TRUE(merge.WaitFor(10));
    for (const std::string& file : CorpusFiles(directory_)) {
      EXPECT_TRUE(ReadFinding(file)) << file << " is torn";
    }
  }
  EXPECT_GT(kills, 2);
  ASSERT_TRUE(RunPadproof({"campaign", "merge", directory_, "1"}).exit_code == 0);
  EXPECT_TRUE(IsMerged(directory_, 1));
  EXPECT_EQ(FindingsIn(directory_ + "/findings").size(), 3u);
  EXPECT_EQ(CorpusFiles(corpora_).size(), 3u) << "each promoted once";
  int units = 0;
  for (const auto& unit : fs::directory_iterator(directory_ + "/corpus/some_fuzzer")) {
    units += unit.is_regular_file();
  }
  EXPECT_EQ(units, 500);
}

TEST_F(CampaignTest, WhoIsKilledFromOutsideAccusesNobodyOnceThatIsMerged) {
  const auto entry = ParseEntry("guards_intact flash_fwd@simt lens_q=2 lens_k=3 dim=1");
  ASSERT_TRUE(entry);
  const Failure failure{.kind = kind::kCrash, .got = kKilledFromOutside};
  ASSERT_TRUE(WriteSettings(directory_, {.corpora = corpora_, .seconds = 0.01}));
  ASSERT_TRUE(WriteFinding(AttemptDirectory(directory_, {.round = 1}) + "/findings",
                           {.identity = IdentityOf(entry->law, entry->kernel, failure),
                            .entry = *entry,
                            .round = 1,
                            .text = CaseFileText({.entry = *entry, .failure = failure})}));
  EXPECT_EQ(Report().exit_code, 1) << "not judged again yet";
  ASSERT_EQ(RunPadproof({"campaign", "merge", directory_, "1"}).exit_code, 0);
  EXPECT_TRUE(Contains(Journal(), "not seen again after a SIGKILL: guards_intact flash_fwd@simt"));
  const Ran report = Report();
  EXPECT_EQ(report.exit_code, 0) << report.output;
  EXPECT_TRUE(Contains(report.output, "0 ways to fail in 0 kernels")) << report.output;
}

TEST_F(CampaignTest, AWedgedShardIsKilledAndItsCaseIsKept) {
  Child controller = Start(Command("0.004", {"--round-minutes", "0.2", "--wedged", "1"}));
  ASSERT_TRUE(Soon([&] {
    return ReadInFlight(AttemptDirectory(directory_, {.round = 1}) + "/in_flight").sequence > 50;
  }));
  for (const pid_t shard : ChildrenOf(controller.pid(), "shard")) kill(shard, SIGSTOP);
  ASSERT_TRUE(Soon([&] { return Contains(Journal(), "start round 1 shard 0 attempt 1"); }, 20))
      << Journal();
  EXPECT_TRUE(Contains(Journal(), "wedged round 1 shard 0 attempt 0"));
  ASSERT_TRUE(controller.WaitFor(120));
  EXPECT_EQ(controller.exit_code(), 1);
}

TEST_F(CampaignTest, StopEndsARoundAndMergesIt) {
  Child controller = Start(Command("1", {"--round-minutes", "30"}));
  const std::string first = AttemptDirectory(directory_, {.round = 1});
  ASSERT_TRUE(Soon([&] { return !FindingsIn(first + "/findings").empty(); }));
  EXPECT_EQ(Resume().exit_code, 3) << "two controllers";
  EXPECT_EQ(RunPadproof({"campaign", "stop", directory_}).exit_code, 0);
  ASSERT_TRUE(controller.WaitFor(60));
  EXPECT_EQ(controller.exit_code(), 1);
  EXPECT_EQ(FindingsIn(directory_ + "/findings").size(), 1u);
  EXPECT_EQ(RunPadproof({"campaign", "stop", directory_}).exit_code, 2) << "nothing runs";
}

TEST_F(CampaignTest, AFullDiskEndsItWithNothingLost) {
  const Ran ran = RunCommand(Command("1", {"--round-minutes", "30", "--disk-limit", "0.00001"}));
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_TRUE(Contains(ran.output, "the disk limit of 1e-05 GB is reached; make room"))
      << ran.output;
  const Ran resumed =
      RunPadproof({"campaign", "resume", directory_, "--hours", "0.001", "--disk-limit", "1"});
  EXPECT_EQ(resumed.exit_code, 1) << resumed.output;
  EXPECT_EQ(FindingsIn(directory_ + "/findings").size(), 1u);
}

TEST_F(CampaignTest, FuzzTargetsRunAgainAndAgainAndTheirUnitsAreKept) {
  // Finds one failure at its first run, which is known from then on, then a unit a run.
  const std::string fuzzer = Fuzzer(R"(
    units=${@: -2:1}; prefix=$(printf '%s\n' "$@" | sed -n 's/^-artifact_prefix=//p')
    echo one >"$units/unit-$$"
    grep -qs unit-test "${PADPROOF_KNOWN##*:}"/*.case && { sleep 0.2; exit 0; }
    echo 'oracle_agreement flash_fwd@simt lens_q=2 lens_k=2 dim=1' >"${prefix}crash-unit-test"
    echo 'DEDUP_TOKEN: oracle_agreement/flash_fwd@simt/value/unit-test'; exit 77
  )");
  const Ran ran = RunCommand(Command("0.001", {"--jobs", "2", "--kernel", "flash_fwd@simt", "--law",
                                               "determinism", "--fuzzer", fuzzer}));
  EXPECT_EQ(ran.exit_code, 1) << ran.output;
  const auto findings = FindingsIn(directory_ + "/findings");
  ASSERT_EQ(findings.size(), 1u) << ran.output;
  EXPECT_EQ(findings[0].identity, "oracle_agreement/flash_fwd@simt/value/unit-test");
  EXPECT_EQ(findings[0].note, "not seen again");
  EXPECT_FALSE(fs::is_empty(directory_ + "/corpus/stand_in_fuzzer"));
}

TEST_F(CampaignTest, ATargetThatCannotStartFailsAndSaysSo) {
  const std::string fuzzer = Fuzzer("echo cannot; exit 127\n");
  const Ran ran = RunCommand(Command("0.01", {"--jobs", "2", "--law", "determinism",
                                              "--round-minutes", "0.5", "--fuzzer", fuzzer}));
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_TRUE(
      Contains(ran.output, "a shard failed: " + fuzzer + " ended 3 times with exit code 127"))
      << ran.output;
  EXPECT_TRUE(Contains(Journal(), "give up round 1 shard 1")) << Journal();
}

// What Slurm's jobs do, by hand: the directory, shards, a merge.
TEST_F(CampaignTest, APreparedOneIsRunByWhoeverStartsItsShards) {
  std::vector<std::string> command = Command("0.002");
  command.push_back("--prepare");
  EXPECT_EQ(RunCommand(command).exit_code, 0);
  EXPECT_EQ(LastRound(directory_), 0) << "nothing has run";
  EXPECT_EQ(RunPadproof({"campaign", "shard", directory_, "1", "0", "0", "1"}).exit_code, 0);
  EXPECT_FALSE(IsMerged(directory_, 1));
  EXPECT_EQ(RunPadproof({"campaign", "merge", directory_, "1"}).exit_code, 0);
  EXPECT_TRUE(IsMerged(directory_, 1));
  const auto findings = FindingsIn(directory_ + "/findings");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].identity, kIdentity);
}

TEST_F(CampaignTest, BadUsageIsOneLine) {
  const auto refused = [&](std::vector<std::string> arguments, const std::string& why) {
    arguments.insert(arguments.begin(), "campaign");
    const Ran ran = RunPadproof(arguments);
    EXPECT_EQ(ran.exit_code, 2) << ran.output;
    EXPECT_TRUE(Contains(ran.output, why)) << ran.output;
  };
  refused({"status", folder_ / "nowhere"}, "no campaign here; begin one with");
  refused({"start", directory_, "--kernel", "nobody"}, "no kernel matches 'nobody'");
  refused({"start", directory_, "--law", "nobody"}, "no law matches 'nobody'");
  refused({"start", directory_, "--fuzzer", "/nowhere/x"}, "/nowhere/x: no such fuzz target");
  EXPECT_FALSE(fs::exists(directory_));
  folder_.Write("night/campaign.json", "{}");
  refused({"start", directory_}, "there is a campaign");
  refused({"resume", directory_}, "campaign.json: ");
}

}  // namespace
}  // namespace padproof
