#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/replay.h"
#include "harness/report/failure.h"

namespace padproof {
namespace {

struct MinimizeFlags {
  std::string what;
  double deadline = 10;
  std::string corpora;
  bool no_save = false;
};

int Minimize(const MinimizeFlags& flags) {
  const auto items = ReadReplayables(flags.what);
  if (!items) return Complain(items.error().message, kExitUsage);
  SearchFlags shared;
  shared.corpora = flags.corpora;
  shared.no_save = flags.no_save;
  shared.deadline = flags.deadline;
  const SearchOptions options = OptionsOf(shared);
  Worker worker;
  int exit_code = kExitHolds;
  for (const Replayable& item : *items) {
    const auto verdict = Replay(item.entry, worker, flags.deadline);
    if (!verdict) return Complain(verdict.error().message, kExitUsage);
    if (verdict->outcome != Outcome::fails) {
      fmt::print("does not fail: {}\n", Print(item.entry));
      continue;
    }
    const auto kernel = FindOneKernel(item.entry.kernel, worker);
    Finding finding = FindingOf(item.entry, verdict->failure, *kernel);
    ShrinkFinding(finding, *kernel, worker, options);
    fmt::print("{}", Report(finding));
    exit_code = kExitFails;
  }
  return exit_code;
}

}  // namespace

void AddMinimize(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<MinimizeFlags>();
  CLI::App* command = app.add_subcommand(
      "minimize", "shrinks a failing case, case file or fuzz artifact, and saves the result");
  command->add_option("what", flags->what, "'LAW KERNEL CASE' in quotes, or a file")->required();
  command
      ->add_option("--deadline", flags->deadline,
                   "seconds of its own, computing or asleep, until a case counts as a hang")
      ->capture_default_str();
  command->add_option("--corpora", flags->corpora,
                      "where the result is saved (default: corpora/ of the source tree)");
  command->add_flag("--no-save", flags->no_save, "do not save the result");
  command->callback([flags, &exit_code] { exit_code = Minimize(*flags); });
}

}  // namespace padproof
