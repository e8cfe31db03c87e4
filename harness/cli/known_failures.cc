#include "harness/cli/known_failures.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/cli/commands.h"
#include "harness/report/style.h"

namespace padproof {

void PrintKnown(const RunResult& result, const Ledger& ledger) {
  for (const Cell& cell : result.cells) {
    for (const auto& [identity, cases] : cell.known) {
      const KnownFailure& known = *ledger.Find(identity);
      const std::string& region = known.failure.region;
      fmt::print("known: {} / {}: {}{}, in {} case{}: {}\n", known.entry.law, known.entry.kernel,
                 known.failure.kind, region.empty() ? "" : " at " + region, cases,
                 cases == 1 ? "" : "s", known.reason);
    }
  }
}

int JudgeKnown(const Ledger& ledger, const std::vector<KernelInfo>& kernels,
               const std::vector<const Property*>& laws, Worker& worker, double deadline_seconds) {
  int exit_code = kExitHolds;
  for (const auto& [identity, known] : ledger.all()) {
    const auto kernel = std::find_if(kernels.begin(), kernels.end(), [&](const KernelInfo& k) {
      return k.id == known.entry.kernel;
    });
    const auto law = std::find_if(laws.begin(), laws.end(),
                                  [&](const Property* p) { return p->name == known.entry.law; });
    if (kernel == kernels.end() || law == laws.end()) continue;
    const std::string changed = StillFails(known, worker, deadline_seconds);
    if (changed.empty()) continue;
    fmt::print(stderr, "padproof: {}\n", changed);
    exit_code = kExitFails;
  }
  return exit_code;
}

}  // namespace padproof
