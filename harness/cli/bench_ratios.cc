// `padproof bench ratios`: random cases over all kernels under the laws that have a bound, how near
// each comes to it, and what has jumped since kernels/ratios.txt was written. A ratio above 1 is a
// law that failed, which is red; a jump below it is no failure of a kernel, only something to look
// at: a change of a kernel, of its declared numerics or of a bound that nobody meant.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "harness/base/file.h"
#include "harness/cli/bench.h"
#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/corpus.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/paths.h"
#include "harness/drivers/run.h"
#include "harness/report/failure.h"
#include "harness/report/progress.h"
#include "harness/report/ratios.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

constexpr double kLongSeconds = 10;  // a cell that takes longer says when it is done

struct RatioFlags : SearchFlags {
  std::string table;
  bool write = false;
  bool strict = false;
};

std::string TableFile(const RatioFlags& flags) {
  if (!flags.table.empty()) return flags.table;
  return (std::filesystem::path(SourceDirectory()) / "kernels/ratios.txt").string();
}

Result<std::vector<RatioRow>> ReadTable(const std::string& file) {
  const auto text = ReadFile(file);
  if (!text) return Error{file + ": cannot be read; --write makes it"};
  return ParseRatios(file, *text);
}

/// The laws among the named ones that have a bound.
Result<std::vector<const Property*>> BoundedLaws(const std::string& patterns) {
  auto laws = FindLaws(patterns);
  if (!laws) return laws.error();
  std::erase_if(*laws, [](const Property* law) { return !law->has_bound; });
  if (laws->empty()) return Error{"no law that matches '" + patterns + "' has a bound"};
  return laws;
}

RunResult Survey(const RatioFlags& flags, const SearchOptions& options,
                 const std::vector<KernelInfo>& kernels, const std::vector<const Property*>& laws,
                 RatioSurvey& survey) {
  Progress progress(kernels.size() * laws.size());
  const RunEvents events{
      .judged = [&](const Judgement& judgement) { survey.Add(judgement); },
      .found = [&](const Finding& f) { progress.Print(FoundLine(f)); },
      .finished =
          [&](const Cell& cell) {
            if (cell.finding) progress.Print("\n" + Report(*cell.finding) + "\n");
            if (!cell.error.empty()) progress.Print(Red("ERROR") + ": " + cell.error + "\n");
            if (cell.seconds > kLongSeconds) {
              progress.Print(fmt::format("{} / {}: {} of {} cases held, {:.0f} s\n", cell.law->name,
                                         cell.kernel->id, cell.held, cell.cases, cell.seconds));
            }
            if (cell.unexplained > 0) {
              progress.Print(fmt::format("{} unexplained, first {}\n", cell.unexplained,
                                         cell.first_unexplained));
            }
            if (!cell.vacuous()) return;
            progress.Print(fmt::format("{}: {} / {} judged nothing\n", Red("NONE"), cell.law->name,
                                       cell.kernel->id));
          },
      .progress = [&](int64_t cases, size_t cells) { progress.Show(cases, cells); }};
  RunResult result = Run(kernels, laws, options, JobsOf(flags.jobs), flags.seconds, events);
  progress.Clear();
  return result;
}

/// The rows nearest to their bounds, and how to see them again.
void PrintNearest(std::vector<RatioRow> rows) {
  constexpr size_t kShown = 5;
  std::sort(rows.begin(), rows.end(), [](const RatioRow& a, const RatioRow& b) {
    return a.max != b.max ? a.max > b.max : a.key < b.key;
  });
  for (size_t i = 0; i < std::min(kShown, rows.size()); ++i) {
    fmt::print("nearest  {} {:.4f}  {}\n", rows[i].key.region, rows[i].max,
               ReplayCommand(rows[i].nearest));
  }
}

/// "200 cases: 180 held (1 of them unexplained), 15 out of domain, 5 skipped, 0 failed"
std::string Split(const RunResult& result) {
  int64_t held = 0, out_of_domain = 0, unexplained = 0, failed = 0;
  for (const Cell& cell : result.cells) {
    held += cell.held;
    out_of_domain += cell.out_of_domain;
    unexplained += cell.unexplained;
    failed += cell.finding.has_value();
  }
  return fmt::format(
      "{} cases: {} held ({} of them unexplained), {} out of domain, {} skipped, {} failed",
      result.cases, held, unexplained, out_of_domain, result.cases - held - out_of_domain - failed,
      failed);
}

