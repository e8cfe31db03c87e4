#include "harness/campaign/controller.h"

#include <fmt/format.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "harness/base/file.h"
#include "harness/base/seconds.h"
#include "harness/campaign/in_flight.h"
#include "harness/drivers/child.h"
#include "harness/drivers/identity.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

constexpr auto kNap = std::chrono::milliseconds(100);
constexpr double kDiskSeconds = 2;     // between looks at the disk
constexpr double kTellSeconds = 60;    // between lines of progress
constexpr double kEndSeconds = 45;     // for a shard to end by itself once its time is over
constexpr int kMostVainAttempts = 3;   // in succession, without a case judged
constexpr double kAgainSeconds = 0.5;  // before a shard is started again

/// One shard of a round, attempt after attempt.
class ShardKeeper {
 public:
  ShardKeeper(const std::string& directory, const CampaignSettings& settings, int round, int shard)
      : directory_(directory), settings_(settings), at_{.round = round, .shard = shard} {
    for (const Attempt& earlier : AttemptsIn(directory, round)) {
      if (earlier.shard == shard) at_.attempt = std::max(at_.attempt, earlier.attempt + 1);
    }
  }

  /// To be called again and again; `left` is what is left of the round. True while it is at work.
  bool Keep(double left) {
    if (over_) return false;
    if (!child_) {
      if (left <= 0 || StopAsked(directory_)) return over_ = true, false;
      if (SecondsSince(ended_) >= kAgainSeconds) Start(left);
      return !over_;
    }
    if (child_->Ended()) {
      Ended();
    } else if (IsWedged(left)) {
      Kill();
    }
    return !over_;
  }

  bool gave_up() const { return gave_up_; }

 private:
  std::string Name() const {
    return fmt::format("round {} shard {} attempt {}", at_.round, at_.shard, at_.attempt);
  }
  std::string Folder() const { return AttemptDirectory(directory_, at_); }

  void Start(double left) {
    std::error_code ignored;
    fs::create_directories(Folder() + "/findings", ignored);
    const auto number = [](int n) { return std::to_string(n); };
    auto child = Child::Start({WorkerProgram(), "campaign", "shard", directory_, number(at_.round),
                               number(at_.shard), number(at_.attempt), fmt::format("{:.2f}", left)},
                              Folder() + "/log");
    if (!child) return GiveUp(child.error().message);
    Journal(directory_, "start " + Name());
    child_.emplace(std::move(*child));
    sequence_ = 0;
    moved_ = Clock::now();
  }

  void Ended() {
    const int code = child_->exit_code();
    child_.reset();
    ended_ = Clock::now();
    Journal(directory_, fmt::format("end {} exit code {}", Name(), code));
    if (code == 0) {
      over_ = true;
      return;
    }
    Next(fmt::format("exit code {}", code));
  }

  /// No new case for too long, or no end long after its time.
  bool IsWedged(double left) {
    const uint64_t now = ReadInFlight(Folder() + "/in_flight").sequence;
    if (now != sequence_) {
      sequence_ = now;
      moved_ = Clock::now();
    }
    return SecondsSince(moved_) > settings_.wedged_seconds || left < -kEndSeconds;
  }

  /// A process that waits in a driver does not die when it is killed: nobody waits for it.
  void Kill() {
    Journal(directory_, "wedged " + Name());
    const std::string in_flight = ReadInFlight(Folder() + "/in_flight").text;
    child_->Signal(SIGKILL);
    if (!child_->WaitFor(2)) child_->Abandon();
    child_.reset();
    ended_ = Clock::now();
    if (const auto entry = ParseEntry(in_flight)) {
      const Failure failure{
          .kind = kind::kHang,
          .expected = "an answer",
          .got = fmt::format("none in {:.0f} s; its process was killed", settings_.wedged_seconds)};
      WriteFinding(Folder() + "/findings",
                   {.identity = IdentityOf(entry->law, entry->kernel, failure),
                    .entry = *entry,
                    .round = at_.round,
                    .shard = at_.shard,
                    .text = CaseFileText({.entry = *entry, .failure = failure})});
    }
    Next("wedged");
  }

  void Next(const std::string& why) {
    const ShardStatus status = ReadStatus(Folder());
    vain_ = status.cases > 0 ? 0 : vain_ + 1;
    if (vain_ >= kMostVainAttempts) {
      return GiveUp(why + (status.message.empty() ? "" : ": " + status.message));
    }
    ++at_.attempt;
  }

  void GiveUp(const std::string& why) {
    Journal(directory_, "give up " + Name() + ": " + why);
    over_ = gave_up_ = true;
  }

  const std::string& directory_;
  const CampaignSettings& settings_;
  Attempt at_;
  std::optional<Child> child_;
  uint64_t sequence_ = 0;
  Clock::time_point moved_, ended_{};
  int vain_ = 0;
  bool over_ = false, gave_up_ = false;
};

class Controller {
 public:
  Controller(const std::string& directory, const CampaignSettings& settings,
             const std::function<void(const std::string&)>& tell)
      : directory_(directory), settings_(settings), tell_(tell), used_(ReadClock(directory)) {}

