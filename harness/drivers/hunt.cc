#include "harness/drivers/hunt.h"

namespace padproof {

Hunted Hunt(const std::vector<KernelInfo>& rows, const std::vector<const Property*>& laws,
            Worker& worker, const SearchOptions& options, const std::function<bool()>& stopped) {
  Hunted hunted;
  std::vector<int64_t> held(rows.size());
  std::string skipped;
  for (int index = 0; index < options.cases; ++index) {
    for (const Property* law : laws) {
      for (size_t r = 0; r < rows.size(); ++r) {
        const KernelInfo& row = rows[r];
        if (!Inapplicable(*law, row).empty()) continue;
        if (stopped && stopped()) {
          hunted.cut_short = true;
          return hunted;
        }
        const std::string line = Print(NthCase(row, *law, options, index));
        const auto verdict = worker.Judge(row, law->name, line, options.deadline_seconds);
        if (!verdict) {
          hunted.error = verdict.error().message;
          return hunted;
        }
        ++hunted.judged;
        held[r] += Held(verdict->outcome);
        if (verdict->outcome == Outcome::not_applicable) skipped = verdict->reason;
        if (verdict->outcome != Outcome::fails) continue;
        hunted.kill = Kill{.law = law->name,
                           .kernel = row.name,
                           .kind = verdict->failure.kind,
                           .line = line,
                           .cases = index + 1};
        return hunted;
      }
    }
  }
  for (size_t r = 0; r < rows.size(); ++r) {
    if (held[r] > 0) continue;
    hunted.kill = Kill{.law = kNothingChecked,
                       .kernel = rows[r].name,
                       .kind = skipped,
                       .line = {},
                       .cases = options.cases};
  }
  return hunted;
}

}  // namespace padproof
