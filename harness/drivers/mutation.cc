#include "harness/drivers/mutation.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "harness/base/file.h"
#include "harness/base/seconds.h"
#include "harness/drivers/catalogue.h"

namespace padproof {
namespace {

/// The rows of a library that are asked for, by the names they have without an edit.
Result<std::vector<KernelInfo>> RowsIn(const std::string& library, const std::string& patterns,
                                       Worker& worker) {
  auto rows = worker.Load(library);
  if (!rows) return rows.error();
  std::erase_if(*rows,
                [&](const KernelInfo& row) { return !MatchesAny(patterns, WithoutMutant(row)); });
  return rows;
}

/// What one thread has: a compiler and a worker process. `kernel` counts the plan's kernels.
class Bench {
 public:
  Bench(const MutationPlan& plan, const KernelRecipe& recipe, const std::string& header,
        const std::string& folder)
      : plan_(plan), compiler_(recipe, folder, header) {}

  KernelCompiler& compiler() { return compiler_; }

  /// An error is the harness's; nothing: the time was over.
  Result<std::optional<Fate>> Try(const std::string& text, size_t kernel, Mutation& mutation,
                                  const std::function<bool()>& stopped) {
    const auto start = Clock::now();
    const Surroundings& around = plan_.kernels[kernel];
    const std::string original = Original(kernel);
    const auto built =
        compiler_.Build(around.With(text), around.kernel_file,
                        std::filesystem::exists(original) ? original : std::string());
    mutation.compile_seconds += SecondsSince(start);
    if (!built) return built.error();
    if (*built == Built::does_not_compile) return std::optional(Fate::no_compile);
    if (*built == Built::same_code) return std::optional(Fate::same_code);
    return Run(mutation, stopped);
  }

  std::string Original(size_t kernel) const {
    return plan_.folder + "/original" + std::to_string(kernel) + ".o";
  }

 private:
  Result<std::optional<Fate>> Run(Mutation& mutation, const std::function<bool()>& stopped) {
    const auto start = Clock::now();
    worker_.Stop();  // the library of the edit before has the same path
    const auto rows = RowsIn(compiler_.library(), plan_.rows, worker_);
    if (!rows) {
      mutation.kill =
          Kill{.law = "loading", .kernel = {}, .kind = rows.error().message, .line = {}};
      return std::optional(Fate::killed);
    }
    const Hunted hunted = Hunt(*rows, plan_.laws, worker_, plan_.search, stopped);
    mutation.run_seconds += SecondsSince(start);
    if (!hunted.error.empty()) return Error{hunted.error};
    if (hunted.cut_short) return std::optional<Fate>();
    if (hunted.kill) mutation.kill = *hunted.kill;
    return std::optional(hunted.kill ? Fate::killed : Fate::survived);
  }

  const MutationPlan& plan_;
  KernelCompiler compiler_;
  Worker worker_;
};

class Trial {
 public:
  Trial(const MutationPlan& plan, const std::vector<Edit>& edits, const MutationEvents& events)
      : plan_(plan), edits_(edits), events_(events), done_(edits.size()) {}

  Result<Tried> Run() {
    auto recipe = ReadKernelRecipe();
    if (!recipe) return recipe.error();
    recipe->compile.insert(recipe->compile.end(), plan_.flags.begin(), plan_.flags.end());
    namespace fs = std::filesystem;
    std::error_code error;
    fs::create_directories(plan_.folder, error);
    const FolderLock lock(plan_.folder);
    if (!lock.held()) {
      return Tried{.mutations = {},
                   .refused = plan_.folder +
                              ": in use by another run, or not to be written; "
                              "choose another with --folder"};
    }
    const auto header = PrecompiledHeader(*recipe, fs::path(plan_.folder).parent_path().string());
    if (!header) return header.error();
    for (int n = 0; n < std::max(1, plan_.jobs); ++n) {
      const std::string folder = plan_.folder + "/" + std::to_string(n);
      fs::create_directories(folder, error);
      if (error) return Error{folder + ": cannot be made: " + error.message()};
      benches_.push_back(std::make_unique<Bench>(plan_, *recipe, *header, folder));
    }
    for (size_t kernel = 0; kernel < plan_.kernels.size(); ++kernel) {
      const auto refused = Baseline(kernel);
      if (!refused) return refused.error();
      if (!refused->empty()) return Tried{.mutations = {}, .refused = *refused};
    }
    std::vector<std::thread> threads;
    for (const auto& bench : benches_) threads.emplace_back([&] { Work(*bench); });
    for (std::thread& thread : threads) thread.join();
    if (!error_.empty()) return Error{error_};
    Tried tried;
    for (auto& done : done_) {
      if (done) tried.mutations.push_back(std::move(*done));
    }
    return tried;
  }

