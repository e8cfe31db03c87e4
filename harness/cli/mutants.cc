#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/planted.h"
#include "harness/report/planted_report.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

struct MutantFlags : SearchFlags {
  std::string only = "*";
  int seeds = 1;
  bool matrix = false;
  bool one_row = false;
  bool json = false;
};

/// Of each mutant the first.
void KeepOneRow(std::vector<PlantedBug>& bugs) {
  const auto same = [](const PlantedBug& a, const PlantedBug& b) {
    return a.mutant.name == b.mutant.name;
  };
  bugs.erase(std::unique(bugs.begin(), bugs.end(), same), bugs.end());
}

int RunMutants(const MutantFlags& flags) {
  const auto laws = FindLaws(flags.laws);
  if (!laws) return Complain(laws.error().message, kExitUsage);
  Worker worker;
  auto bugs = FindPlantedBugs(flags.only, flags.kernels, worker);
  if (!bugs) return Complain(bugs.error().message, kExitUsage);
  if (flags.one_row) KeepOneRow(*bugs);
  PlantedPlan plan{.laws = *laws,
                   .search = OptionsOf(flags),
                   .seeds = flags.seeds,
                   .matrix = flags.matrix,
                   .jobs = JobsOf(flags.jobs)};
  plan.search.corpora.clear();  // findings about planted bugs are not news
  const auto results = RunPlanted(*bugs, plan, [&](const PlantedResult& result) {
    if (!flags.json) fmt::print("{}", PlantedLine(result));
  });
  for (const PlantedResult& result : results) {
    if (!result.error.empty()) return Complain(result.error, kExitHarness);
  }
  // With all laws at hand, another killer means that a file claims what is not so.
  const bool all_laws = laws->size() == Properties().size();
  if (flags.json) {
    fmt::print("{}", PlantedJson(results, *laws));
  } else {
    if (flags.matrix) fmt::print("{}\n", KillMatrix(results, *laws));
    fmt::print("{}", PlantedSummary(results));
    const auto misnamed = std::count_if(results.begin(), results.end(),
                                        [](const auto& result) { return result.misnamed() > 0; });
    if (misnamed > 0 && all_laws) {
      fmt::print("{}: {} killed by another law than their files name\n", Red("RED"), misnamed);
    }
  }
  return AnyRed(results, all_laws) ? kExitFails : kExitHolds;
}

}  // namespace

void AddMutants(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<MutantFlags>();
  CLI::App* command = app.add_subcommand(
      "mutants", "who tests the tester: every planted bug must be killed by a law");
  AddFilterFlags(*command, *flags);
  AddBudgetFlags(*command, *flags);
  command->add_option("--mutant", flags->only, "mutants: a glob");
  command
      ->add_option("--seeds", flags->seeds,
                   "search with so many seeds from --seed on: how many cases a kill takes")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_flag("--matrix", flags->matrix,
                    "run every law on every mutant and show which of them fail");
  command->add_flag("--one-row", flags->one_row,
                    "one row of each mutant, not all that have the bug");
  command->add_flag("--json", flags->json, "the result as JSON on stdout");
  command->callback([flags, &exit_code] { exit_code = RunMutants(*flags); });
}

}  // namespace padproof
