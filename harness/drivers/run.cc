#include "harness/drivers/run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

#include "harness/base/seconds.h"

namespace padproof {
namespace {

bool AnyCell(const RunResult& result, bool (*test)(const Cell&)) {
  return std::any_of(result.cells.begin(), result.cells.end(), test);
}

}  // namespace

bool RunResult::any_failure() const {
  return AnyCell(*this, [](const Cell& c) { return c.finding.has_value(); });
}
bool RunResult::any_vacuous() const {
  return AnyCell(*this, [](const Cell& c) { return c.vacuous(); });
}
bool RunResult::any_error() const {
  return AnyCell(*this, [](const Cell& c) { return !c.error.empty(); });
}

namespace {

/// Which cell is searched next. Without a limit of time one cell after another; with one, all cells
/// a little, then all of them further, so that whenever the time is up none is left out.
class Turns {
 public:
  Turns(std::vector<Cell>& cells, int cases, bool limited)
      : cells_(cells), cases_(cases), limited_(limited), states_(cells.size(), State::waiting) {}

  struct Turn {
    Cell* cell;
    int to;
  };

  std::optional<Turn> Take() {
    const std::lock_guard lock(mutex_);
    size_t least = cells_.size();
    for (size_t at = 0; at < cells_.size(); ++at) {
      if (states_[at] != State::waiting) continue;
      if (least == cells_.size() || cells_[at].cases < cells_[least].cases) least = at;
    }
    if (least == cells_.size()) return std::nullopt;
    states_[least] = State::taken;
    const int from = cells_[least].cases;
    return Turn{&cells_[least],
                limited_ ? std::min(cases_, from + std::max(from, kFirst)) : cases_};
  }

  void GiveBack(const Turn& turn, bool goes_on) {
    const std::lock_guard lock(mutex_);
    states_[static_cast<size_t>(turn.cell - cells_.data())] =
        goes_on ? State::waiting : State::over;
  }

 private:
  enum class State { waiting, taken, over };
  static constexpr int kFirst = 10;  // cases; then as many as there were before

  std::vector<Cell>& cells_;
  const int cases_;
  const bool limited_;
  std::vector<State> states_;
  std::mutex mutex_;
};

std::vector<Cell> CellsOf(const std::vector<KernelInfo>& kernels,
                          const std::vector<const Property*>& laws) {
  std::vector<Cell> cells;
  for (const KernelInfo& kernel : kernels) {
    for (const Property* law : laws) {
      cells.push_back({.kernel = &kernel, .law = law, .inapplicable = Inapplicable(*law, kernel)});
    }
  }
  return cells;
}

}  // namespace

RunResult Run(const std::vector<KernelInfo>& kernels, const std::vector<const Property*>& laws,
              const SearchOptions& options, int jobs, double total_seconds,
              const RunEvents& events) {
  RunResult result;
  result.cells = CellsOf(kernels, laws);
  Turns turns(result.cells, options.cases, total_seconds > 0);
  std::atomic<size_t> finished = 0;
  std::atomic<int64_t> cases = 0;
  std::mutex mutex;
  const auto start = Clock::now();
  const auto elapsed = [&] { return SecondsSince(start); };
  const SearchEvents search_events{
      .judged =
          [&](const Judgement& judgement) {
            cases.fetch_add(1, std::memory_order_relaxed);
            if (!events.judged) return;
            const std::lock_guard lock(mutex);
            events.judged(judgement);
          },
      .found =
          [&](const Finding& finding) {
            const std::lock_guard lock(mutex);
            if (events.found) events.found(finding);
          },
      .stopped = [&] { return total_seconds > 0 && elapsed() > total_seconds; }};

  const auto work = [&] {
    Worker worker;
    while (const auto turn = turns.Take()) {
      Cell& cell = *turn->cell;
      const bool goes_on =
          cell.inapplicable.empty() && SearchOn(cell, turn->to, worker, options, search_events);
      turns.GiveBack(*turn, goes_on);
      if (goes_on) continue;
      ++finished;
      const std::lock_guard lock(mutex);
      if (events.finished) events.finished(cell);
    }
  };
  std::vector<std::thread> threads;
  for (int j = 0; j < std::max(1, jobs); ++j) threads.emplace_back(work);
  while (finished < result.cells.size()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::lock_guard lock(mutex);
    if (events.progress) events.progress(cases, finished);
  }
  for (std::thread& thread : threads) thread.join();
  result.cases = cases;
  result.seconds = elapsed();
  return result;
}

}  // namespace padproof