Result<bool> WriteTable(const std::string& file, const SearchOptions& options,
                        const RunResult& result, const std::vector<RatioRow>& rows) {
  std::string text =
      "# Error / bound of the worst element of a case, over random cases; 1 is the proven bound.\n"
      "# `domain`: share of this law's cases in which a correct kernel may overflow; not judged.\n";
  text += fmt::format("# padproof bench ratios --cases {} --seed {} --write\n# {}\n", options.cases,
                      options.seed, Split(result));
  return WriteDurably(file, text + RatioText(rows));
}

/// Prints what differs; false if it is worth a look.
bool Compare(const std::string& file, const std::vector<RatioRow>& kept,
             const std::vector<RatioRow>& rows) {
  const RatioComparison comparison = CompareRatios(kept, rows);
  for (const Jump& jump : comparison.jumps) fmt::print("{}  {}\n", Red("JUMP"), Describe(jump));
  fmt::print("{} rows compared with {}: {} jumps; {} rows are new, {} of the table were not run\n",
             comparison.compared, file, comparison.jumps.size(), comparison.unknown,
             comparison.not_run);
  return comparison.jumps.empty() && comparison.compared > 0;
}

int Ratios(const RatioFlags& flags) {
  if (flags.write && (flags.kernels != "*" || flags.laws != "*")) {
    return Complain("--write is for all kernels and laws: it replaces the table", kExitUsage);
  }
  const std::string file = TableFile(flags);
  const auto kept = flags.write ? std::vector<RatioRow>{} : ReadTable(file);
  if (!kept) return Complain(kept.error().message, kExitUsage);
  const auto laws = BoundedLaws(flags.laws);
  if (!laws) return Complain(laws.error().message, kExitUsage);
  Worker worker;
  auto kernels = FindKernels(flags.kernels, worker);
  if (!kernels) return Complain(kernels.error().message, kExitUsage);
  ReportMissing(TakeMissing(*kernels), kExitHolds, false);
  SearchOptions options = OptionsOf(flags);
  options.grow = false;  // so that quantiles of few cases and of many are of the same cases
  fmt::print("padproof bench ratios: seed {}, {} kernels, {} laws, {} cases a cell\n", options.seed,
             kernels->size(), laws->size(), options.cases);
  RatioSurvey survey;
  const RunResult result = Survey(flags, options, *kernels, *laws, survey);
  const std::vector<RatioRow> rows = survey.Rows();
  fmt::print("{}", RatioText(rows));
  PrintNearest(rows);
  fmt::print("{}, {:.0f} s\n", Split(result), result.seconds);
  if (result.any_error()) return kExitHarness;
  const bool red = result.any_failure() || result.any_vacuous();
  if (red) fmt::print("{}: a law failed, or judged nothing\n", Red("RED"));
  if (flags.write && !red) {
    const auto written = WriteTable(file, options, result, rows);
    if (!written) return Complain(written.error().message, kExitHarness);
  }
  const bool calm = flags.write || Compare(file, *kept, rows);
  return red || (flags.strict && !calm) ? kExitFails : kExitHolds;
}

}  // namespace

void AddBenchRatios(CLI::App& bench, int& exit_code) {
  auto flags = std::make_shared<RatioFlags>();
  CLI::App* command = bench.add_subcommand(
      "ratios", "how near the kernels come to their bounds, beside what they came to before");
  AddFilterFlags(*command, *flags);
  AddBudgetFlags(*command, *flags);
  AddTimeFlag(*command, flags->seconds);
  AddSaveFlags(*command, *flags);
  command->add_option("--table", flags->table, "(default: kernels/ratios.txt of the source tree)");
  command->add_flag("--write", flags->write, "replaces the table");
  command->add_flag("--strict", flags->strict, "a jump is red, and so is nothing to compare with");
  command->callback([flags, &exit_code] { exit_code = Ratios(*flags); });
}

}  // namespace padproof
