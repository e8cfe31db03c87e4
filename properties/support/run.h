// What every law shares: launching a kernel on a problem, comparing results bit for bit, and
// spelling elements and numbers for a person.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"
#include "harness/judge/verdict.h"
#include "properties/support/promised.h"

namespace padproof {

// ---- launching ----------------------------------------------------------------------------------

/// Runs forward (if the row has one) and, if c.backward, backward. For a row that has only a
/// backward the oracle supplies O and LSE. A backward reads O and LSE with `stored_pads` in their
/// pads where no forward promises to write them. No value when all went well; not_applicable when
/// the entry point rejected the input; fails (kind::kLaunch) when the launch failed.
std::optional<Verdict> Run(const KernelRow& kernel, Problem& problem, Fill stored_pads);

/// The same with stored_pads = AllowedFill(traits, problem.c().fill).
std::optional<Verdict> Run(const KernelRow& kernel, Problem& problem);

/// The same for laws that compare bits: which weights dropout drops is not read, since no oracle
/// asks.
std::optional<Verdict> RunForBits(const KernelRow& kernel, Problem& problem, Fill stored_pads);
std::optional<Verdict> RunForBits(const KernelRow& kernel, Problem& problem);

// ---- spelling -----------------------------------------------------------------------------------

/// "out[b=0 h=0 i=0 d=0]"; keys are indexed by j; LSE has no d, dbias a query and a key.
std::string Where(Operand op, const Index& at);
/// "pad dk[b=0 h=0 slot=3 d=0]"
std::string WherePad(Operand op, int b, int h, int slot, int d);
/// Four digits, or nan, inf, -inf.
std::string Number(double x);
/// Two numbers with as many digits as it takes to tell them apart, at least four.
std::pair<std::string, std::string> Numbers(double a, double b);
/// "3 of 20 elements"
std::string Extent(int64_t count, int64_t total);

// ---- comparing ----------------------------------------------------------------------------------

/// One of two runs that are compared, and how to call it: "pads nan".
struct Side {
  const Problem& problem;
  std::string label;
};

/// Whether -0 and +0 are one value. Where what is masked holds something else they are: a tiled
/// kernel multiplies it by 0, and 0 * pad is -0 or +0, which decides the sign of a sum of nothing
/// but zeros. The same call, on the same bits, has no such excuse.
enum class ZeroSign : int32_t { exact = 0, any = 1 };

/// Bitwise equality, all NaNs being one value; with ZeroSign::any -0 and +0 are one value too.
bool SameBits(Dtype dtype, uint32_t a, uint32_t b, ZeroSign zero_sign = ZeroSign::exact);

/// Real tokens of one output, bit for bit (all NaNs being one value). The two problems may differ
/// in pads and layout, not in lengths, heads and dim. `expected` is the first side, `got` the
/// second; the failure names the first mismatch; it is of kind `nan` when only the second side is
/// NaN. `part`: where, if not everywhere.
std::optional<Failure> CompareReal(const Side& expected, const Side& got, Operand op,
                                   ZeroSign zero_sign = ZeroSign::exact,
                                   const Part& part = nullptr);

/// The same over a part of the outputs that the row promises to repeat, zeros of either sign.
std::optional<Failure> CompareRepeatable(const KernelRow& kernel, const Side& expected,
                                         const Side& got, const Part& part);

/// CompareReal over the outputs that are repeatable in order, where specified; zeros of either
/// sign.
std::optional<Failure> CompareReal(const KernelRow& kernel, const Side& expected, const Side& got);

/// The same over padded slots of an output; the problems must be of the same shape.
std::optional<Failure> ComparePads(const KernelTraits& traits, const Side& expected,
                                   const Side& got, Operand op);

/// The same by itself: runs both problems, and holds if `part` of what the row repeats is the same.
Verdict JudgeRepeatable(const KernelRow& kernel, Problem& expected, const char* expected_label,
                        Problem& got, const std::string& got_label, const Part& part);

/// Calls visit(at), at.d being 0, for every row of `op` of real tokens.
template <class Visit>
void ForEachRealRow(const Problem& problem, Operand op, Visit visit) {
  for (Index at{0, 0, 0, 0}; at.b < problem.c().batch(); ++at.b) {
    for (at.h = 0; at.h < problem.Heads(op); ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(op, at.b); ++at.i)
        visit(static_cast<const Index&>(at));
    }
  }
}

/// Calls visit(at) for every element of `op` of real tokens.
template <class Visit>
void ForEachReal(const Problem& problem, Operand op, Visit visit) {
  ForEachRealRow(problem, op, [&](Index at) {
    for (; at.d < problem.RealColumns(op, at.b); ++at.d) visit(static_cast<const Index&>(at));
  });
}

/// Calls visit(b, h, slot, d) for every element of `op` in a padded slot.
template <class Visit>
void ForEachPad(const Problem& problem, Operand op, Visit visit) {
  for (int b = 0; b < problem.c().batch(); ++b) {
    for (int h = 0; h < problem.Heads(op); ++h) {
      for (int slot = 0; slot < problem.Slots(op, b); ++slot) {
        for (int d = 0; d < problem.Columns(op); ++d) {
          if (!problem.IsReal(op, b, slot, d)) visit(b, h, slot, d);
        }
      }
    }
  }
}

/// Counts elements that break a law and keeps the first of them as the failure to report.
class FirstFailure {
 public:
  /// One more element judged; `failure()` is called for the first bad one only.
  template <class MakeFailure>
  void Add(bool good, MakeFailure failure) {
    ++total_;
    if (good) return;
    if (count_++ == 0) failure_ = failure();
  }
  int64_t total() const { return total_; }
  /// With its extent filled in.
  std::optional<Failure> failure() const;

 private:
  int64_t total_ = 0;
  int64_t count_ = 0;
  Failure failure_;
};

/// Verdict of an optional failure.
Verdict HoldsUnless(std::optional<Failure> failure);

}  // namespace padproof
