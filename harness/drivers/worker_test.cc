// A kernel that crashes, hangs, exits or shouts is a finding about the case in flight, and the same
// worker object goes on with the next case.

#include "harness/drivers/worker.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>

#include <atomic>
#include <thread>
#include <vector>

#include "harness/drivers/paths.h"
#include "harness/drivers/search.h"
#include "harness/drivers/shrink.h"

namespace padproof {
namespace {

constexpr const char* kCalm = "lens_q=1 lens_k=2 dim=1";
constexpr const char* kProvoking = "lens_q=2 lens_k=7 dim=2 heads=2 pad_k=3 seed=5";
constexpr const char* kLaw = "guards_intact";

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

#if defined(__has_feature)
constexpr bool kUndefinedIsSeen = __has_feature(undefined_behavior_sanitizer);
#else
constexpr bool kUndefinedIsSeen = false;  // g++ does not say
#endif

class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto rows = worker_.Load(Plugin());
    ASSERT_TRUE(rows) << rows.error().message;
    rows_ = *rows;
  }
  static std::string Plugin() { return ExecutableDirectory() + "/tests/misbehaving.so"; }

  KernelInfo Kernel(const std::string& variant) {
    for (const KernelInfo& kernel : rows_) {
      if (kernel.name == "misbehaving." + variant) return kernel;
    }
    ADD_FAILURE() << "no kernel " << variant;
    return {};
  }
  Verdict Ask(const std::string& variant, const std::string& line, double deadline = 5) {
    const auto verdict = worker_.Judge(Kernel(variant), kLaw, line, deadline);
    EXPECT_TRUE(verdict) << verdict.error().message;
    return verdict ? *verdict : Verdict{};
  }
  void ExpectFinding(const std::string& variant, const std::string& kind, const std::string& got) {
    const bool hangs = variant == "hang" || variant == "sleep";
    const Verdict verdict = Ask(variant, kProvoking, hangs ? 0.5 : 5);
    EXPECT_EQ(verdict.outcome, Outcome::fails) << variant;
    EXPECT_EQ(verdict.failure.kind, kind) << variant;
    EXPECT_NE(verdict.failure.got.find(got), std::string::npos) << verdict.failure.got;
    EXPECT_EQ(Ask(variant, kCalm).outcome, Outcome::holds) << variant << " afterwards";
  }

  Worker worker_;
  std::vector<KernelInfo> rows_;
};

TEST_F(WorkerTest, DeathsAreFindingsAndTheWorkerGoesOn) {
  ExpectFinding("segfault", kind::kCrash, kSanitized ? "sanitizer report" : "SIGSEGV");
  ExpectFinding("abort", kind::kCrash, "SIGABRT");
  ExpectFinding("exit", kind::kExit, "exit code 0");
  ExpectFinding("hang", kind::kHang, "no answer within");
  ExpectFinding("sleep", kind::kHang, "no answer within");
  ExpectFinding("throw", kind::kCrash, "thrown by a kernel");
  // Sanitizers map terabytes, so their workers have no limit to run into.
  if (!kSanitized) ExpectFinding("memory", kind::kMemory, "out of memory");
  ExpectFinding("launch", kind::kLaunch, "invalid configuration");
  if (kUndefinedIsSeen) ExpectFinding("overflow", kind::kCrash, "sanitizer report");
}

// Nobody stays behind, and no copy answers in the worker's place.
TEST_F(WorkerTest, ProcessesThatAKernelStartsEndWithTheWorker) {
  for (int n = 0; n < 20; ++n) EXPECT_EQ(Ask("fork", kProvoking).outcome, Outcome::holds);
  ExpectFinding("fork_and_die", kind::kCrash, kSanitized ? "sanitizer report" : "SIGSEGV");
}

// Eight threads that never rest share one processor with the worker: by the wall it needs
// seconds, of its own 0.2 a launch.
TEST_F(WorkerTest, AStarvedWorkerDoesNotHang) {
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
  }
  EXPECT_EQ(Ask("busy", kCalm).outcome, Outcome::holds);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);  // the neighbours inherit it
  ASSERT_EQ(sched_setaffinity(worker_.pid(), sizeof one, &one), 0);
  std::atomic<bool> on = true;
  std::vector<std::thread> neighbours;
  for (int n = 0; n < 8; ++n) {
    neighbours.emplace_back([&] {
      while (on) {
      }
    });
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof all, &all), 0);
  EXPECT_EQ(Ask("busy", kProvoking, 1).outcome, Outcome::holds);
  on = false;
  for (std::thread& neighbour : neighbours) neighbour.join();
}

