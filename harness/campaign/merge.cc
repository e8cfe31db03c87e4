#include "harness/campaign/merge.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "harness/base/file.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/identity.h"
#include "harness/drivers/promote.h"
#include "harness/drivers/replay.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNotSeenAgain = "not seen again";
constexpr int kMostAgain = 5;
constexpr auto kAgainPause = std::chrono::seconds(2);
constexpr double kHangDeadlineSeconds = 2;  // a hang is waited for once more

/// Shrinks a finding and makes a regression test of it; its note says why not, where it does not
/// fail again.
void Finish(CampaignFinding& found, const CampaignSettings& settings, Worker& worker) {
  const bool hang = FailureOf(found.identity).kind == kind::kHang;
  const double deadline =
      hang ? std::min(kHangDeadlineSeconds, settings.deadline_seconds) : settings.deadline_seconds;
  worker.Stop();  // judged in a process of its own
  auto verdict = Replay(found.entry, worker, deadline);
  // A machine that is short of something, or a build under way, is no reason to leave it unshrunk.
  for (int again = 0; again < kMostAgain && !verdict; ++again) {
    std::this_thread::sleep_for(kAgainPause);
    verdict = Replay(found.entry, worker, deadline);
  }
  if (!verdict) {
    found.note = "cannot be judged again: " + verdict.error().message;
    return;
  }
  if (verdict->outcome != Outcome::fails) {
    found.note = kNotSeenAgain;
    return;
  }
  const std::string now = IdentityOf(found.entry.law, found.entry.kernel, verdict->failure);
  if (now != found.identity) found.note = "judged again it fails as " + now;
  const auto kernel = FindOneKernel(found.entry.kernel, worker);
  Finding finding = FindingOf(found.entry, verdict->failure, *kernel);
  SearchOptions options;
  options.deadline_seconds = deadline;
  ShrinkFinding(finding, *kernel, worker, options);
  if (!Promote(finding, settings.corpora, worker, deadline)) found.note = finding.problem;
  found.entry = finding.entry;
  found.saved = finding.saved;
  found.text = CaseFileText(finding);
}

Result<bool> MergeFindings(const std::string& directory, const CampaignSettings& settings,
                           const std::string& attempt, Worker& worker) {
  const std::string all = directory + "/findings";
  std::error_code ignored;
  for (CampaignFinding& found : FindingsIn(attempt + "/findings")) {
    if (fs::exists(FindingFile(all, found.identity), ignored)) continue;
    Finish(found, settings, worker);
    if (found.note == kNotSeenAgain && found.text.find(kKilledFromOutside) != std::string::npos) {
      Journal(directory, "not seen again after a SIGKILL: " + Print(found.entry));
      continue;
    }
    if (const auto written = WriteFinding(all, found); !written) return written.error();
  }
  return true;
}

/// A unit's name is the hash of its bytes, so that a name that is there is the same unit.
Result<bool> MergeUnits(const std::string& corpus, const std::string& attempt) {
  std::error_code error;
  fs::create_directories(corpus, error);
  for (const auto& unit : fs::directory_iterator(attempt + "/units", error)) {
    const fs::path target = fs::path(corpus) / unit.path().filename();
    fs::create_hard_link(unit.path(), target, error);
    if (error && error != std::errc::file_exists) {
      return Error{target.string() + ": cannot be added: " + error.message()};
    }
  }
  return true;
}

}  // namespace

Result<bool> MergeRound(const std::string& directory, const CampaignSettings& settings, int round) {
  if (IsMerged(directory, round)) return true;
  Worker worker;
  for (const Attempt& attempt : AttemptsIn(directory, round)) {
    const std::string folder = AttemptDirectory(directory, attempt);
    const auto findings = MergeFindings(directory, settings, folder, worker);
    if (!findings) return findings;
    const std::string fuzzer = FuzzerOf(settings, attempt);
    if (fuzzer.empty()) continue;
    const auto units = MergeUnits(CorpusOf(directory, fuzzer), folder);
    if (!units) return units;
  }
  return WriteDurably(RoundDirectory(directory, round) + "/merged", "");
}

}  // namespace padproof
