// What `padproof mutate` prints.

#pragma once

#include <string>
#include <vector>

#include "harness/drivers/mutation.h"
#include "harness/mutants/equivalents.h"

namespace padproof {

struct MutationReport {
  std::string file;  // that was edited, as it was named
  std::vector<Mutation> mutations;
  size_t asked = 0;  // edits; more than mutations if the time was over
  Equivalents equivalents;
  std::vector<const Property*> laws;

  bool IsEquivalent(const Mutation& m) const {
    return m.fate == Fate::survived && equivalents.contains(m.edit.id);
  }
  bool IsUnseen(const Mutation& m) const {
    return m.fate == Fate::survived && !equivalents.contains(m.edit.id);
  }
  /// Said to be equivalent, and yet a law fails.
  bool IsMisjudged(const Mutation& m) const {
    return m.fate == Fate::killed && equivalents.contains(m.edit.id);
  }
  bool red() const;
};

/// "flash_fwd.cu:88:21  4be2c0d1  '<' -> '<='"
std::string PlaceOf(const std::string& file, const Edit& edit);

/// One line: what became of an edit.
std::string FateLine(const MutationReport& report, const Mutation& mutation);

/// The table operator x fate, the score, who killed, and every edit that no law sees.
std::string MutationSummary(const MutationReport& report);
std::string MutationJson(const MutationReport& report);

}  // namespace padproof