TEST_F(WorkerTest, ClosingOurDescriptorsIsAFinding) {
  const Verdict verdict = Ask("close", kProvoking);
  EXPECT_EQ(verdict.outcome, Outcome::fails);
  EXPECT_EQ(Ask("close", kCalm).outcome, Outcome::holds);
}

TEST_F(WorkerTest, OutputOfAKernelIsNotAnAnswer) {
  EXPECT_EQ(Ask("shout", kProvoking).outcome, Outcome::holds);
}

TEST_F(WorkerTest, ARejectionIsNotAFailure) {
  const Verdict verdict = Ask("reject", kProvoking);
  EXPECT_EQ(verdict.outcome, Outcome::not_applicable);
  EXPECT_EQ(verdict.reason, "rejected: three keys are too many");
}

TEST_F(WorkerTest, ALawThatSpokeAboutNoCaseHasTestedNothing) {
  const Property law{
      .name = kLaw,
      .inapplicable = [](const KernelTraits&, bool, bool) -> const char* { return nullptr; },
      .prepare = [](Case& c, const KernelTraits&, Random&) { c.lens_k[0] = 3; }};
  SearchOptions options{.cases = 5};
  options.corpora.clear();
  const KernelInfo refusing = Kernel("reject");
  const Cell cell = Search(refusing, law, worker_, options, {});
  EXPECT_EQ(cell.cases, 5);
  EXPECT_EQ(cell.held, 0);
  EXPECT_TRUE(cell.vacuous());
}

TEST_F(WorkerTest, CrashesAndHangsShrinkLikeAnyFailure) {
  for (const std::string variant : {"segfault", "exit", "hang"}) {
    Finding finding{.entry = {kLaw, Kernel(variant).id, *Parse(kProvoking)}};
    finding.failure = Ask(variant, kProvoking, variant == "hang" ? 0.5 : 5).failure;
    SearchOptions options;
    options.deadline_seconds = variant == "hang" ? 0.2 : 5;
    ShrinkFinding(finding, Kernel(variant), worker_, options);
    EXPECT_EQ(Print(finding.entry.c), "lens_q=1 lens_k=3 dim=1") << variant;
    EXPECT_FALSE(finding.half_shrunk);
  }
}

TEST_F(WorkerTest, WhatSomebodyKillsIsJudgedAgain) {
  Ask("slow", kCalm);  // starts it
  std::thread somebody([pid = worker_.pid()] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    kill(pid, SIGKILL);
  });
  EXPECT_EQ(Ask("slow", "lens_q=1 lens_k=3 dim=1").outcome, Outcome::holds);
  somebody.join();
}

TEST_F(WorkerTest, WhatIsOnlySlowIsNoSimplerHang) {
  const std::string minimal = "lens_q=1 lens_k=5 dim=1";
  Finding finding{.entry = {kLaw, Kernel("slow").id, *Parse(minimal)}};
  finding.failure = {.kind = kind::kHang};
  SearchOptions options;
  options.deadline_seconds = 2.2;
  ShrinkFinding(finding, Kernel("slow"), worker_, options);
  EXPECT_EQ(Print(finding.entry.c), minimal);
  EXPECT_EQ(finding.failure.kind, kind::kHang);
}

TEST_F(WorkerTest, AHangTellsWhichDeadlineItMissed) {
  Finding finding{.entry = {kLaw, Kernel("hang").id, *Parse("lens_q=1 lens_k=4 dim=1")}};
  finding.failure = Ask("hang", "lens_q=1 lens_k=4 dim=1", 0.25).failure;
  EXPECT_EQ(finding.failure.got, "no answer within 0.25 s");
  SearchOptions options;
  options.deadline_seconds = 1.5;
  ShrinkFinding(finding, Kernel("hang"), worker_, options);
  EXPECT_GT(finding.steps, 0);
  EXPECT_EQ(finding.failure.got, "no answer within 1.5 s");
}

TEST_F(WorkerTest, UnknownNamesAreErrorsNotVerdicts) {
  EXPECT_FALSE(worker_.Judge(Kernel("exit"), "no_such_law", kCalm, 5));
  KernelInfo stranger = Kernel("exit");
  stranger.id = "stranger@cpu";
  EXPECT_FALSE(worker_.Judge(stranger, kLaw, kCalm, 5));
  const auto missing = worker_.Load("/nowhere/missing.so");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("/nowhere/missing.so"), std::string::npos);
  const auto foreign = worker_.Load("libm.so.6");
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().message.find("no function padproof_plugin()"), std::string::npos);
}

}  // namespace
}  // namespace padproof
