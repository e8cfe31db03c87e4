#include "properties/support/twins.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "properties/support/run.h"
#include "reference/attention.h"

namespace padproof {
namespace {

/// Two runs of one sequence and head of K and V side by side.
class Pair {
 public:
  Pair(const KernelRow& kernel, const Twin& first, const Twin& second, int h, WithinBound& bound)
      : kernel_(kernel), first_(first), second_(second), h_(h), bound_(bound) {}

  void CompareForward() {
    const Twin& longer = Longer();
    const reference::Head head = reference::ReadHead(longer.problem, longer.b, h_);
    const reference::ForwardOracle oracle(head, kernel_.traits.numerics);
    for (int i = 0; i < head.len_q; ++i) {
      if (!IsPromised(Operand::o, i)) continue;
      const reference::ForwardRow row = oracle.Row(i);
      if (!row.out_of_domain.empty()) {
        bound_.Skip(row.out_of_domain);
        continue;
      }
      for (int d = 0; d < first_.problem.Columns(Operand::o); ++d) {
        Compare(Operand::o, i, d, row.out[static_cast<size_t>(d)].radius);
      }
      if (kernel_.traits.returns_lse != 0 && IsPromised(Operand::lse, i)) {
        Compare(Operand::lse, i, 0, row.lse.radius);
      }
    }
  }

  void CompareGradients() {
    const bool stored = ReadsStoredForward(kernel_);
    const reference::Gradients x = GradientsIn(first_, stored), y = GradientsIn(second_, stored);
    const reference::Gradients any = stored ? GradientsIn(Longer(), false) : x;
    for (const reference::Gradients* gradients : {&x, &y, &any}) {
      if (!gradients->out_of_domain.empty()) return bound_.Skip(gradients->out_of_domain);
    }
    for (Operand op : GradientsOf(kernel_.traits, second_.problem.c())) {
      CompareGradient(op, x.Of(op), y.Of(op), any.Of(op));
    }
  }

 private:
  using Matrix = reference::Gradients::Matrix;

  /// Whose radius is for both: of the one that walks over more slots, where that matters.
  const Twin& Longer() const {
    const auto slots = [](const Twin& twin) { return twin.problem.Slots(Operand::k, twin.b); };
    const bool each = kernel_.traits.numerics.inexact_unit_rescale != 0;
    return each && slots(second_) > slots(first_) ? second_ : first_;
  }

  reference::Gradients GradientsIn(const Twin& twin, bool stored) const {
    return reference::Backward(twin.problem, kernel_.traits.numerics, twin.b, h_, stored);
  }

  void CompareGradient(Operand op, const Matrix& first, const Matrix& second, const Matrix& any) {
    for (size_t i = 0; i < first.size(); ++i) {
      if (!IsPromised(op, static_cast<int>(i))) continue;
      for (size_t d = 0; d < first[i].size(); ++d) {
        const reference::Judged &x = first[i][d], &y = second[i][d];
        const double given = x.radius + y.radius + std::fabs(x.centre - y.centre);
        Compare(op, static_cast<int>(i), static_cast<int>(d),
                std::min(given / 2, any[i][d].radius));
      }
    }
  }

  /// Row `i` of those of the head of K and V.
  Index At(const Twin& twin, Operand op, int i, int d = 0) const {
    return HasQueryRows(op) ? twin.problem.QueryAt(twin.b, h_, i, d) : Index{twin.b, h_, i, d};
  }

  bool IsPromised(Operand op, int i) const {
    return padproof::IsPromised(kernel_.traits, second_.problem.c(), op, At(second_, op, i));
  }

  /// `radius` of each of the two.
  void Compare(Operand op, int i, int d, double radius) {
    const Dtype dtype = second_.problem.DtypeOf(op);
    const Index at = At(second_, op, i, d);
    const uint32_t x = first_.problem.BitsAt(op, At(first_, op, i, d));
    const uint32_t y = second_.problem.BitsAt(op, at);
    bound_.Add(NameOf(op), reference::PairRatio(dtype, x, y, radius, radius), [&] {
      const auto [expected, got] = Numbers(Decode(dtype, x), Decode(dtype, y));
      Failure failure;
      failure.kind = IsNan(dtype, x) || IsNan(dtype, y) ? kind::kNan : kind::kValue;
      failure.region = NameOf(op);
      failure.where = Where(op, at);
      failure.expected = first_.label + ": " + expected + " +- " + Number(2 * radius);
      failure.got = second_.label + ": " + got;
      return failure;
    });
  }

  const KernelRow& kernel_;
  const Twin& first_;
  const Twin& second_;
  int h_;
  WithinBound& bound_;
};

}  // namespace

void CompareWithin(const KernelRow& kernel, const Twin& first, const Twin& second,
                   WithinBound& bound) {
  const Case& c = second.problem.c();
  for (int h = 0; h < c.heads_kv(); ++h) {
    Pair pair(kernel, first, second, h, bound);
    if (kernel.forward != nullptr) pair.CompareForward();
    if (c.backward) pair.CompareGradients();
  }
}

Verdict JudgeTwins(const KernelRow& kernel, Problem& first, const char* first_label,
                   Problem& second, const char* second_label) {
  if (auto verdict = Run(kernel, first)) return *verdict;
  if (auto verdict = Run(kernel, second)) return *verdict;
  WithinBound bound;
  for (int b = 0; b < first.c().batch(); ++b) {
    CompareWithin(kernel, {first, b, first_label}, {second, b, second_label}, bound);
  }
  return bound.verdict(kernel.traits.numerics);
}

void CopyToken(Problem& to, Operand op, const Index& at, const Problem& from,
               const Index& from_at) {
  Index to_at = at, there = from_at;
  for (to_at.d = there.d = 0; to_at.d < to.RealColumns(op, at.b); ++to_at.d, ++there.d) {
    to.SetBitsAt(op, to_at, from.BitsAt(op, there));
  }
}

void CopyTokens(Problem& to, int b, const Problem& from, int from_b) {
  for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o, Operand::bias}) {
    if (!HasTensor(to.c(), op)) continue;
    for (int h = 0; h < to.Heads(op); ++h) {
      for (int i = 0; i < to.RealRows(op, b); ++i) {
        CopyToken(to, op, {b, h, i, 0}, from, {from_b, h, i, 0});
      }
    }
  }
}

}  // namespace padproof
