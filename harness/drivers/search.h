// One cell of the table: one law on one kernel. Judging a case in it, whoever chose the case; and
// random search.

#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "harness/drivers/classes.h"
#include "harness/drivers/corpus.h"
#include "harness/drivers/kernel_info.h"
#include "harness/drivers/known.h"
#include "harness/drivers/shrink.h"
#include "harness/drivers/worker.h"
#include "harness/judge/property.h"

namespace padproof {

struct SearchOptions {
  uint64_t seed = 0;
  int cases = 200;               // a cell
  double seconds = 0;            // a cell; 0: no limit
  double deadline_seconds = 10;  // a case
  bool grow = true;              // the first cases are small; else all are drawn alike
  ShrinkBudget shrink;
  std::string corpora;            // where failures are saved; "" saves nothing
  const Ledger* known = nullptr;  // failures that end no cell
};

/// A failure as it is reported.
struct Finding {
  Entry entry;            // shrunk
  Failure failure;        // of the shrunk case
  std::string statement;  // of the law
  std::string source;     // the kernel's file
  int cases = 0;          // judged until it was found; 0 for a replay
  int steps = 0;          // of shrinking
  bool half_shrunk = false;
  std::string saved;    // path, "" if not saved
  bool known = false;   // the same entry had been saved before
  std::string problem;  // saving failed: why
};

/// Of a case that failed outside of a search, under a registered law.
Finding FindingOf(const Entry& entry, const Failure& failure, const KernelInfo& kernel);

struct Cell {
  const KernelInfo* kernel = nullptr;
  const Property* law = nullptr;
  std::string inapplicable;  // not empty: the law does not speak about this kernel
  int cases = 0;             // judged
  int held = 0;
  int out_of_domain = 0;
  int unexplained = 0;                            // of those that held
  std::string first_unexplained;                  // why, and the case
  std::map<std::string, int> skipped;             // reason -> cases
  std::array<int, kClassNames.size()> classes{};  // of the cases that held or failed
  std::map<std::string, double> worst_ratio;      // region -> error / bound, of cases that held
  std::map<std::string, int> known;               // identity of a known failure -> cases
  std::optional<Finding> finding;
  std::string error;  // the harness itself failed here
  double seconds = 0;
  int64_t scope = 0;  // of an exhaustive run: cases that it was to judge; 0: cases were drawn

  /// A cell that should have run and tested nothing is as red as a failure.
  bool vacuous() const {
    return inapplicable.empty() && held == 0 && known.empty() && !finding && error.empty();
  }
};

/// One case as it was judged; the references live as long as the call that passes it.
struct Judgement {
  const KernelInfo& kernel;
  const Property& law;
  const Case& c;
  const Verdict& verdict;
};

struct SearchEvents {
  std::function<void(const Judgement&)> judged;  // after each case
  std::function<void(const Finding&)> found;     // as soon as a failure is saved, not yet shrunk
  std::function<bool()> stopped;                 // true: end early
};

/// Why a law does not speak about a kernel, or "".
std::string Inapplicable(const Property& law, const KernelInfo& kernel);

/// Judges a case, the `nth` of its cell from 1 on, and counts it there. A failure becomes the
/// cell's finding, saved and not yet shrunk. False when the cell is over: it has a finding or an
/// error.
bool JudgeInto(Cell& cell, const Case& c, int nth, Worker& worker, const SearchOptions& options,
               const SearchEvents& events);

/// Case number `index` of a cell, from 0 on, bent towards what the law needs.
Case NthCase(const KernelInfo& kernel, const Property& law, const SearchOptions& options,
             int index);

/// Draws cases from where the cell stands until it has `to` or one fails, which is shrunk. False
/// when the cell is over: it has a finding, an error or all its cases, or its time is up.
bool SearchOn(Cell& cell, int to, Worker& worker, const SearchOptions& options,
              const SearchEvents& events);

/// The same in one go.
Cell Search(const KernelInfo& kernel, const Property& law, Worker& worker,
            const SearchOptions& options, const SearchEvents& events);

/// What a case file of this finding says: why it is there, then the line.
std::string CaseFileText(const Finding& finding);

/// Shrinks a failing entry and saves the result over `saved` (if not empty).
void ShrinkFinding(Finding& finding, const KernelInfo& kernel, Worker& worker,
                   const SearchOptions& options);

}  // namespace padproof
