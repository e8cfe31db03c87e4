// The subcommands of padproof; one file each. A command parses its flags, runs and returns an exit
// code: 0 all laws hold, 1 a law failed, judged nothing, or missed a planted bug, 2 bad usage or
// input, 3 the harness itself failed.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/drivers/search.h"

namespace CLI {
class App;
}

namespace padproof {

inline constexpr int kExitHolds = 0;
inline constexpr int kExitFails = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitHarness = 3;

/// Adds a subcommand whose callback stores its exit code in `exit_code`.
void AddList(CLI::App& app, int& exit_code);
void AddCheck(CLI::App& app, int& exit_code);
void AddReplay(CLI::App& app, int& exit_code);
void AddMinimize(CLI::App& app, int& exit_code);
void AddCampaign(CLI::App& app, int& exit_code);
void AddPromote(CLI::App& app, int& exit_code);
void AddSpell(CLI::App& app, int& exit_code);
void AddMutants(CLI::App& app, int& exit_code);
void AddMutate(CLI::App& app, int& exit_code);
void AddBench(CLI::App& app, int& exit_code);
void AddDoctor(CLI::App& app, int& exit_code);
void AddWorker(CLI::App& app, int& exit_code);

/// Flags that several commands share, spelt alike everywhere; a command adds those that it heeds.
struct SearchFlags {
  std::string kernels = "*";
  std::string laws = "*";
  std::string seed;  // decimal, or any text (a commit hash)
  int cases = 200;
  double seconds = 0;
  int jobs = 0;  // 0: one a core
  double deadline = 10;
  std::string corpora;
  bool no_save = false;
};
void AddFilterFlags(CLI::App& command, SearchFlags& flags);  // --kernel --law
void AddBudgetFlags(CLI::App& command, SearchFlags& flags);  // --seed --cases --jobs --deadline
void AddTimeFlag(CLI::App& command, double& seconds);        // --seconds
void AddDeadlineFlag(CLI::App& command, double& deadline);
void AddCorporaFlag(CLI::App& command, std::string& corpora);
void AddSaveFlags(CLI::App& command, SearchFlags& flags);  // --corpora --no-save
/// The options of these flags; the seed is chosen and printed by the command.
SearchOptions OptionsOf(const SearchFlags& flags);
/// Where --corpora points, also where nothing is saved.
std::string CorporaOf(const SearchFlags& flags);
int JobsOf(int flag);

/// --seed, as every command has it that draws; SeedFrom reads it: nothing is 0.
void AddSeedFlag(CLI::App& command, std::string& seed);
uint64_t SeedFrom(const std::string& seed);

/// `exit_code`, or red with a line that says so where PADPROOF_REQUIRE_DEVICE wants what is
/// missing.
int RequiredExitCode(const std::vector<KernelInfo>& missing, int exit_code);
/// The same, and names the kernels that cannot be called here: on stderr where stdout is JSON.
int ReportMissing(const std::vector<KernelInfo>& missing, int exit_code, bool json);

/// "padproof: <message>" on stderr.
int Complain(const std::string& message, int exit_code);

}  // namespace padproof
