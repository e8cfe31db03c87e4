#include "harness/drivers/promote.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/child.h"
#include "harness/drivers/paths.h"
#include "harness/drivers/replay.h"
#include "harness/report/failure.h"

namespace padproof {
namespace {

constexpr double kSpellSeconds = 300;

struct PromoteFlags {
  std::string what;
  std::string law, kernel;
  std::string corpora;
  std::string gtest_file;
  double deadline = 10;
};

/// A printed case without its law and kernel is completed by --law and --kernel; a file is filtered
/// by them.
Result<std::vector<Replayable>> ItemsOf(const PromoteFlags& flags) {
  const bool bare = flags.what.rfind("lens_q=", 0) == 0;
  if (bare && (flags.law.empty() || flags.kernel.empty())) {
    return Error{"'" + flags.what + "' names no law and kernel: add --law and --kernel"};
  }
  auto items =
      ReadReplayables(bare ? flags.law + " " + flags.kernel + " " + flags.what : flags.what);
  if (!items) return items;
  std::erase_if(*items, [&](const Replayable& item) {
    return (!flags.law.empty() && !GlobMatch(flags.law, item.entry.law)) ||
           (!flags.kernel.empty() && !GlobMatch(flags.kernel, item.entry.kernel));
  });
  if (items->empty()) return Error{flags.what + ": no case in it matches --law and --kernel"};
  return items;
}

bool Died(const Failure& failure) {
  return failure.kind == kind::kCrash || failure.kind == kind::kExit || failure.kind == kind::kHang;
}

int SpellAsGTest(const Finding& finding, const std::string& file, double deadline) {
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  const bool died = Died(finding.failure);
  std::vector<std::string> command{WorkerProgram(), "spell", Print(finding.entry), file};
  if (died) command.insert(command.end(), {"--died", finding.failure.got});
  auto child = Child::Start(command, "");
  if (!child) return Complain(child.error().message, kExitHarness);
  const bool ended = child->WaitFor(died ? deadline : kSpellSeconds);
  if (ended && !died && child->exit_code() != 0) return child->exit_code();
  if (!std::filesystem::exists(file, ignored)) {
    return Complain(file + ": not spelled in time; shrink the case first: padproof minimize",
                    kExitUsage);
  }
  fmt::print("  spelled {}   (compile it as its first lines say)\n", file);
  return kExitHolds;
}

/// Judges one entry and keeps it.
int PromoteOne(const Replayable& item, const PromoteFlags& flags, Worker& worker) {
  const std::string line = Print(item.entry);
  const auto verdict = Replay(item.entry, worker, flags.deadline);
  if (!verdict) return Complain(line + ": " + verdict.error().message, kExitUsage);
  if (verdict->outcome != Outcome::fails) {
    return Complain("does not fail, so it would guard nothing: " + line, kExitUsage);
  }
  const auto kernel = FindOneKernel(item.entry.kernel, worker);
  Finding finding = FindingOf(item.entry, verdict->failure, *kernel);
  const std::string corpora = flags.corpora.empty() ? CorporaDirectory() : flags.corpora;
  if (!Promote(finding, corpora, worker, flags.deadline)) {
    return Complain(finding.problem, kExitHarness);
  }
  fmt::print("{}", Report(finding));
  if (flags.gtest_file.empty()) return kExitHolds;
  return SpellAsGTest(finding, flags.gtest_file, flags.deadline);
}

int PromoteAll(const PromoteFlags& flags) {
  const auto items = ItemsOf(flags);
  if (!items) return Complain(items.error().message, kExitUsage);
  if (!flags.gtest_file.empty() && items->size() != 1) {
    return Complain(flags.what + ": --as-gtest takes one case; choose it by --law and --kernel",
                    kExitUsage);
  }
  Worker worker;
  int worst = kExitHolds;
  for (const Replayable& item : *items) {
    worst = std::max(worst, PromoteOne(item, flags, worker));
  }
  return worst;
}

}  // namespace

void AddPromote(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<PromoteFlags>();
  CLI::App* command = app.add_subcommand(
      "promote", "keeps a failing case as a regression test, once for each way to fail");
  command
      ->add_option("what", flags->what,
                   "'LAW KERNEL CASE' in quotes, CASE alone, a case file or a fuzz artifact")
      ->required();
  command->add_option("--law", flags->law, "of a CASE alone; of a file: those to take, a glob");
  command->add_option("--kernel", flags->kernel, "likewise");
  command->add_option(
      "--as-gtest", flags->gtest_file,
      "also write a C++ test with all numbers spelled out, which needs no padproof");
  AddCorporaFlag(*command, flags->corpora);
  AddDeadlineFlag(*command, flags->deadline);
  command->callback([flags, &exit_code] { exit_code = PromoteAll(*flags); });
}

}  // namespace padproof
