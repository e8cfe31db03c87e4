// What is proven about each result of one run by itself, and results of two runs on different
// problems that are one real number: each within its own bound of it, hence within the sum of the
// two of each other. For two runs on the same tokens see twins.h.

#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"
#include "properties/support/within_bound.h"
#include "reference/attention.h"

namespace padproof {

/// Centre and radius of one result before its rounding to storage. Forward results have one of
/// each. Gradients may have two: around the gradient given the O and LSE that the run stored, and
/// around the one that any right forward leads to.
struct Proven {
  const char* out_of_domain = nullptr;  // null, or the inequality: nothing is proven
  reference::Judged given, any;
};

/// A run and what the oracle says about it, computed when first asked for. The problem holds the
/// results of the run and must outlive this.
class RunOracle {
 public:
  RunOracle(const KernelRow& kernel, const Problem& problem, std::string label)
      : kernel_(kernel), problem_(problem), label_(std::move(label)) {}

  const KernelRow& kernel() const { return kernel_; }
  const Problem& problem() const { return problem_; }
  const std::string& label() const { return label_; }

  /// The forward of real query at.i of query head at.h.
  const reference::ForwardRow& Row(const Index& at);
  Proven Of(Operand op, const Index& at);

 private:
  struct HeadOracle {
    HeadOracle(const Problem& problem, int b, int head_kv, const NumericsProfile& profile)
        : head(reference::ReadHead(problem, b, head_kv)), forward(head, profile) {
      rows.resize(static_cast<size_t>(head.len_q));
    }
    reference::Head head;
    reference::ForwardOracle forward;
    std::vector<std::optional<reference::ForwardRow>> rows;
    std::optional<reference::Gradients> given, any;
  };
  HeadOracle& At(int b, int head_kv);
  const reference::Gradients& GradientsOf(int b, int head_kv, bool stored);

  const KernelRow& kernel_;
  const Problem& problem_;
  std::string label_;
  std::map<std::pair<int, int>, HeadOracle> heads_;
};

/// The largest distance, before both are rounded to storage, of two results of one real number.
double DistanceOf(const Proven& first, const Proven& second);

/// Where the second run has what the first has at `at`, for all its columns; none: not compared. No
/// function at all: at the same place.
using Place = std::function<std::optional<Index>(Operand op, const Index& at)>;

/// Every real row of `op` of the first run, at its place in the second, as far as both are promised
/// and in domain.
void CompareRuns(Operand op, RunOracle& first, RunOracle& second, WithinBound& bound,
                 const Place& place = nullptr);

/// The stored number of the second run against `judged`, which the first run and both bounds give.
void CompareWith(const reference::Judged& judged, Operand op, const Index& at,
                 const std::string& label, const RunOracle& second, WithinBound& bound);

}  // namespace padproof
