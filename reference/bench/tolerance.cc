// `padproof bench tolerance`: the smallest leak that each rule sees, ours and those of others,
// beside the share of correct kernels that it accuses. Fails if one of our rules accuses a correct
// kernel, or if none of them sees one zero key left unmasked.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <mutex>

#include "harness/base/random.h"
#include "harness/cli/bench.h"
#include "harness/cli/commands.h"
#include "reference/bench/leaks.h"
#include "reference/bench/rules.h"
#include "reference/emulation/families.h"
#include "reference/emulation/kernels.h"
#include "reference/emulation/survey.h"

namespace padproof {
namespace {

using namespace reference;  // NOLINT: this file is about nothing else

constexpr std::array<Dtype, 3> kDtypes{Dtype::f32, Dtype::f16, Dtype::bf16};
constexpr std::array<int, 3> kLengths{17, 128, 1024};
constexpr int kDim = 64, kQueries = 8;
constexpr int kLeast = -44;  // 2^-44 of the row sum: the end of the scan

struct ToleranceFlags {
  int seeds = 5, zero_key_seeds = 6, runs = 1200;
  std::string seed;
  int jobs = 0;
};

/// What most kernels are: tiles of 64 keys, on SIMT lanes in fp32 and H100's tensor cores in 16
/// bit.
Emulation KernelOf(Dtype dtype) {
  if (dtype == Dtype::f32) return {.name = "flash_64", .tile = 64, .sum = Sum::fma, .exp_ulps = 2};
  return {.name = "flash_64_h100",
          .tile = 64,
          .sum = Sum::tensor_core,
          .core = kH100Core,
          .exp_ulps = 2,
          .round_p = true};
}

Head RandnOf(Dtype dtype, int n, uint64_t seed) {
  Head head = HeadOf(Family::randn, {kQueries, n, kDim, dtype}, seed);
  head.visible.assign(kQueries, {0, n});
  return head;
}

bool Applies(const Rule& rule, Dtype dtype) { return !rule.only_16_bit || dtype != Dtype::f32; }

void PrintHeader(const char* first) {
  fmt::print("{:<22}", first);
  for (const Rule& rule : Rules()) fmt::print("{:>9}", rule.name);
  fmt::print("\n");
}

// ---- correct kernels that are accused -----------------------------------------------------------

struct Alarms {
  int runs = 0;
  std::array<int, kRules> rejected{};
};
using AlarmsByDtype = std::array<std::array<Alarms, 2>, 3>;  // [dtype][randn alone]

/// Correct by a declared profile alone (TF32, scores or Q in 16 bit): no fixed tolerance is meant
/// for them.
bool IsCoarse(const NamedKernel& kernel, Dtype dtype) {
  const NumericsProfile profile = ProfileOf(kernel.emulation, dtype);
  return profile.operand_rounding > 0 || profile.score_rounding > 0 ||
         profile.qk_scale_rounding > 0x1p-20;
}

Evidence SurveyRun(uint64_t seed, int64_t index, Family& family) {
  Random random(HashOf({seed, static_cast<uint64_t>(index)}));
  const Dtype dtype = kDtypes[random.Below(3)];
  family = static_cast<Family>(random.Below(kFamilies));
  const auto kernels = EmulatedKernels();
  const NamedKernel* kernel = nullptr;
  while (kernel == nullptr || !kernel->dtypes.Has(dtype) || IsCoarse(*kernel, dtype)) {
    kernel = &kernels[random.Below(static_cast<uint32_t>(kernels.size()))];
  }
  const HeadShape shape{2, random.Between(1, 257), random.OneOf({8, 16, 64}), dtype};
  return CleanRun(kernel->emulation, HeadOf(family, shape, random.Next()), random.Next());
}

AlarmsByDtype AlarmsOf(uint64_t seed, int64_t runs, int jobs) {
  AlarmsByDtype alarms{};
  std::mutex mutex;
  InParallel(runs, jobs, [&](int64_t index, int) {
    Family family{};
    const Evidence evidence = SurveyRun(seed, index, family);
    std::array<bool, kRules> rejects{};
    for (size_t r = 0; r < kRules; ++r) {
      const Rule& rule = Rules()[r];
      if (!rule.needs_pads && Applies(rule, evidence.head.dtype)) {
        rejects[r] = rule.rejects(evidence);
      }
    }
    const std::lock_guard lock(mutex);
    for (size_t randn = 0; randn <= (family == Family::randn ? 1u : 0u); ++randn) {
      Alarms& a = alarms[static_cast<size_t>(evidence.head.dtype)][randn];
      ++a.runs;
      for (size_t r = 0; r < kRules; ++r) a.rejected[r] += rejects[r];
    }
    return true;
  });
  return alarms;
}

/// False if one of our rules fails a correct kernel.
bool PrintAlarms(const AlarmsByDtype& alarms) {
  fmt::print("\nCorrect kernels that are rejected, % of runs (n <= 257), and on randn alone\n");
  PrintHeader("dtype (runs)");
  bool good = true;
  for (Dtype dtype : kDtypes) {
    const auto& [all, randn] = alarms[static_cast<size_t>(dtype)];
    fmt::print("{:<22}", fmt::format("{} ({})", padproof::NameOf(dtype), all.runs));
    for (size_t r = 0; r < kRules; ++r) {
      const Rule& rule = Rules()[r];
      if (rule.needs_pads || !Applies(rule, dtype)) {
        fmt::print("{:>9}", "-");
        continue;
      }
      const auto share = [&](const Alarms& a) {
        return a.runs == 0 ? 0 : 100.0 * a.rejected[r] / a.runs;
      };
      fmt::print("{:>9}", fmt::format("{:.1f}/{:.0f}", share(all), share(randn)));
      good &= !rule.fails_kernels || all.rejected[r] == 0;
    }
    fmt::print("\n");
  }
  return good;
}

// ---- the smallest leak seen ---------------------------------------------------------------------

constexpr int kNever = 1, kAlarm = 2;

/// log2 of the smallest weight of the pad that the rule sees, kNever, or kAlarm on the clean run.
std::array<int, kRules> Thresholds(Dtype dtype, int n, PadValue value, uint64_t seed) {
  const Head head = RandnOf(dtype, n, seed);
  const Emulation e = KernelOf(dtype);
  const Evidence clean = CleanRun(e, head, seed);
  std::array<int, kRules> thresholds{};
  for (size_t r = 0; r < kRules; ++r) {
    const Rule& rule = Rules()[r];
    if (!Applies(rule, dtype)) continue;
    const auto sees = [&](int log2_weight) {
      return rule.rejects(LeakyRun(e, head, value, log2_weight, seed));
    };
    if (rule.rejects(clean)) {
      thresholds[r] = kAlarm;
    } else if (!sees(0)) {
      thresholds[r] = kNever;
    } else {
      int seen = 0, unseen = kLeast - 1;
      while (seen - unseen > 1) {
        const int middle = (seen + unseen) / 2;
        (sees(middle) ? seen : unseen) = middle;
      }
      thresholds[r] = seen;
    }
  }
  return thresholds;
}

struct Row {
  Dtype dtype;
  int n;
  PadValue value;
};

std::vector<Row> RowsOfTable() {
  std::vector<Row> rows;
  for (Dtype dtype : kDtypes) {
    for (int n : kLengths) {
      for (PadValue value : {PadValue::one, PadValue::zero}) rows.push_back({dtype, n, value});
    }
  }
  return rows;
}

void PrintThresholds(const ToleranceFlags& flags, uint64_t seed) {
  const std::vector<Row> rows = RowsOfTable();
  std::vector<std::array<std::vector<int>, kRules>> found(rows.size());
  std::mutex mutex;
  const int64_t count = static_cast<int64_t>(rows.size()) * flags.seeds;
  InParallel(count, flags.jobs, [&](int64_t index, int) {
    const size_t at = static_cast<size_t>(index / flags.seeds);
    const Row& row = rows[at];
    const auto one = Thresholds(row.dtype, row.n, row.value, seed + 1 + index % flags.seeds);
    const std::lock_guard lock(mutex);
    for (size_t r = 0; r < kRules; ++r) found[at][r].push_back(one[r]);
    return true;
  });
  fmt::print(
      "\nSmallest pad weight seen, log2 of its share of the row sum; randn, d = {}, median of "
      "{} seeds\n(FA: rejects the clean run; V = 1: the pad adds to the sum; V = 0: to the row "
      "sum alone)\n",
      kDim, flags.seeds);
  PrintHeader("dtype n pad");
  for (size_t at = 0; at < rows.size(); ++at) {
    fmt::print("{:<22}", fmt::format("{} {} V={}", padproof::NameOf(rows[at].dtype), rows[at].n,
                                     rows[at].value == PadValue::one ? 1 : 0));
    for (size_t r = 0; r < kRules; ++r) {
      auto& values = found[at][r];
      std::sort(values.begin(), values.end());
      const int median = values.empty() ? kNever : values[values.size() / 2];
      const bool applies = Applies(Rules()[r], rows[at].dtype);
      fmt::print("{:>9}", !applies || median == kNever ? "-"
                          : median == kAlarm           ? "FA"
                                                       : std::to_string(median));
    }
    fmt::print("\n");
  }
}

// ---- one zero key left unmasked -----------------------------------------------------------------

/// False if a run escapes all of our rules.
bool PrintZeroKey(const ToleranceFlags& flags, uint64_t seed) {
  fmt::print("\nOne zero key left unmasked: seen in x of {} seeds\n", flags.zero_key_seeds);
  PrintHeader("dtype n");
  bool good = true;
  for (Dtype dtype : kDtypes) {
    for (int n : kLengths) {
      std::array<int, kRules> seen{};
      int by_ours = 0;
      std::mutex mutex;
      InParallel(flags.zero_key_seeds, flags.jobs, [&](int64_t index, int) {
        const uint64_t s = seed + 1 + static_cast<uint64_t>(index);
        const Evidence evidence = ZeroKeyRun(KernelOf(dtype), RandnOf(dtype, n, s), s);
        std::array<bool, kRules> sees{};
        bool ours = false;
        for (size_t r = 0; r < kRules; ++r) {
          const Rule& rule = Rules()[r];
          sees[r] = Applies(rule, dtype) && rule.rejects(evidence);
          ours |= sees[r] && rule.fails_kernels;
        }
        const std::lock_guard lock(mutex);
        for (size_t r = 0; r < kRules; ++r) seen[r] += sees[r];
        by_ours += ours;
        return true;
      });
      good &= by_ours == flags.zero_key_seeds;
      fmt::print("{:<22}", fmt::format("{} {}", padproof::NameOf(dtype), n));
      for (size_t r = 0; r < kRules; ++r) {
        fmt::print("{:>9}", Applies(Rules()[r], dtype) ? std::to_string(seen[r]) : "-");
      }
      fmt::print("\n");
    }
  }
  return good;
}

int Tolerance(ToleranceFlags flags) {
  const uint64_t seed = SeedFrom(flags.seed);
  flags.jobs = JobsOf(flags.jobs);
  for (const Rule& rule : Rules()) fmt::print("{:<10}{}\n", rule.name, rule.source);
  const bool no_alarm = PrintAlarms(AlarmsOf(seed, flags.runs, flags.jobs));
  const bool none_escapes = PrintZeroKey(flags, seed);
  if (flags.seeds > 0) PrintThresholds(flags, seed);
  if (!no_alarm) fmt::print("\nRED: a rule of ours rejects a correct kernel\n");
  if (!none_escapes) fmt::print("\nRED: an unmasked zero key escapes T0, T1 and LSE\n");
  return no_alarm && none_escapes ? kExitHolds : kExitFails;
}

}  // namespace

void AddBenchTolerance(CLI::App& bench, int& exit_code) {
  auto flags = std::make_shared<ToleranceFlags>();
  CLI::App* command = bench.add_subcommand(
      "tolerance",
      "the smallest leak that each rule sees, and the correct kernels that it accuses");
  command->add_option("--runs", flags->runs, "correct kernels on a head")
      ->check(CLI::Range(1, 100000000))
      ->capture_default_str();
  command->add_option("--seeds", flags->seeds, "seeds of each median; 0: no table of weights")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  AddSeedFlag(*command, flags->seed);
  command->add_option("--jobs", flags->jobs, "threads; 0: one a core")->check(CLI::Range(0, 1024));
  command->callback([flags, &exit_code] { exit_code = Tolerance(*flags); });
}

}  // namespace padproof
