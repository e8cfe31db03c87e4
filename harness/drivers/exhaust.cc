#include "harness/drivers/exhaust.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "harness/base/seconds.h"
#include "harness/case/enumerate.h"

namespace padproof {
namespace {

constexpr int64_t kNone = INT64_MAX;

int64_t EndOf(const ScopePart& part, int64_t size) {
  return part.count < size - part.from ? part.from + part.count : size;
}

/// What a worker judges at a time: shapes from .. to - 1.
struct Piece {
  size_t cell = 0;
  int64_t from = 0, to = 0;
};

/// What became of it: a cell of its cases alone, and the shape that failed and the first one that
/// was left out because the time was over.
struct PieceResult {
  Cell cell;
  int64_t failed = kNone, cut = kNone;
};

/// A cell in the making. All but `failed` is guarded by the run's mutex.
struct Making {
  const Scope* scope = nullptr;
  int64_t end = 0;                      // shapes below it are judged
  std::atomic<int64_t> failed = kNone;  // the lowest shape that failed; none above it is judged
  int64_t cut = kNone;                  // the lowest shape that was cut off
  std::set<int64_t> open;               // where pieces in work begin
  bool finished = false;
};

void Add(const Cell& piece, Cell& cell) {
  cell.cases += piece.cases;
  cell.held += piece.held;
  cell.out_of_domain += piece.out_of_domain;
  for (const auto& [identity, cases] : piece.known) cell.known[identity] += cases;
  if (cell.first_unexplained.empty()) cell.first_unexplained = piece.first_unexplained;
  cell.unexplained += piece.unexplained;
  for (const auto& [reason, count] : piece.skipped) cell.skipped[reason] += count;
  for (size_t k = 0; k < cell.classes.size(); ++k) cell.classes[k] += piece.classes[k];
  for (const auto& [region, ratio] : piece.worst_ratio) {
    double& worst = cell.worst_ratio[region];
    worst = std::max(worst, ratio);
  }
  if (cell.error.empty()) cell.error = piece.error;
  cell.seconds += piece.seconds;
}

void Forget(const Finding& finding) {
  std::error_code ignored;
  if (!finding.known && !finding.saved.empty()) std::filesystem::remove(finding.saved, ignored);
}

class Exhaustion {
 public:
  Exhaustion(const std::vector<KernelInfo>& kernels, const std::vector<const Property*>& laws,
             const SearchOptions& options, const ScopePart& part, double total_seconds,
             const RunEvents& events)
      : options_(options), part_(part), total_seconds_(total_seconds), events_(events) {
    for (const KernelInfo& kernel : kernels) {
      const Scope& scope = *scopes_.emplace_back(std::make_unique<Scope>(DomainOf(kernel)));
      for (const Property* law : laws) AddCell(kernel, *law, scope);
    }
    search_events_ = {.judged =
                          [this](const Judgement& judgement) {
                            if (!events_.judged) return;
                            const std::lock_guard lock(mutex_);
                            events_.judged(judgement);
                          },
                      .found =
                          [this](const Finding& finding) {
                            const std::lock_guard lock(mutex_);
                            if (events_.found) events_.found(finding);
                          },
                      .stopped = {}};
  }

  /// One worker's share.
  void Work() {
    Worker worker;
    while (const auto piece = Take()) GiveBack(*piece, Judge(*piece, worker), worker);
    ++idle_;
  }

  void Report() {
    const std::lock_guard lock(mutex_);
    if (events_.progress) events_.progress(cases_, finished_);
  }
  bool AllIdle(int workers) const { return idle_ == workers; }

  /// After all workers have ended.
  ExhaustResult Finish(double seconds) {
    ExhaustResult result;
    int64_t left = kNone;
    for (size_t at = 0; at < cells_.size(); ++at) {
      left = std::min(left, FirstLeft(at));
      if (!making_[at]->finished && events_.finished) events_.finished(cells_[at]);
    }
    result.cells = std::move(cells_);
    result.cases = cases_;
    result.seconds = seconds;
    result.resume = left == kNone ? -1 : left;
    return result;
  }

 private:
  void AddCell(const KernelInfo& kernel, const Property& law, const Scope& scope) {
    Cell& cell = cells_.emplace_back();
    cell.kernel = &kernel;
    cell.law = &law;
    cell.inapplicable = Inapplicable(law, kernel);
    Making& making = *making_.emplace_back(std::make_unique<Making>());
    making.scope = &scope;
    making.end = cell.inapplicable.empty() ? EndOf(part_, scope.shapes()) : 0;
    making.finished = making.end <= part_.from;
    if (making.finished && cell.inapplicable.empty()) {
      cell.inapplicable = "its scope has no shape " + std::to_string(part_.from);
    }
    finished_ += making.finished;
    const int64_t shapes = std::max<int64_t>(0, making.end - part_.from);
    cell.scope = shapes * part_.manners;
    most_rounds_ = std::max(most_rounds_, (shapes + kPieceShapes - 1) / kPieceShapes);
  }

  bool Stopped() const { return total_seconds_ > 0 && SecondsSince(start_) > total_seconds_; }
  int64_t FromOf(int64_t round) const { return part_.from + round * kPieceShapes; }

  /// The first piece of each cell, then the second of each, and so on.
  std::optional<Piece> Take() {
    const std::lock_guard lock(mutex_);
    const auto cells = static_cast<int64_t>(cells_.size());
    for (; next_ < most_rounds_ * cells && !Stopped(); ++next_) {
      const auto at = static_cast<size_t>(next_ % cells);
      const int64_t from = FromOf(next_ / cells);
      Making& making = *making_[at];
      if (from >= making.end || from > making.failed) continue;
      making.open.insert(from);
      ++next_;
      return Piece{at, from, std::min(from + kPieceShapes, making.end)};
    }
    return std::nullopt;
  }

