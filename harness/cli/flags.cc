#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "harness/cli/commands.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/paths.h"
#include "harness/drivers/settings.h"

namespace padproof {

void AddFilterFlags(CLI::App& command, SearchFlags& flags) {
  command.add_option("--kernel", flags.kernels, "kernels: globs, comma separated")
      ->capture_default_str();
  command.add_option("--law", flags.laws, "laws: globs, comma separated")->capture_default_str();
}

void AddBudgetFlags(CLI::App& command, SearchFlags& flags) {
  AddSeedFlag(command, flags.seed);
  command.add_option("--cases", flags.cases, "cases a cell of the table")
      ->check(CLI::Range(1, 1000000000))
      ->capture_default_str();
  command.add_option("--jobs", flags.jobs, "worker processes; 0: one a core")
      ->check(CLI::Range(0, 1024));
  AddDeadlineFlag(command, flags.deadline);
}

void AddTimeFlag(CLI::App& command, double& seconds) {
  command.add_option("--seconds", seconds, "end the whole run after this long; 0: no limit")
      ->check(CLI::NonNegativeNumber);
}

void AddDeadlineFlag(CLI::App& command, double& deadline) {
  command
      .add_option("--deadline", deadline,
                  "seconds of its own, computing or asleep, until a case counts as a hang")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
}

void AddCorporaFlag(CLI::App& command, std::string& corpora) {
  command.add_option("--corpora", corpora,
                     "where failures are saved (default: $PADPROOF_CORPORA; else corpora/ of the "
                     "source tree, or with PADPROOF_PLUGINS ./corpora)");
}

void AddSaveFlags(CLI::App& command, SearchFlags& flags) {
  AddCorporaFlag(command, flags.corpora);
  command.add_flag("--no-save", flags.no_save, "do not save failures");
}

SearchOptions OptionsOf(const SearchFlags& flags) {
  SearchOptions options;
  options.seed = SeedFrom(flags.seed);
  options.cases = flags.cases;
  options.deadline_seconds = flags.deadline;
  if (!flags.no_save) options.corpora = CorporaOf(flags);
  return options;
}

std::string CorporaOf(const SearchFlags& flags) {
  return flags.corpora.empty() ? CorporaDirectory() : flags.corpora;
}

void AddSeedFlag(CLI::App& command, std::string& seed) {
  command.add_option("--seed", seed, "a number, or text such as a commit hash (default 0)");
}

uint64_t SeedFrom(const std::string& seed) { return SeedOf(seed.empty() ? "0" : seed); }

int JobsOf(int flag) {
  if (flag > 0) return flag;
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

int RequiredExitCode(const std::vector<KernelInfo>& missing, int exit_code) {
  const std::string why = RequiredButMissing(missing);
  if (why.empty()) return exit_code;
  Complain(why, kExitHarness);
  return exit_code == kExitHolds ? kExitHarness : exit_code;
}

int ReportMissing(const std::vector<KernelInfo>& missing, int exit_code, bool json) {
  std::fputs(SkippedLines(missing).c_str(), json ? stderr : stdout);
  return RequiredExitCode(missing, exit_code);
}

int Complain(const std::string& message, int exit_code) {
  std::fflush(stdout);
  std::fprintf(stderr, "padproof: %s\n", message.c_str());
  return exit_code;
}

}  // namespace padproof
