// Judging stored numbers against centres and radii, and reporting the worst of them.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/judge/problem.h"
#include "harness/judge/verdict.h"
#include "reference/attention.h"

namespace padproof {

/// What the bound assumes of the kernel, in words: "P rounded to 2^-8, tiles of 16 keys or more".
std::string Describe(const NumericsProfile& profile);

/// "0.5 +- 1.2e-06"
std::string Spell(const reference::Judged& judged);

/// True when the bounds of the gradients may take the stored O and LSE as given: the kernel's
/// backward reads them. A row that returns no LSE, or says so, recomputes its forward.
bool ReadsStoredForward(const KernelRow& kernel);

/// Collects ratios of error to bound; 1 passes.
class WithinBound {
 public:
  /// A stored number against its centre and radius.
  void Add(Operand op, const Index& at, uint32_t bits, Dtype dtype,
           const reference::Judged& judged);
  /// Any comparison: `describe` makes the failure if this is the worst so far and fails. `region`
  /// is what its ratio is counted under.
  template <class Describe>
  void Add(const char* region, double ratio, Describe describe) {
    ++judged_;
    Count(region, ratio);
    if (ratio <= 1) return;
    if (failures_++ > 0 && !(ratio > worst_.ratio)) return;
    worst_ = describe();
    worst_.ratio = ratio;
  }
  /// Elements that are not judged because their row is out of domain.
  void Skip(const std::string& inequality) {
    if (skipped_.empty()) skipped_ = inequality;
  }

  /// Holds if something was judged and all of it passed; else out of domain, or not applicable when
  /// there was nothing to judge. In each it says how near the elements came.
  Verdict verdict(const NumericsProfile& profile) const;

 private:
  void Count(const char* region, double ratio);
  Verdict WithoutCloseness(const NumericsProfile& profile) const;

  std::vector<Closeness> closeness_;
  int64_t judged_ = 0;
  int64_t failures_ = 0;
  Failure worst_;
  std::string skipped_;
};

}  // namespace padproof