  PieceResult Judge(const Piece& piece, Worker& worker) {
    Making& making = *making_[piece.cell];
    PieceResult result;
    result.cell.kernel = cells_[piece.cell].kernel;
    result.cell.law = cells_[piece.cell].law;
    const auto start = Clock::now();
    for (int64_t shape = piece.from; shape < piece.to && shape < making.failed; ++shape) {
      if (Stopped()) {
        result.cut = shape;
        break;
      }
      if (JudgeShape(*making.scope, shape, worker, result.cell)) continue;
      result.failed = shape;
      break;
    }
    result.cell.seconds = SecondsSince(start);
    return result;
  }

  /// False if it failed. So many cases as manners are asked for go into `cell`, of which those are
  /// skipped that the shape has no manner for.
  bool JudgeShape(const Scope& scope, int64_t shape, Worker& worker, Cell& cell) {
    const uint64_t first = HashOf(cell.law->name) + static_cast<uint64_t>(shape);
    const int nth = static_cast<int>(shape - part_.from + 1);
    std::vector<Cell> skipped;
    int judged = 0;
    for (uint64_t turn = 0; turn < kManners && judged < part_.manners; ++turn) {
      const auto manner = static_cast<int64_t>((first + turn) % kManners);
      Cell one{.kernel = cell.kernel, .law = cell.law};
      const Case c = scope.At(shape * kManners + manner);
      const bool goes_on = JudgeInto(one, c, nth, worker, options_, search_events_);
      if (!one.skipped.empty()) {
        skipped.push_back(std::move(one));
        continue;
      }
      ++judged;
      Count(one, cell);
      cell.finding = std::move(one.finding);
      if (!goes_on) return false;
    }
    for (size_t n = 0; judged < part_.manners && n < skipped.size(); ++n, ++judged) {
      Count(skipped[n], cell);
    }
    return true;
  }

  void Count(const Cell& one, Cell& cell) {
    Add(one, cell);
    cases_.fetch_add(one.cases, std::memory_order_relaxed);
  }

  /// The finding stays the one of the lowest shape. Who gives back the last piece below it shrinks
  /// it; from then on it does not change.
  void GiveBack(const Piece& piece, PieceResult result, Worker& worker) {
    Making& making = *making_[piece.cell];
    Cell& cell = cells_[piece.cell];
    {
      const std::lock_guard lock(mutex_);
      Add(result.cell, cell);
      making.open.erase(piece.from);
      making.cut = std::min(making.cut, result.cut);
      if (result.failed < making.failed) {
        if (cell.finding) Forget(*cell.finding);
        cell.finding = std::move(result.cell.finding);
        making.failed = result.failed;
      } else if (result.cell.finding) {
        Forget(*result.cell.finding);
      }
      if (making.finished || !IsComplete(piece.cell)) return;
      making.finished = true;
    }
    const auto start = Clock::now();
    if (cell.finding) ShrinkFinding(*cell.finding, *cell.kernel, worker, options_);
    const std::lock_guard lock(mutex_);
    cell.seconds += SecondsSince(start);
    ++finished_;
    if (events_.finished) events_.finished(cell);
  }

  /// All pieces up to the failing case, or up to the end, have been given back.
  bool IsComplete(size_t at) const {
    const Making& making = *making_[at];
    if (!making.open.empty() && *making.open.begin() < making.failed) return false;
    return making.failed != kNone || FirstLeft(at) == kNone;
  }

  /// The lowest number of a cell that is not judged nor in work; none if it ended by failing.
  int64_t FirstLeft(size_t at) const {
    const Making& making = *making_[at];
    if (making.failed != kNone) return kNone;
    const auto cells = static_cast<int64_t>(cells_.size());
    const int64_t taken = next_ / cells + (static_cast<int64_t>(at) < next_ % cells ? 1 : 0);
    const int64_t left = std::min(making.cut, FromOf(taken));
    return left < making.end ? left : kNone;
  }

  const SearchOptions& options_;
  const ScopePart part_;
  const double total_seconds_;
  const RunEvents& events_;
  const Clock::time_point start_ = Clock::now();
  SearchEvents search_events_;
  std::vector<std::unique_ptr<Scope>> scopes_;
  std::vector<std::unique_ptr<Making>> making_;  // of cells_, in their order
  std::vector<Cell> cells_;
  int64_t most_rounds_ = 0;  // pieces of the largest cell
  int64_t next_ = 0;         // piece to be taken: a round over all cells after the other
  std::mutex mutex_;
  std::atomic<int64_t> cases_ = 0;
  std::atomic<size_t> finished_ = 0;
  std::atomic<int> idle_ = 0;
};

}  // namespace

int64_t ShapesWithin(const KernelInfo& kernel, const ScopePart& part) {
  return std::max<int64_t>(0, EndOf(part, Scope(DomainOf(kernel)).shapes()) - part.from);
}

ExhaustResult Exhaust(const std::vector<KernelInfo>& kernels,
                      const std::vector<const Property*>& laws, const SearchOptions& options,
                      const ScopePart& part, int jobs, double total_seconds,
                      const RunEvents& events) {
  const auto start = Clock::now();
  Exhaustion exhaustion(kernels, laws, options, part, total_seconds, events);
  std::vector<std::thread> threads;
  for (int j = 0; j < std::max(1, jobs); ++j) {
    threads.emplace_back([&] { exhaustion.Work(); });
  }
  while (!exhaustion.AllIdle(static_cast<int>(threads.size()))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    exhaustion.Report();
  }
  for (std::thread& thread : threads) thread.join();
  return exhaustion.Finish(SecondsSince(start));
}

}  // namespace padproof
