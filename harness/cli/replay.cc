#include "harness/drivers/replay.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/report/failure.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

struct ReplayFlags {
  std::vector<std::string> what;
  double deadline = 10;
};

// "   (error / bound: dq 0.031, dk 0.12)"
std::string Nearness(const Verdict& verdict) {
  std::string text;
  for (const Closeness& close : verdict.closeness) {
    text += fmt::format("{}{} {:.4g}", text.empty() ? "" : ", ", close.region, close.worst);
  }
  return text.empty() ? text : "   (error / bound: " + text + ")";
}

// One entry: prints its verdict, returns its exit code.
int ReplayOne(const Replayable& item, Worker& worker, double deadline) {
  const std::string line = Print(item.entry);
  const auto kernel = FindOneKernel(item.entry.kernel, worker);
  if (kernel && !kernel->missing.empty()) {
    fmt::print("skipped: {}  {}\n", kernel->missing, line);
    return RequiredExitCode({*kernel}, kExitHolds);
  }
  const auto verdict = Replay(item.entry, worker, deadline);
  if (!kernel || !verdict) {
    const std::string& why = kernel ? verdict.error().message : kernel.error().message;
    return Complain((item.file.empty() ? line : item.file) + ": " + why, kExitUsage);
  }
  switch (verdict->outcome) {
    case Outcome::holds:
      fmt::print("{}  {}{}\n", Green("holds"), line, Nearness(*verdict));
      return kExitHolds;
    case Outcome::not_applicable:
      fmt::print("{}  {}   ({})\n", Red("not tested"), line, verdict->reason);
      return kExitUsage;
    case Outcome::out_of_domain:
      fmt::print("out of domain  {}   ({})\n", line, verdict->reason);
      return kExitHolds;
    case Outcome::unexplained:
      fmt::print("unexplained  {}   ({}){}\n", line, verdict->reason, Nearness(*verdict));
      return kExitHolds;
    case Outcome::fails:
      break;
  }
  const Finding finding = FindingOf(item.entry, verdict->failure, *kernel);
  fmt::print("{}", Report(finding));
  return kExitFails;
}

int ReplayAll(const ReplayFlags& flags) {
  Worker worker;
  int worst = kExitHolds;
  for (const std::string& what : flags.what) {
    const auto items = ReadReplayables(what);
    if (!items) return Complain(items.error().message, kExitUsage);
    for (const Replayable& item : *items) {
      worst = std::max(worst, ReplayOne(item, worker, flags.deadline));
    }
  }
  return worst;
}

}  // namespace

void AddReplay(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ReplayFlags>();
  CLI::App* command = app.add_subcommand("replay", "judges a saved or printed case again");
  command->add_option("what", flags->what, "'LAW KERNEL CASE' in quotes, a case file, or a folder")
      ->required();
  AddDeadlineFlag(*command, flags->deadline);
  command->callback([flags, &exit_code] { exit_code = ReplayAll(*flags); });
}

}  // namespace padproof
