#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/paths.h"
#include "harness/mutants/mutant_file.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

struct MutantFlags : SearchFlags {
  std::string only = "*";
};

Result<Mutant> ReadMutant(const std::string& name) {
  const std::string path =
      (std::filesystem::path(SourceDirectory()) / "kernels/mutants" / (name + ".mutant")).string();
  std::ifstream in(path);
  if (!in) return Error{path + ": cannot be read; mutants are built from it"};
  std::stringstream text;
  text << in.rdbuf();
  return ParseMutant(path, text.str());
}

bool HasBug(const Mutant& mutant, KernelInfo kernel) {
  kernel.name.resize(kernel.name.find('~'));
  return mutant.rows.empty() || MatchesAny(mutant.rows, kernel);
}

// The law that is expected to kill it comes first: the others run only if it does not.
std::vector<const Property*> ExpectedFirst(std::vector<const Property*> laws,
                                           const std::string& expected) {
  const auto first = std::find_if(laws.begin(), laws.end(),
                                  [&](const Property* law) { return expected == law->name; });
  if (first != laws.end()) std::rotate(laws.begin(), first, first + 1);
  return laws;
}

enum class Fate { survived, killed, killed_by_another_law };

// Runs laws on one row of a mutant until one fails, or an error.
Result<Fate> TryToKill(const Mutant& mutant, const KernelInfo& kernel,
                       const std::vector<const Property*>& laws, const SearchOptions& options,
                       Worker& worker) {
  for (const Property* law : ExpectedFirst(laws, mutant.killed_by)) {
    const Cell cell = Search(kernel, *law, worker, options, {});
    if (!cell.error.empty()) return Error{cell.error};
    if (!cell.finding) continue;
    const bool expected = mutant.killed_by == law->name;
    fmt::print("{}   {:<44} {:<24} after {:>3} cases{}\n         {}\n", Green("killed"), kernel.id,
               law->name, cell.finding->cases, expected ? "" : "   (not the law its file names)",
               Print(cell.finding->entry.c));
    return expected ? Fate::killed : Fate::killed_by_another_law;
  }
  return Fate::survived;
}

int RunMutants(const MutantFlags& flags) {
  const auto laws = FindLaws(flags.laws);
  if (!laws) return Complain(laws.error().message, kExitUsage);
  SearchOptions options = OptionsOf(flags);
  options.corpora.clear();  // findings about planted bugs are not news
  int killed = 0, survived = 0, equivalent = 0, misnamed = 0;
  for (const std::string& file : MutantFiles()) {
    const std::string name = Stem(file);
    if (!GlobMatch(flags.only, name)) continue;
    const auto mutant = ReadMutant(name);
    if (!mutant) return Complain(mutant.error().message, kExitUsage);
    Worker worker;
    const auto kernels = FindKernels(mutant->kernel + "*~" + name + "@*", worker);
    if (!kernels) return Complain(kernels.error().message, kExitHarness);
    const int judged_before = killed + survived + equivalent;
    for (const KernelInfo& kernel : *kernels) {
      if (!HasBug(*mutant, kernel)) continue;
      const auto fate = TryToKill(*mutant, kernel, *laws, options, worker);
      if (!fate) return Complain(fate.error().message, kExitHarness);
      const bool dead = *fate != Fate::survived;
      const bool excused = !dead && !mutant->equivalent.empty();
      killed += dead;
      misnamed += *fate == Fate::killed_by_another_law;
      equivalent += excused;
      survived += !dead && !excused;
      if (!dead) {
        fmt::print("{} {:<44} {}\n", excused ? "equivalent" : Red("SURVIVED"), kernel.id,
                   excused ? mutant->equivalent : mutant->bug);
      }
    }
    if (killed + survived + equivalent == judged_before) {
      return Complain(mutant->path + ": no row matches 'rows: " + mutant->rows + "'", kExitUsage);
    }
  }
  if (killed + survived + equivalent == 0) {
    return Complain("no mutant matches '" + flags.only + "'; see 'padproof list --mutants'",
                    kExitUsage);
  }
  fmt::print("{} killed, {} survived, {} equivalent\n", killed, survived, equivalent);
  // With all laws at hand, another killer means that a file claims what is not so.
  const bool all_laws = laws->size() == Properties().size();
  if (misnamed > 0 && all_laws) {
    fmt::print("{}: {} killed by another law than their files name\n", Red("RED"), misnamed);
  }
  return survived == 0 && (misnamed == 0 || !all_laws) ? kExitHolds : kExitFails;
}

}  // namespace

void AddMutants(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<MutantFlags>();
  CLI::App* command = app.add_subcommand(
      "mutants", "who tests the tester: every planted bug must be killed by a law");
  AddSearchFlags(*command, *flags);
  command->add_option("--mutant", flags->only, "mutants: a glob");
  command->callback([flags, &exit_code] { exit_code = RunMutants(*flags); });
}

}  // namespace padproof
