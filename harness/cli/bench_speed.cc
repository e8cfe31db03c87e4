// `padproof bench speed`: how many cases a second one core judges, by kernel and law. Processor
// time counts, of the worker and of this process, so that a busy machine measures the same;
// starting a worker and loading a library do not.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "harness/cli/bench.h"
#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/patience.h"
#include "harness/report/failure.h"

namespace padproof {
namespace {

constexpr int kWidth = 7;  // of a column

struct Speed {
  int64_t cases = 0;
  double seconds = 0;

  void operator+=(const Speed& other) {
    cases += other.cases;
    seconds += other.seconds;
  }
};

std::string Text(const Speed& speed) {
  if (speed.cases == 0 || speed.seconds <= 0) return "-";
  return fmt::format("{:.0f}", static_cast<double>(speed.cases) / speed.seconds);
}

/// Of this process and of its worker.
double SecondsOf(const Worker& worker) {
  return CpuSecondsOf(getpid()) + CpuSecondsOf(worker.pid());
}

using Table = std::vector<std::vector<Speed>>;  // kernels x laws

/// A cell whose seconds are those of a processor.
Cell Measure(const KernelInfo& kernel, const Property& law, Worker& worker,
             const SearchOptions& options) {
  SearchOptions one = options;
  one.cases = 1;
  Search(kernel, law, worker, one, {});  // starts the worker and loads the library
  const double before = SecondsOf(worker);
  Cell cell = Search(kernel, law, worker, options, {});
  cell.seconds = SecondsOf(worker) - before;
  return cell;
}

void PrintSpeeds(const std::vector<KernelInfo>& kernels, const std::vector<const Property*>& laws,
                 const Table& table) {
  const auto print = [](const std::string& name, const std::vector<Speed>& row) {
    fmt::print("{:<24}", name);
    Speed all;
    for (const Speed& speed : row) {
      fmt::print("{:>{}}", Text(speed), kWidth);
      all += speed;
    }
    fmt::print("{:>{}}\n", Text(all), kWidth);
  };
  const auto print_sum = [&](const std::string& name, const auto& wanted) {
    std::vector<Speed> row(kernels.size());
    for (size_t k = 0; k < kernels.size(); ++k) {
      for (size_t l = 0; l < laws.size(); ++l) {
        if (wanted(*laws[l])) row[k] += table[k][l];
      }
    }
    print(name, row);
  };
  fmt::print("{:<24}", "law \\ kernel");
  for (size_t k = 0; k < kernels.size(); ++k) {
    fmt::print("{:>{}}", fmt::format("[{}]", k + 1), kWidth);
  }
  fmt::print("{:>{}}\n", "all", kWidth);
  for (size_t l = 0; l < laws.size(); ++l) {
    std::vector<Speed> row;
    for (size_t k = 0; k < kernels.size(); ++k) row.push_back(table[k][l]);
    print(laws[l]->name, row);
  }
  print_sum("laws that compare bits", [](const Property& law) { return !law.has_bound; });
  print_sum("laws with a bound", [](const Property& law) { return law.has_bound; });
  print_sum("all laws", [](const Property&) { return true; });
  for (size_t k = 0; k < kernels.size(); ++k) fmt::print("[{}] {}\n", k + 1, kernels[k].id);
}

int BenchSpeed(const SearchFlags& flags) {
  const auto laws = FindLaws(flags.laws);
  if (!laws) return Complain(laws.error().message, kExitUsage);
  Worker worker;
  auto kernels = FindKernels(flags.kernels, worker);
  if (!kernels) return Complain(kernels.error().message, kExitUsage);
  ReportMissing(TakeMissing(*kernels), kExitHolds, false);
  SearchOptions options = OptionsOf(flags);
  options.corpora.clear();
  fmt::print(
      "padproof bench speed: cases a second of processor time (one core), {} a cell, as "
      "'padproof check' draws them\n",
      options.cases);
  Table table;
  for (const KernelInfo& kernel : *kernels) {
    std::vector<Speed>& row = table.emplace_back();
    for (const Property* law : *laws) {
      row.emplace_back();
      if (!Inapplicable(*law, kernel).empty()) continue;
      const Cell cell = Measure(kernel, *law, worker, options);
      if (!cell.error.empty()) return Complain(cell.error, kExitHarness);
      if (cell.finding) {
        fmt::print("{}", Report(*cell.finding));
        return Complain("a law failed: speeds would mean nothing", kExitFails);
      }
      row.back() = {.cases = cell.cases, .seconds = cell.seconds};
    }
  }
  PrintSpeeds(*kernels, *laws, table);
  return kExitHolds;
}

}  // namespace

void AddBenchSpeed(CLI::App& bench, int& exit_code) {
  auto flags = std::make_shared<SearchFlags>();
  CLI::App* command =
      bench.add_subcommand("speed", "cases a second on one core, by kernel and law");
  AddFilterFlags(*command, *flags);
  command->add_option("--cases", flags->cases, "cases a cell of the table")
      ->check(CLI::Range(1, 1000000000))
      ->capture_default_str();
  AddSeedFlag(*command, flags->seed);
  command->callback([flags, &exit_code] { exit_code = BenchSpeed(*flags); });
}

}  // namespace padproof
