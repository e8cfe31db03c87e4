#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/run.h"
#include "harness/report/failure.h"
#include "harness/report/progress.h"
#include "harness/report/table.h"

namespace padproof {
namespace {

struct CheckFlags : SearchFlags {
  bool json = false;
  bool verbose = false;
};

int ExitCodeOf(const RunResult& result) {
  if (result.any_error()) return kExitHarness;
  return result.any_failure() || result.any_vacuous() ? kExitFails : kExitHolds;
}

int Check(const CheckFlags& flags) {
  const auto laws = FindLaws(flags.laws);
  if (!laws) return Complain(laws.error().message, kExitUsage);
  Worker worker;
  const auto kernels = FindKernels(flags.kernels, worker);
  if (!kernels) return Complain(kernels.error().message, kExitUsage);
  const SearchOptions options = OptionsOf(flags);
  const int jobs = JobsOf(flags.jobs);
  if (!flags.json) {
    fmt::print("padproof check: seed {}, {} kernels, {} laws, {} cases a cell, {} jobs\n",
               options.seed, kernels->size(), laws->size(), options.cases, jobs);
  }
  Progress progress(flags.json ? 0 : kernels->size() * laws->size());
  const RunEvents events{
      .found =
          [&](const Finding& f) {
            if (!flags.json) progress.Print(FoundLine(f));
          },
      .finished =
          [&](const Cell& cell) {
            if (!flags.json && cell.finding) progress.Print("\n" + Report(*cell.finding) + "\n");
          },
      .progress = [&](int64_t cases, size_t cells) { progress.Show(cases, cells); }};
  const RunResult result = Run(*kernels, *laws, options, jobs, flags.seconds, events);
  progress.Clear();
  if (flags.json) {
    fmt::print("{}", TableJson(result));
  } else {
    fmt::print("{}{}", Table(result, *kernels, *laws, flags.verbose), Conclusion(result));
  }
  return ExitCodeOf(result);
}

}  // namespace

void AddCheck(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* command = app.add_subcommand("check", "every law on every kernel, with random cases");
  AddSearchFlags(*command, *flags);
  command->add_flag("--json", flags->json, "the result as JSON on stdout");
  command->add_flag("--verbose,-v", flags->verbose, "say why cases were skipped");
  command->callback([flags, &exit_code] { exit_code = Check(*flags); });
}

}  // namespace padproof
