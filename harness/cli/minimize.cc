#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/replay.h"
#include "harness/report/failure.h"

namespace padproof {
namespace {

struct MinimizeFlags : SearchFlags {
  std::string what;
};

int Minimize(const MinimizeFlags& flags) {
  const auto items = ReadReplayables(flags.what);
  if (!items) return Complain(items.error().message, kExitUsage);
  const SearchOptions options = OptionsOf(flags);
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
  AddDeadlineFlag(*command, flags->deadline);
  AddSaveFlags(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = Minimize(*flags); });
}

}  // namespace padproof
