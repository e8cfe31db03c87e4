#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "harness/base/random.h"
#include "harness/base/words.h"
#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/mutation.h"
#include "harness/drivers/mutation_journal.h"
#include "harness/drivers/paths.h"
#include "harness/report/mutation_report.h"

namespace padproof {
namespace {

struct MutateFlags : SearchFlags {
  std::string file;
  std::vector<std::string> kernel_files;
  std::vector<std::string> compiler_flags;
  std::string operators = "*";
  std::string lines;
  std::string folder;
  int sample = 0;
  bool list = false;
  bool json = false;
};

/// "88", "80-90" or nothing: all.
Result<std::pair<int, int>> LinesOf(const std::string& text) {
  if (text.empty()) return std::pair(1, INT32_MAX);
  const size_t dash = text.find('-');
  const std::string first = text.substr(0, dash);
  const std::string last = dash == std::string::npos ? first : text.substr(dash + 1);
  std::pair<int, int> lines{0, 0};
  const auto parsed = [](const std::string& word, int& number) {
    return ReadWhole(word, number) && number > 0;
  };
  if (!parsed(first, lines.first) || !parsed(last, lines.second) || lines.first > lines.second) {
    return Error{"--line '" + text + "': expected a line or first-last, such as 80-90"};
  }
  return lines;
}

/// `count` of the edits, each subset equally likely, in their order.
std::vector<Edit> Sample(std::vector<Edit> edits, int count, uint64_t seed) {
  const size_t wanted = static_cast<size_t>(count);
  if (count == 0 || wanted >= edits.size()) return edits;
  Random random(HashOf({seed, HashOf("sample of edits")}));
  std::vector<Edit> chosen;
  for (size_t n = 0; n < edits.size(); ++n) {
    const size_t left = edits.size() - n, missing = wanted - chosen.size();
    if (random.Below(static_cast<uint32_t>(left)) < missing) chosen.push_back(std::move(edits[n]));
  }
  return chosen;
}

Result<MutationPlan> PlanOf(const MutateFlags& flags) {
  MutationPlan plan{.file = flags.file, .rows = flags.kernels, .search = OptionsOf(flags)};
  plan.search.corpora.clear();  // findings about planted bugs are not news
  plan.seconds = flags.seconds;
  plan.jobs = JobsOf(flags.jobs);
  plan.flags = flags.compiler_flags;
  const std::string folder =
      flags.folder.empty() ? ExecutableDirectory() + "/mutate" : flags.folder;
  plan.folder = std::filesystem::absolute(folder).string() + "/" + Stem(flags.file);
  const auto source = ReadSource(flags.file);
  if (!source) return source.error();
  plan.source = *source;
  const auto laws = FindLaws(flags.laws);
  if (!laws) return laws.error();
  plan.laws = *laws;
  const auto recipe = ReadKernelRecipe();
  if (!recipe) return recipe.error();
  std::vector<std::string> through = flags.kernel_files;
  if (through.empty()) through.push_back(flags.file);
  for (const std::string& kernel : through) {
    const auto around = Flatten(kernel, flags.file, recipe->include);
    if (!around) return around.error();
    plan.kernels.push_back(*around);
  }
  return plan;
}

Result<std::vector<Edit>> EditsOf(const MutateFlags& flags, const MutationPlan& plan) {
  const auto lines = LinesOf(flags.lines);
  if (!lines) return lines.error();
  std::string elsewhere;
  for (const Surroundings& kernel : plan.kernels) elsewhere += kernel.before + kernel.after;
  std::vector<Edit> edits = AllEdits(ReadCode(plan.source, elsewhere));
  const size_t all = edits.size();
  std::erase_if(edits, [&](const Edit& edit) {
    return edit.line < lines->first || edit.line > lines->second ||
           !GlobMatch(flags.operators, edit.op);
  });
  if (!edits.empty()) return Sample(std::move(edits), flags.sample, plan.search.seed);
  std::string names;
  for (const Operator& op : Operators()) AppendTo(names, op.name);
  return Error{flags.file + ": none of its " + std::to_string(all) +
               " edits is left; --line and --operator choose among them (" + names + ")"};
}

Result<Equivalents> EquivalentsOf(const std::string& file) {
  const std::string path = EquivalentsFileOf(file);
  if (!std::filesystem::exists(path)) return Equivalents{};
  const auto text = ReadSource(path);
  if (!text) return text.error();
  return ParseEquivalents(path, *text);
}

/// Entries about lines that are no more.
void WarnOfStale(const MutationReport& report, const MutationPlan& plan) {
  std::string elsewhere;
  for (const Surroundings& kernel : plan.kernels) elsewhere += kernel.before + kernel.after;
  Equivalents stale = report.equivalents;
  for (const Edit& edit : AllEdits(ReadCode(plan.source, elsewhere))) stale.erase(edit.id);
  for (const auto& [id, reason] : stale) {
    Complain(EquivalentsFileOf(plan.file) + ": no edit is called " + id + " any more (" + reason +
                 "); judge the changed line again",
             kExitHolds);
  }
}

int Mutate(const MutateFlags& flags) {
  const auto plan = PlanOf(flags);
  if (!plan) return Complain(plan.error().message, kExitUsage);
  const auto edits = EditsOf(flags, *plan);
  if (!edits) return Complain(edits.error().message, kExitUsage);
  const auto equivalents = EquivalentsOf(flags.file);
  if (!equivalents) return Complain(equivalents.error().message, kExitUsage);
  if (flags.list) {
    for (const Edit& edit : *edits) fmt::print("{:<11} {}\n", edit.op, PlaceOf(flags.file, edit));
    return kExitHolds;
  }
  MutationReport report{.file = flags.file,
                        .mutations = {},
                        .asked = edits->size(),
                        .equivalents = *equivalents,
                        .laws = plan->laws};
  WarnOfStale(report, *plan);
  MutationJournal journal(plan->folder + ".jsonl", KeyOf(*plan));
  if (!flags.json) {
    fmt::print("padproof mutate: {}, {} edits, {} laws, {} cases a law and row, seed {}, {} jobs\n",
               flags.file, edits->size(), plan->laws.size(), plan->search.cases, plan->search.seed,
               plan->jobs);
    if (journal.size() > 0) fmt::print("{} known from {}.jsonl\n", journal.size(), plan->folder);
  }
  const MutationEvents events{.known = [&](Mutation& m) { return journal.Find(m); },
                              .tried =
                                  [&](const Mutation& m, bool was_known) {
                                    if (!was_known) journal.Add(m);
                                    if (!flags.json && !m.edit.op.empty())
                                      fmt::print("{}", FateLine(report, m));
                                  }};
  auto tried = TryEdits(*plan, *edits, events);
  if (!tried) return Complain(tried.error().message, kExitHarness);
  if (!tried->refused.empty()) return Complain(tried->refused, kExitUsage);
  report.mutations = std::move(tried->mutations);
  fmt::print("{}", flags.json ? MutationJson(report) : MutationSummary(report));
  return report.red() ? kExitFails : kExitHolds;
}

}  // namespace

void AddMutate(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<MutateFlags>();
  flags->deadline = 2;  // an edit that hangs is a kill, and there are many
  CLI::App* command =
      app.add_subcommand("mutate", "edits a kernel's source by rule; says which edits no law sees");
  command->add_option("file", flags->file, "a kernel's source, or a header of kernels")->required();
  command->add_option("--kernel-file", flags->kernel_files,
                      "for a header: the kernels that it is tried in (several: give it again)");
  AddFilterFlags(*command, *flags);
  AddBudgetFlags(*command, *flags);
  AddTimeFlag(*command, flags->seconds);
  command->add_option("--operator", flags->operators, "kinds of edits: a glob");
  command->add_option("--line", flags->lines, "only edits of these lines: 88 or 80-90");
  command->add_option("--sample", flags->sample, "so many of them, chosen by --seed; 0: all")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--flag", flags->compiler_flags,
                      "a flag for the compiler, such as --flag=-I/my/headers (again for more)");
  command->add_option("--folder", flags->folder,
                      "for libraries and the journal (default: mutate/ beside padproof)");
  command->add_flag("--list", flags->list, "print the edits, try none");
  command->add_flag("--json", flags->json, "the result as JSON on stdout");
  command->callback([flags, &exit_code] { exit_code = Mutate(*flags); });
}

}  // namespace padproof
