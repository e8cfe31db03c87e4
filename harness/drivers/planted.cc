#include "harness/drivers/planted.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <thread>

#include "harness/base/file.h"
#include "harness/base/seconds.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

Result<Mutant> ReadMutant(const std::string& name) {
  const std::string path =
      (std::filesystem::path(SourceDirectory()) / "kernels/mutants" / (name + ".mutant")).string();
  const auto text = ReadFile(path);
  if (!text) return Error{path + ": cannot be read; mutants are built from it"};
  return ParseMutant(path, *text);
}

bool HasBug(const Mutant& mutant, const KernelInfo& row) {
  return mutant.rows.empty() || MatchesAny(mutant.rows, WithoutMutant(row));
}

// The law that is expected to kill it comes first: the others run only if it does not.
std::vector<const Property*> ExpectedFirst(std::vector<const Property*> laws,
                                           const std::string& expected) {
  const auto first = std::find_if(laws.begin(), laws.end(),
                                  [&](const Property* law) { return expected == law->name; });
  if (first != laws.end()) std::rotate(laws.begin(), first, first + 1);
  return laws;
}

class Trial {
 public:
  Trial(const PlantedBug& bug, const PlantedPlan& plan, Worker& worker)
      : bug_(bug), plan_(plan), worker_(worker) {
    result_.bug = &bug;
  }

  PlantedResult Run() {
    const auto start = Clock::now();
    for (int n = 0; n < plan_.seeds && result_.error.empty(); ++n) {
      result_.attempts.push_back(TryToKill(plan_.search.seed + static_cast<uint64_t>(n)));
    }
    if (plan_.matrix) FillMatrix();
    result_.seconds = SecondsSince(start);
    return std::move(result_);
  }

 private:
  Cell SearchWith(const Property& law, uint64_t seed, bool shrinks) {
    SearchOptions options = plan_.search;
    options.seed = seed;
    if (!shrinks) options.shrink.tries = 0;
    const Cell cell = Search(bug_.row, law, worker_, options, {});
    if (!cell.error.empty()) result_.error = cell.error;
    return cell;
  }

  Attempt TryToKill(uint64_t seed) {
    for (const Property* law : ExpectedFirst(plan_.laws, bug_.mutant.killed_by)) {
      const Cell cell = SearchWith(*law, seed, plan_.seeds == 1);
      if (!cell.error.empty()) return {};
      if (!cell.finding) continue;
      return {.law = law, .cases = cell.finding->cases, .line = Print(cell.finding->entry.c)};
    }
    return {};
  }

  void FillMatrix() {
    for (const Property* law : plan_.laws) {
      if (!result_.error.empty()) return;
      const Cell cell = SearchWith(*law, plan_.search.seed, false);
      result_.matrix.push_back(!cell.inapplicable.empty() ? PlantedResult::kSaysNothing
                               : cell.finding             ? cell.finding->cases
                                                          : PlantedResult::kHolds);
    }
  }

  const PlantedBug& bug_;
  const PlantedPlan& plan_;
  Worker& worker_;
  PlantedResult result_;
};

}  // namespace

Result<std::vector<PlantedBug>> FindPlantedBugs(const std::string& glob, const std::string& kernels,
                                                Worker& worker) {
  std::vector<PlantedBug> bugs;
  if (MutantFiles().empty()) {
    return Error{"no mutant is built: " + ExecutableDirectory() +
                 "/mutants is empty; run cmake --build --preset check"};
  }
  for (const std::string& file : MutantFiles()) {
    const std::string name = Stem(file);
    if (!GlobMatch(glob, name)) continue;
    const auto mutant = ReadMutant(name);
    if (!mutant) return mutant.error();
    const auto rows = FindKernels(mutant->kernel + "*~" + name + "@*", worker);
    if (!rows) return rows.error();
    bool known = false;
    for (const KernelInfo& row : *rows) {
      if (!HasBug(*mutant, row)) continue;
      known = true;
      if (MatchesAny(kernels, WithoutMutant(row))) bugs.push_back({*mutant, row});
    }
    if (!known) {
      return Error{mutant->path + ": no row matches 'rows: " + mutant->rows + "'"};
    }
    worker.Stop();  // a process holds the libraries of one mutant, not of all
  }
  if (bugs.empty()) {
    return Error{"no mutant matches '" + glob + "' in a kernel that matches '" + kernels +
                 "'; see 'padproof list --mutants'"};
  }
  return bugs;
}

int PlantedResult::survived() const {
  return static_cast<int>(std::count_if(attempts.begin(), attempts.end(),
                                        [](const Attempt& a) { return !a.killed(); }));
}

int PlantedResult::misnamed() const {
  return static_cast<int>(std::count_if(attempts.begin(), attempts.end(), [&](const Attempt& a) {
    return a.killed() && bug->mutant.killed_by != a.law->name;
  }));
}

std::vector<int> PlantedResult::cases() const {
  std::vector<int> cases;
  for (const Attempt& attempt : attempts) {
    if (attempt.killed()) cases.push_back(attempt.cases);
  }
  return cases;
}

std::vector<PlantedResult> RunPlanted(const std::vector<PlantedBug>& bugs, const PlantedPlan& plan,
                                      const std::function<void(const PlantedResult&)>& done) {
  std::vector<PlantedResult> results(bugs.size());
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  const auto work = [&] {
    for (size_t at = next++; at < bugs.size(); at = next++) {
      Worker worker;
      results[at] = Trial(bugs[at], plan, worker).Run();
      const std::lock_guard lock(mutex);
      done(results[at]);
    }
  };
  std::vector<std::thread> threads;
  for (int j = 0; j < std::max(1, plan.jobs); ++j) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return results;
}

}  // namespace padproof
