#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "harness/case/enumerate.h"
#include "harness/cli/commands.h"
#include "harness/cli/known_failures.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/exhaust.h"
#include "harness/drivers/run.h"
#include "harness/report/failure.h"
#include "harness/report/progress.h"
#include "harness/report/table.h"

namespace padproof {
namespace {

struct CheckFlags : SearchFlags {
  Ledger ledger;
  bool json = false;
  bool verbose = false;
  bool exhaustive = false;
  bool cases_given = false;  // --cases and --seed as they were typed, not by default
  bool seed_given = false;
  int64_t from = 0;
  int manners = 1;
};

int ExitCodeOf(const RunResult& result) {
  if (result.any_error()) return kExitHarness;
  return result.any_failure() || result.any_vacuous() ? kExitFails : kExitHolds;
}

using Kernels = std::vector<KernelInfo>;
using Laws = std::vector<const Property*>;

RunEvents Show(Progress& progress, bool silent) {
  if (silent) return {};
  return {.judged = {},
          .found = [&](const Finding& f) { progress.Print(FoundLine(f)); },
          .finished =
              [&](const Cell& cell) {
                if (cell.finding) progress.Print("\n" + Report(*cell.finding) + "\n");
              },
          .progress = [&](int64_t cases, size_t cells) { progress.Show(cases, cells); }};
}

void PrintEnd(const RunResult& result, const Kernels& kernels, const Laws& laws,
              const CheckFlags& flags) {
  if (flags.json) {
    fmt::print("{}", TableJson(result));
  } else {
    fmt::print("{}", Table(result, kernels, laws, flags.verbose));
    PrintKnown(result, flags.ledger);
    fmt::print("{}", Conclusion(result));
  }
}

SearchOptions OptionsFor(const CheckFlags& flags) {
  SearchOptions options = OptionsOf(flags);
  options.known = &flags.ledger;
  return options;
}

int CheckDrawn(const CheckFlags& flags, const Kernels& kernels, const Laws& laws) {
  const SearchOptions options = OptionsFor(flags);
  const int jobs = JobsOf(flags.jobs);
  if (!flags.json) {
    fmt::print("padproof check: seed {}, {} kernels, {} laws, {} cases a cell, {} jobs\n",
               options.seed, kernels.size(), laws.size(), options.cases, jobs);
  }
  Progress progress(flags.json ? 0 : kernels.size() * laws.size());
  const RunResult result =
      Run(kernels, laws, options, jobs, flags.seconds, Show(progress, flags.json));
  progress.Clear();
  PrintEnd(result, kernels, laws, flags);
  return ExitCodeOf(result);
}

int CheckExhaustive(const CheckFlags& flags, const Kernels& kernels, const Laws& laws) {
  const ScopePart part{.from = flags.from,
                       .count = flags.cases_given ? flags.cases : INT64_MAX,
                       .manners = flags.manners};
  int64_t cells = 0, cases = 0;
  for (const KernelInfo& kernel : kernels) {
    const int64_t within = ShapesWithin(kernel, part) * flags.manners;
    for (const Property* law : laws) {
      if (!Inapplicable(*law, kernel).empty()) continue;
      cells += 1;
      cases += within;
    }
  }
  if (cases == 0) {
    return Complain("no scope has a shape " + std::to_string(flags.from) + "; try a lower --from",
                    kExitUsage);
  }
  const int jobs = JobsOf(flags.jobs);
  if (!flags.json) {
    fmt::print("padproof check --exhaustive: {} kernels, {} laws, {} cells, {} cases, {} jobs\n",
               kernels.size(), laws.size(), cells, cases, jobs);
  }
  Progress progress(flags.json ? 0 : kernels.size() * laws.size(), cases);
  const ExhaustResult result = Exhaust(kernels, laws, OptionsFor(flags), part, jobs, flags.seconds,
                                       Show(progress, flags.json));
  progress.Clear();
  PrintEnd(result, kernels, laws, flags);
  if (result.resume >= 0 && !flags.json) {
    fmt::print(
        "the time was over: shape {} is the first that some cell has not judged; go on with "
        "--from {}\n",
        result.resume, result.resume);
  }
  return ExitCodeOf(result);
}

int Check(CheckFlags& flags) {
  if (flags.exhaustive && flags.seed_given) {
    return Complain("--exhaustive draws nothing: leave --seed out", kExitUsage);
  }
  const auto laws = FindLaws(flags.laws);
  if (!laws) return Complain(laws.error().message, kExitUsage);
  const auto ledger = ReadLedger(CorporaOf(flags));
  if (!ledger) return Complain(ledger.error().message, kExitUsage);
  flags.ledger = *ledger;
  Worker worker;
  auto kernels = FindKernels(flags.kernels, worker);
  if (!kernels) return Complain(kernels.error().message, kExitUsage);
  const std::vector<KernelInfo> missing = TakeMissing(*kernels);
  int exit_code = kExitHolds;
  if (!kernels->empty() || missing.empty()) {
    exit_code = flags.exhaustive ? CheckExhaustive(flags, *kernels, *laws)
                                 : CheckDrawn(flags, *kernels, *laws);
    exit_code = std::max(exit_code, JudgeKnown(*ledger, *kernels, *laws, worker, flags.deadline));
  }
  return ReportMissing(missing, exit_code, flags.json);
}

}  // namespace

void AddCheck(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* command =
      app.add_subcommand("check", "every law on every kernel, with random cases or all small ones");
  AddFilterFlags(*command, *flags);
  AddBudgetFlags(*command, *flags);
  AddTimeFlag(*command, flags->seconds);
  AddSaveFlags(*command, *flags);
  CLI::Option* exhaustive =
      command->add_flag("--exhaustive", flags->exhaustive,
                        "judge each small shape (some 10^4 a kernel) under each law instead of "
                        "drawing; then --cases is how many of them from --from on (default: all), "
                        "and --seed is refused");
  command->add_option("--from", flags->from, "number of the first shape of the scope")
      ->check(CLI::Range(int64_t{0}, INT64_MAX))
      ->needs(exhaustive);
  command
      ->add_option(
          "--manners", flags->manners,
          "in how many of its manners (dtype, layout, fill, features) a law judges a shape")
      ->capture_default_str()
      ->check(CLI::Range(1, kManners))
      ->needs(exhaustive);
  command->add_flag("--json", flags->json, "the result as JSON on stdout");
  command->add_flag("--verbose,-v", flags->verbose, "say why cases were skipped");
  command->callback([flags, command, &exit_code] {
    flags->cases_given = command->count("--cases") > 0;
    flags->seed_given = command->count("--seed") > 0;
    exit_code = Check(*flags);
  });
}

}  // namespace padproof
