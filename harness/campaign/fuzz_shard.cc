// A shard that runs a libFuzzer target again and again: a target ends at each failure. Plain
// libFuzzer and not -fork, which keeps new units in a temporary directory until a child ends and
// overruns its time.

#include <fmt/format.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>

#include <filesystem>
#include <fstream>
#include <set>

#include "harness/base/random.h"
#include "harness/campaign/shard_common.h"
#include "harness/drivers/child.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

constexpr int kMostVain = 3;          // runs in succession that end early and tell nothing new
constexpr double kGraceSeconds = 30;  // beyond the time that a target was given

/// "DEDUP_TOKEN: law/kernel/kind/region" of a target's output; a sanitizer has tokens of its own.
std::string TokenIn(const std::string& log) {
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("DEDUP_TOKEN: ", 0) == 0) return line.substr(13);
  }
  return {};
}

class FuzzShard {
 public:
  FuzzShard(ShardLog& log, std::string fuzzer)
      : log_(log), fuzzer_(std::move(fuzzer)), in_flight_(log.folder() + "/in_flight") {
    for (const char* folder : {"/units", "/artifacts", "/findings"}) Make(log.folder() + folder);
    Make(Corpus());
  }

  bool Run() {
    int vain = 0;
    while (!log_.IsOver()) {
      const int exit_code = RunOnce();
      if (exit_code < 0) return log_.End("failed", message_);
      if (exit_code == 0) continue;
      const int found = Collect(exit_code);
      vain = found > 0 ? 0 : vain + 1;
      if (vain < kMostVain) continue;
      const bool told_something = seen_.size() > 0;
      message_ = fmt::format("{} ended {} times with exit code {} and nothing new; see {}", fuzzer_,
                             vain, exit_code, output_);
      return log_.End(told_something ? "done" : "failed", message_);
    }
    return log_.End("done");
  }

 private:
  static void Make(const std::string& folder) {
    std::error_code ignored;
    fs::create_directories(folder, ignored);
  }
  std::string Corpus() const { return CorpusOf(log_.directory(), fuzzer_); }

  /// libFuzzer takes 32 bits, and 0 for "choose one".
  uint32_t Seed() const {
    const Attempt& a = log_.attempt();
    const auto number = [](int n) { return static_cast<uint64_t>(n); };
    return 1 + static_cast<uint32_t>(HashOf({log_.settings().seed, number(a.round), number(a.shard),
                                             number(a.attempt), number(runs_)}) >>
                                     33);
  }

  std::vector<std::string> Command() const {
    return {fuzzer_,
            fmt::format("-max_total_time={}", std::max(1, static_cast<int>(log_.left()))),
            fmt::format("-seed={}", Seed()),
            fmt::format("-timeout={}", static_cast<int>(log_.settings().deadline_seconds) + 1),
            "-artifact_prefix=" + log_.folder() + "/artifacts/",
            "-reload=0",
            "-rss_limit_mb=0",
            "-print_final_stats=1",
            log_.folder() + "/units",
            Corpus()};
  }

  /// The exit code of the target; 0 as well when it was told to end. -1: it cannot be started.
  int RunOnce() {
    output_ = fmt::format("{}/log.{}", log_.folder(), ++runs_);
    std::vector<std::string> settings{
        "PADPROOF_IN_FLIGHT=" + InFlight(),
        "PADPROOF_KNOWN=" + log_.directory() + "/findings:" + log_.folder() + "/findings",
        "PADPROOF_CORPORA=" + log_.settings().corpora};
    if (log_.settings().kernels != "*") {
      settings.push_back("PADPROOF_FUZZ_KERNELS=" + log_.settings().kernels);
    }
    auto child = Child::Start(Command(), output_, settings);
    if (!child) {
      message_ = child.error().message;
      return -1;
    }
    const uint64_t before = ReadInFlight(InFlight()).sequence;
    const int64_t cases = log_.status().cases;
    const auto count = [&] {
      log_.status().cases =
          cases + static_cast<int64_t>(ReadInFlight(InFlight()).sequence - before);
    };
    while (!child->WaitFor(0.2)) {
      count();
      log_.Tell();
      if (StopAsked(log_.directory())) child->Signal(SIGUSR1);  // libFuzzer ends with exit code 0
      if (log_.left() < -kGraceSeconds) child->Signal(SIGKILL);
    }
    count();
    return child->exit_code();
  }
  std::string InFlight() const { return log_.folder() + "/in_flight"; }

  /// Writes down what a run that ended early has shown; how many of it were new.
  int Collect(int exit_code) {
    int fresh = 0;
    std::string token = TokenIn(output_);
    std::error_code ignored;
    bool artifact = false;
    for (const auto& file : fs::directory_iterator(log_.folder() + "/artifacts", ignored)) {
      if (!seen_.insert(file.path().string()).second) continue;
      artifact = true;
      const auto entries = ReadCorpusFile(file.path().string());
      if (entries) fresh += Keep(entries->front(), KindOf(file.path().filename(), token), token);
    }
    if (artifact) return fresh;
    // Killed without a word: the case in flight is the only witness.
    const auto entry = ParseEntry(ReadInFlight(InFlight()).text);
    if (!entry) return 0;
    const bool killed = exit_code == 128 + SIGKILL;
    const std::string got = killed ? kKilledFromOutside : fmt::format("exit code {}", exit_code);
    return Keep(*entry, {.kind = kind::kCrash, .got = got}, "");
  }

  static Failure KindOf(const std::string& artifact, const std::string& token) {
    if (artifact.rfind("timeout-", 0) == 0)
      return {.kind = kind::kHang, .got = "libFuzzer timeout"};
    if (artifact.rfind("oom-", 0) == 0)
      return {.kind = kind::kMemory, .got = "libFuzzer out of memory"};
    return {.kind = kind::kCrash, .got = token.empty() ? "died" : token};
  }

  int Keep(const Entry& entry, Failure failure, const std::string& token) {
    if (token.rfind(entry.law + "/" + entry.kernel + "/", 0) == 0) failure = FailureOf(token);
    const Finding finding{.entry = entry, .failure = failure};
    return log_.Found(entry, failure, CaseFileText(finding)) ? 1 : 0;
  }

  ShardLog& log_;
  std::string fuzzer_;
  InFlightFile in_flight_;
  std::string output_, message_;
  std::set<std::string> seen_;  // artifacts
  int runs_ = 0;
};

}  // namespace

bool RunFuzzShard(ShardLog& log, const std::string& fuzzer) { return FuzzShard(log, fuzzer).Run(); }

}  // namespace padproof
