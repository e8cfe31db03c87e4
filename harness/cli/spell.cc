// Spells a failing case out as a stand-alone test. It runs kernel code in-process, so `promote`
// starts it as a process of its own.

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/base/file.h"
#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/loaded_kernels.h"
#include "harness/spell/gtest_text.h"

namespace padproof {
namespace {

struct SpellFlags {
  std::string line;
  std::string file;
  std::string died;
};

int Spell(const SpellFlags& flags) {
  const auto entry = ParseEntry(flags.line);
  if (!entry) return Complain(entry.error().message, kExitUsage);
  Worker worker;
  const auto kernel = FindOneKernel(entry->kernel, worker);
  if (!kernel) return Complain(kernel.error().message, kExitUsage);
  const auto rows = RowsOf(kernel->plugin);
  if (!rows) return Complain(rows.error().message, kExitHarness);
  const Property* law = FindProperty(entry->law);
  const SpelledCase about{.entry = *entry, .kernel = *kernel, .statement = law->statement};
  const InFlight in_flight = [&](Spelling spelling) {
    spelling.failure = {.kind = kind::kCrash, .expected = "the kernel returns", .got = flags.died};
    WriteDurably(flags.file, GTestText(about, spelling));
  };
  for (const KernelRow* row : *rows) {
    if (IdOf(*row) != entry->kernel) continue;
    const auto spelling =
        SpellOut(*law, *row, entry->c, flags.died.empty() ? InFlight{} : in_flight);
    if (!spelling) return Complain("not spelled: " + spelling.error().message, kExitUsage);
    const auto written = WriteDurably(flags.file, GTestText(about, *spelling));
    return written ? kExitHolds : Complain(written.error().message, kExitHarness);
  }
  return Complain("no kernel '" + entry->kernel + "'", kExitUsage);
}

}  // namespace

void AddSpell(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<SpellFlags>();
  CLI::App* command = app.add_subcommand("spell", "writes what `promote --as-gtest` asks for");
  command->group("");  // not for people
  command->add_option("line", flags->line)->required();
  command->add_option("file", flags->file)->required();
  command->add_option("--died", flags->died, "how the process ended that judged the case");
  command->callback([flags, &exit_code] { exit_code = Spell(*flags); });
}

}  // namespace padproof