  Result<CampaignEnd> Run() {
    int round = LastRound(directory_);
    for (int r = 1; r <= round; ++r) {
      if (const auto merged = Merge(r); !merged) return merged.error();
    }
    CampaignEnd end = CampaignEnd::time_is_up;
    while (used_ < settings_.seconds) {
      if (StopAsked(directory_)) return CampaignEnd::stopped;
      if (IsFull()) return CampaignEnd::disk_limit;
      end = RunRound(++round);
      if (const auto merged = Merge(round); !merged) return merged.error();
      if (end != CampaignEnd::time_is_up) return end;
    }
    return end;
  }

 private:
  bool IsFull() {
    return settings_.disk_limit_bytes > 0 && BytesBelow(directory_) > settings_.disk_limit_bytes;
  }

  CampaignEnd RunRound(int round) {
    Journal(directory_, fmt::format("round {}", round));
    const auto start = Clock::now();
    const double used = used_;
    const double seconds = std::min(settings_.round_seconds, settings_.seconds - used);
    std::vector<ShardKeeper> shards;
    for (int s = 0; s < settings_.jobs; ++s) {
      shards.emplace_back(directory_, settings_, round, s);
    }
    bool full = false;
    for (bool at_work = true; at_work; std::this_thread::sleep_for(kNap)) {
      at_work = false;
      for (ShardKeeper& shard : shards)
        at_work = shard.Keep(seconds - SecondsSince(start)) || at_work;
      used_ = used + SecondsSince(start);
      if (Due(looked_, kDiskSeconds)) {
        WriteClock(directory_, used_);
        full = IsFull();
      }
      if (full) break;  // shards are killed with their keepers: they write nothing more
      if (Due(told_, kTellSeconds)) Tell(round);
    }
    WriteClock(directory_, used_);
    if (full) return CampaignEnd::disk_limit;
    if (StopAsked(directory_)) return CampaignEnd::stopped;
    const bool nothing_runs =
        std::all_of(shards.begin(), shards.end(), [](const ShardKeeper& s) { return s.gave_up(); });
    return nothing_runs ? CampaignEnd::nothing_runs : CampaignEnd::time_is_up;
  }

  static bool Due(Clock::time_point& last, double seconds) {
    if (SecondsSince(last) < seconds) return false;
    last = Clock::now();
    return true;
  }

  void Tell(int round) {
    int64_t cases = 0;
    std::set<std::string> found;
    for (const Attempt& a : AttemptsIn(directory_)) {
      cases += ReadStatus(AttemptDirectory(directory_, a)).cases;
      for (const auto& f : FindingsIn(AttemptDirectory(directory_, a) + "/findings")) {
        found.insert(f.identity);
      }
    }
    tell_(fmt::format("round {}, {:.0f} of {:.0f} s: {} cases, {} ways to fail", round, used_,
                      settings_.seconds, cases, found.size()));
  }

  /// In a process of its own, so that a kernel that is judged again can do no harm here.
  Result<bool> Merge(int round) {
    int exit_code = 0;
    for (int n = 0; n < kMostVainAttempts && !IsMerged(directory_, round); ++n) {
      Journal(directory_, fmt::format("merge {}", round));
      auto merge = Child::Start(
          {WorkerProgram(), "campaign", "merge", directory_, std::to_string(round)}, "");
      if (!merge) return merge.error();
      while (!merge->WaitFor(1)) {
      }
      exit_code = merge->exit_code();
    }
    if (IsMerged(directory_, round)) return true;
    return Error{
        fmt::format("the merge of round {} ended with exit code {} each time; nothing is lost: "
                    "'padproof campaign resume {}' does it again",
                    round, exit_code, directory_)};
  }

  const std::string& directory_;
  const CampaignSettings& settings_;
  const std::function<void(const std::string&)>& tell_;
  double used_;
  Clock::time_point looked_{}, told_ = Clock::now();
};

}  // namespace

int64_t BytesBelow(const std::string& directory) {
  int64_t bytes = 0;
  std::set<ino_t> seen;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    struct stat facts{};
    if (lstat(it->path().c_str(), &facts) != 0) continue;
    if (facts.st_nlink > 1 && !seen.insert(facts.st_ino).second) continue;
    bytes += int64_t{facts.st_blocks} * 512;
  }
  return bytes;
}

bool IsControlled(const std::string& directory) { return !FolderLock(directory).held(); }

Result<CampaignEnd> RunCampaign(const std::string& directory, const CampaignSettings& settings,
                                const std::function<void(const std::string&)>& tell) {
  auto lock = std::make_unique<FolderLock>(directory);
  // Who asks whether somebody is at work holds it for a moment.
  for (int n = 0; n < 10 && !lock->held(); ++n) {
    std::this_thread::sleep_for(kNap);
    lock = std::make_unique<FolderLock>(directory);
  }
  if (!lock->held()) {
    return Error{directory + ": its controller is at work; see 'padproof campaign status'"};
  }
  std::error_code ignored;
  fs::remove(directory + "/stop", ignored);
  Journal(directory, "controller");
  static constexpr const char* kEnds[] = {"time is up", "stopped", "disk limit", "nothing runs"};
  auto end = Controller(directory, settings, tell).Run();
  Journal(directory, end ? kEnds[static_cast<size_t>(*end)] : end.error().message);
  return end;
}

}  // namespace padproof
