#include "harness/drivers/run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

namespace padproof {
namespace {

using Clock = std::chrono::steady_clock;

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

RunResult Run(const std::vector<KernelInfo>& kernels, const std::vector<const Property*>& laws,
              const SearchOptions& options, int jobs, double total_seconds,
              const RunEvents& events) {
  RunResult result;
  result.cells.resize(kernels.size() * laws.size());
  std::atomic<size_t> next = 0, finished = 0;
  std::atomic<int64_t> cases = 0;
  std::mutex mutex;
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
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
    for (size_t at = next++; at < result.cells.size(); at = next++) {
      result.cells[at] = Search(kernels[at / laws.size()], *laws[at % laws.size()], worker, options,
                                search_events);
      ++finished;
      const std::lock_guard lock(mutex);
      if (events.finished) events.finished(result.cells[at]);
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
