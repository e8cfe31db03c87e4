#include "harness/campaign/shard.h"

#include <fmt/format.h>

#include <filesystem>

#include "harness/base/seconds.h"
#include "harness/campaign/shard_common.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/identity.h"

namespace padproof {
namespace {

constexpr int kSliceCases = 25;    // of one cell, before the next has its turn
constexpr int64_t kMostHangs = 3;  // of one cell, each of which costs a deadline

struct SearchedCell {
  Cell cell;
  int next = 0;  // index of the case to draw
  bool left_out = false;
};

std::string NameOf(const Cell& cell) {
  return fmt::format("{} {}", cell.law->name, cell.kernel->id);
}

/// Law x kernel without what laws do not speak about.
Result<std::vector<SearchedCell>> CellsOf(const CampaignSettings& settings, Worker& worker,
                                          std::vector<KernelInfo>& kernels) {
  const auto laws = FindLaws(settings.laws);
  if (!laws) return laws.error();
  auto found = FindKernels(settings.kernels, worker);
  if (!found) return found.error();
  TakeMissing(*found);
  kernels = std::move(*found);
  std::vector<SearchedCell> cells;
  for (const KernelInfo& kernel : kernels) {
    for (const Property* law : *laws) {
      if (!Inapplicable(*law, kernel).empty()) continue;
      cells.push_back({.cell = {.kernel = &kernel, .law = law}});
    }
  }
  if (cells.empty()) return Error{"no law speaks about any of these kernels"};
  return cells;
}

/// Random search that goes around all cells, a slice each.
class RandomShard {
 public:
  RandomShard(ShardLog& log, std::vector<SearchedCell> cells)
      : log_(log), cells_(std::move(cells)), in_flight_(log.folder() + "/in_flight") {
    const Attempt& a = log.attempt();
    options_.seed = HashOf({log.settings().seed, static_cast<uint64_t>(a.round),
                            static_cast<uint64_t>(a.shard), static_cast<uint64_t>(a.attempt)});
    options_.deadline_seconds = log.settings().deadline_seconds;
    options_.known = &log.known();
  }

  bool Run() {
    // Shards begin at different cells: a short round reaches all of them.
    const auto jobs = static_cast<size_t>(std::max(1, log_.settings().jobs));
    size_t at = cells_.size() * static_cast<size_t>(log_.attempt().shard) / jobs;
    for (; !log_.IsOver(); ++at) {
      if (!Slice(cells_[at % cells_.size()])) return log_.End("failed", error_);
    }
    return log_.End("done");
  }

 private:
  /// False when the harness itself failed.
  bool Slice(SearchedCell& searched) {
    Cell& cell = searched.cell;
    for (int n = 0; n < kSliceCases && !searched.left_out && !log_.IsOver(); ++n) {
      const Case c = NthCase(*cell.kernel, *cell.law, options_, searched.next++);
      in_flight_.Begin(Print(Entry{cell.law->name, cell.kernel->id, c}));
      JudgeInto(cell, c, searched.next, worker_, options_, {});
      in_flight_.End();
      ++log_.status().cases;
      if (!cell.error.empty()) {
        error_ = cell.error;
        return false;
      }
      if (cell.finding) {
        log_.Found(cell.finding->entry, cell.finding->failure, CaseFileText(*cell.finding));
        ++cell.known[IdentityOf(cell.law->name, cell.kernel->id, cell.finding->failure)];
        cell.finding.reset();
      }
      searched.left_out = Hangs(cell) >= kMostHangs;
    }
    CellCount& count = log_.status().cells[NameOf(cell)];
    count.cases = cell.cases;
    count.held = cell.held;
    count.failed = {cell.known.begin(), cell.known.end()};
    log_.Tell();
    return true;
  }

  static int64_t Hangs(const Cell& cell) {
    int64_t hangs = 0;
    for (const auto& [identity, cases] : cell.known) {
      if (identity.find(std::string("/") + kind::kHang + "/") != std::string::npos) hangs += cases;
    }
    return hangs;
  }

  ShardLog& log_;
  std::vector<SearchedCell> cells_;
  InFlightFile in_flight_;
  Worker worker_;
  SearchOptions options_;
  std::string error_;
};

}  // namespace

ShardLog::ShardLog(const std::string& directory, const CampaignSettings& settings,
                   const Attempt& attempt, double seconds)
    : directory_(directory),
      folder_(AttemptDirectory(directory, attempt)),
      settings_(settings),
      attempt_(attempt),
      seconds_(seconds) {}

bool ShardLog::Begin() {
  Tell(true);
  auto ledger = ReadLedger(settings_.corpora);
  if (!ledger) return End("failed", ledger.error().message);
  known_ = std::move(*ledger);
  for (const CampaignFinding& f : FindingsIn(directory_ + "/findings")) {
    known_.Add({.entry = f.entry, .failure = FailureOf(f.identity), .reason = "found"});
  }
  return true;
}

double ShardLog::elapsed() const { return SecondsSince(start_); }

bool ShardLog::IsOver() const { return left() <= 0 || StopAsked(directory_); }

bool ShardLog::Found(const Entry& entry, const Failure& failure, const std::string& text) {
  if (known_.Find(entry, failure) != nullptr) return false;
  const CampaignFinding finding{.identity = IdentityOf(entry.law, entry.kernel, failure),
                                .entry = entry,
                                .round = attempt_.round,
                                .shard = attempt_.shard,
                                .text = text};
  const auto written = WriteFinding(folder_ + "/findings", finding);
  // What cannot be written is not known: it will be found again, perhaps where there is room.
  if (!written) {
    status_.message = written.error().message;
    return false;
  }
  known_.Add({.entry = entry, .failure = failure, .reason = "found"});
  return true;
}

void ShardLog::Tell(bool now) {
  status_.seconds = elapsed();
  if (!now && status_.seconds - told_ < 1) return;
  told_ = status_.seconds;
  WriteStatus(folder_, status_);
}

bool ShardLog::End(const std::string& state, const std::string& message) {
  status_.state = state;
  if (!message.empty()) status_.message = message;
  Tell(true);
  return state != "failed";
}

bool RunShard(const std::string& directory, const CampaignSettings& settings,
              const Attempt& attempt, double seconds) {
  ShardLog log(directory, settings, attempt, seconds);
  if (!log.Begin()) return false;
  if (const std::string fuzzer = FuzzerOf(settings, attempt); !fuzzer.empty()) {
    return RunFuzzShard(log, fuzzer);
  }
  Worker worker;
  std::vector<KernelInfo> kernels;
  auto cells = CellsOf(settings, worker, kernels);
  if (!cells) return log.End("failed", cells.error().message);
  worker.Stop();
  return RandomShard(log, std::move(*cells)).Run();
}

}  // namespace padproof
