// The ledger of known open failures, corpora/known.txt: failures that somebody has looked at and
// that are not fixed yet. They stop no run and make none red, until they no longer fail. A line is
// a case that shows the failure, then what it is and why it is still there:
//
//   oracle_agreement my_kernel@simt lens_q=1 lens_k=17 dim=1  # value at out: issue 12
//
// Whatever fails in the same law, kernel, kind and region is this failure.

#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/base/check.h"
#include "harness/drivers/corpus.h"
#include "harness/drivers/worker.h"

namespace padproof {

struct KnownFailure {
  Entry entry;
  Failure failure;  // its kind and region
  std::string reason;
  std::string place;  // "corpora/known.txt:3"

  std::string identity() const;
};

class Ledger {
 public:
  /// The one of this identity, or null.
  const KnownFailure* Find(const std::string& identity) const;
  /// Of a failing verdict.
  const KnownFailure* Find(const Entry& entry, const Failure& failure) const;
  void Add(KnownFailure known);

  const std::map<std::string, KnownFailure>& all() const { return by_identity_; }

 private:
  std::map<std::string, KnownFailure> by_identity_;
};

/// A ledger's text.
Result<Ledger> ParseLedger(const std::string& path, const std::string& text);

/// `directory`/known.txt; no such file is an empty ledger. An error names file, line and remedy.
Result<Ledger> ReadLedger(const std::string& directory);

/// "" if the failure is still there, else a line that names the place and says what has become of
/// it.
std::string StillFails(const KnownFailure& known, Worker& worker, double deadline_seconds);

}  // namespace padproof
