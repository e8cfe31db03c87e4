// `padproof bench bounds`: how near the adversary comes to the oracle's bound. A ratio above 1 is a
// bound that accuses a correct kernel: the command fails and prints the line that replays it.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <mutex>

#include "harness/cli/bench.h"
#include "harness/cli/commands.h"
#include "reference/emulation/climb.h"
#include "reference/emulation/survey.h"

namespace padproof {
namespace {

using namespace reference;  // NOLINT: this file is about nothing else

constexpr std::array<Dtype, 3> kDtypes{Dtype::f32, Dtype::f16, Dtype::bf16};

struct BoundsFlags {
  int64_t runs = 12000;
  int64_t backward_runs = 2400;
  double climb = 20;
  std::string seed;
  int jobs = 0;
  std::string replay;
};

void PrintSurvey(const char* title, const Survey& survey, Target first, Target last) {
  fmt::print("\n{}: largest ratio, f32 / f16 / bf16\n{:<22}", title, "");
  for (int t = static_cast<int>(first); t <= static_cast<int>(last); ++t) {
    fmt::print("{:<24}", reference::NameOf(static_cast<Target>(t)));
  }
  fmt::print("\n");
  for (size_t f = 0; f < kFamilies; ++f) {
    fmt::print("{:<22}", reference::NameOf(static_cast<Family>(f)));
    for (size_t t = static_cast<size_t>(first); t <= static_cast<size_t>(last); ++t) {
      std::string cell;
      for (size_t d = 0; d < kDtypes.size(); ++d) {
        cell += fmt::format("{}{:.3f}", d == 0 ? "" : " / ", survey.worst[f][d][t]);
      }
      fmt::print("{:<24}", cell);
    }
    fmt::print("\n");
  }
}

void PrintTotals(const char* title, const Survey& survey) {
  fmt::print("{}: {} runs ({} of n >= 1024), {} elements, {} violations\n", title, survey.runs,
             survey.long_runs, survey.elements, survey.violations);
  for (const std::string& run : survey.violators) {
    fmt::print("  VIOLATION  padproof bench bounds --replay '{}'\n", run);
  }
}

/// Climbs towards one target in one storage type until the time is up; the best of them.
struct Hill {
  Climb best;
  ClimbStart start;  // of the best
  int64_t evaluations = 0;
};

Hill ClimbHill(Target target, Dtype dtype, uint64_t seed, double seconds, int jobs) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  constexpr int64_t kUntilTheEnd = int64_t{1} << 40;
  Hill hill;
  std::mutex mutex;
  InParallel(kUntilTheEnd, jobs, [&](int64_t index, int) {
    const ClimbStart start{target, dtype, HashOf({seed, static_cast<uint64_t>(index)}) >> 32,
                           /*variants=*/index % 2 == 1};
    const Climb climb = ClimbFrom(start);
    const std::lock_guard lock(mutex);
    hill.evaluations += climb.evaluations;
    if (!(climb.best <= hill.best.best)) {
      hill.best = climb;
      hill.start = start;
    }
    return Clock::now() < end;
  });
  return hill;
}

/// True if no climb left the bound.
bool PrintClimbs(const BoundsFlags& flags, uint64_t seed, int jobs) {
  fmt::print("\nhill climbing: {:<15}{:<6}{:>12}  {:<8}{}\n", "target", "dtype", "evaluations",
             "best", "where");
  bool holds = true;
  int64_t evaluations = 0;
  for (int t = 0; t < kTargets; ++t) {
    for (Dtype dtype : kDtypes) {
      const Hill hill =
          ClimbHill(static_cast<Target>(t), dtype, seed, flags.climb / (kTargets * 3.0), jobs);
      evaluations += hill.evaluations;
      holds = holds && hill.best.best <= 1;
      fmt::print("               {:<15}{:<6}{:>12}  {:<8.4f}{} on {}\n",
                 reference::NameOf(static_cast<Target>(t)), padproof::NameOf(dtype),
                 hill.evaluations, hill.best.best, hill.best.kernel, hill.best.inputs);
      if (hill.best.best <= 1) continue;
      fmt::print("  VIOLATION  padproof bench bounds --replay 'climb {}'\n", Print(hill.start));
    }
  }
  fmt::print("{} evaluations\n", evaluations);
  return holds;
}

int Replay(const std::string& text) {
  ClimbStart start;
  if (text.rfind("climb ", 0) == 0 && Parse(text.substr(6), start)) {
    const Climb climb = ClimbFrom(start);
    fmt::print("{:.6f}  {} on {}\n", climb.best, climb.kernel, climb.inputs);
    return climb.best <= 1 ? kExitHolds : kExitFails;
  }
  Attack attack;
  if (!Parse(text, attack)) {
    return Complain(
        "not 'kernel family dtype forward|backward queries keys dim seed [variants]' nor "
        "'climb target dtype seed [variants]': " +
            text,
        kExitUsage);
  }
  const Ratios ratios = Judge(attack);
  for (int t = 0; t < kTargets; ++t) {
    const double ratio = ratios.of(static_cast<Target>(t));
    if (ratio != 0) fmt::print("{:.6f}  {}\n", ratio, reference::NameOf(static_cast<Target>(t)));
  }
  return ratios.largest() <= 1 ? kExitHolds : kExitFails;
}

int Bounds(const BoundsFlags& flags) {
  if (!flags.replay.empty()) return Replay(flags.replay);
  const uint64_t seed = SeedFrom(flags.seed);
  const int jobs = JobsOf(flags.jobs);
  const Survey forward = SurveyOf(seed, flags.runs, false, jobs);
  const Survey backward = SurveyOf(seed, flags.backward_runs, true, jobs);
  fmt::print("padproof bench bounds: seed {}, {} kernels, {} families\n", seed,
             EmulatedKernels().size(), kFamilies);
  PrintSurvey("forward", forward, Target::o, Target::row_sum);
  PrintSurvey("backward", backward, Target::dq, Target::dsink);
  PrintSurvey("backward given O and LSE", backward, Target::stored_dq, Target::stored_dsink);
  fmt::print("\n");
  PrintTotals("forward", forward);
  PrintTotals("backward", backward);
  const bool climbs = flags.climb <= 0 || PrintClimbs(flags, seed, jobs);
  return climbs && forward.violations + backward.violations == 0 ? kExitHolds : kExitFails;
}

}  // namespace

void AddBenchBounds(CLI::App& bench, int& exit_code) {
  auto flags = std::make_shared<BoundsFlags>();
  CLI::App* command = bench.add_subcommand(
      "bounds", "how near correct kernels come to the oracle's bound; above 1 it is wrong");
  command->add_option("--runs", flags->runs, "forwards of a kernel on a head")
      ->check(CLI::Range(0, 1000000000))
      ->capture_default_str();
  command->add_option("--backward-runs", flags->backward_runs, "the same with gradients")
      ->check(CLI::Range(0, 1000000000))
      ->capture_default_str();
  command->add_option("--climb", flags->climb, "seconds of hill climbing; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  AddSeedFlag(*command, flags->seed);
  command->add_option("--jobs", flags->jobs, "threads; 0: one a core")->check(CLI::Range(0, 1024));
  command->add_option("--replay", flags->replay, "judges one printed line again");
  command->callback([flags, &exit_code] { exit_code = Bounds(*flags); });
}

}  // namespace padproof