 private:
  /// The source as it is: why it is refused, or "".
  Result<std::string> Baseline(size_t kernel) {
    Bench& bench = *benches_[0];
    const std::string& file = plan_.kernels[kernel].kernel_file;
    std::error_code error;
    std::filesystem::remove(bench.Original(kernel), error);
    Mutation original;
    original.edit.id = "original." + std::to_string(kernel);
    Mutation earlier = original;
    const bool known = events_.known && events_.known(earlier);
    // The object of the original is needed either way, the laws only once.
    const auto fate = bench.Try(plan_.source, kernel, original, [&] { return known; });
    if (!fate) return fate.error();
    if (*fate == Fate::no_compile) {
      return file + ": does not compile as it is: " + bench.compiler().Messages(3);
    }
    if (*fate == Fate::killed) {
      return file + ": " + original.kill.law + " fails without any edit" +
             (original.kill.line.empty() ? ": " + original.kill.kind : "") +
             "; mend that first (padproof check)";
    }
    Worker worker;
    const auto rows = RowsIn(bench.compiler().library(), plan_.rows, worker);
    if (!rows) return rows.error();
    if (rows->empty()) return file + ": no row matches '" + plan_.rows + "'";
    std::filesystem::copy_file(bench.compiler().object(), bench.Original(kernel),
                               std::filesystem::copy_options::overwrite_existing, error);
    if (error) return Error{bench.Original(kernel) + ": cannot be written: " + error.message()};
    original.fate = Fate::survived;
    if (*fate && !known) events_.tried(original, false);
    return std::string();
  }

  bool TimeIsOver() const { return plan_.seconds > 0 && SecondsSince(start_) > plan_.seconds; }

  void Work(Bench& bench) {
    for (size_t at = next_++; at < edits_.size() && !TimeIsOver(); at = next_++) {
      Mutation mutation{.edit = edits_[at], .kill = {}};
      {
        const std::lock_guard lock(mutex_);
        if (!error_.empty()) return;
        if (events_.known && events_.known(mutation)) {
          events_.tried(mutation, true);
          done_[at] = std::move(mutation);
          continue;
        }
      }
      const auto whole = TryAll(bench, mutation);
      const std::lock_guard lock(mutex_);
      if (!whole) error_ = whole.error().message;
      if (!whole || !*whole) return;
      events_.tried(mutation, false);
      done_[at] = std::move(mutation);
    }
  }

  /// Through every kernel until one of them shows it. False: the time was over.
  Result<bool> TryAll(Bench& bench, Mutation& mutation) {
    const std::string text = Applied(mutation.edit, plan_.source);
    mutation.fate = Fate::no_compile;
    for (size_t kernel = 0; kernel < plan_.kernels.size(); ++kernel) {
      const auto fate = bench.Try(text, kernel, mutation, [&] { return TimeIsOver(); });
      if (!fate) return fate.error();
      if (!*fate) return false;
      mutation.fate = std::min(mutation.fate, **fate);  // killed is the least
      if (mutation.fate == Fate::killed) return true;
    }
    return true;
  }

  const MutationPlan& plan_;
  const std::vector<Edit>& edits_;
  const MutationEvents& events_;
  const Clock::time_point start_ = Clock::now();
  std::vector<std::unique_ptr<Bench>> benches_;
  std::vector<std::optional<Mutation>> done_;
  std::atomic<size_t> next_ = 0;
  std::mutex mutex_;
  std::string error_;
};

}  // namespace

Result<Tried> TryEdits(const MutationPlan& plan, const std::vector<Edit>& edits,
                       const MutationEvents& events) {
  return Trial(plan, edits, events).Run();
}

}  // namespace padproof
