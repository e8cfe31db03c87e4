#include "properties/support/run_oracle.h"

#include <algorithm>
#include <cmath>

#include "properties/support/run.h"

namespace padproof {
namespace {

const char* OrNull(const std::string& out_of_domain) {
  return out_of_domain.empty() ? nullptr : out_of_domain.c_str();
}

const reference::Judged& ElementOf(const reference::Gradients& gradients, Operand op, int row,
                                   int d) {
  return gradients.Of(op)[static_cast<size_t>(row)][static_cast<size_t>(d)];
}

/// Two stored numbers within `distance` of each other before rounding.
void ComparePair(Operand op, const RunOracle& first, const Index& at_first, const RunOracle& second,
                 const Index& at, double distance, WithinBound& bound) {
  const Dtype dtype = second.problem().DtypeOf(op);
  const uint32_t x = first.problem().BitsAt(op, at_first), y = second.problem().BitsAt(op, at);
  bound.Add(NameOf(op), reference::PairRatio(dtype, x, y, distance / 2, distance / 2), [&] {
    const auto [expected, got] = Numbers(Decode(dtype, x), Decode(dtype, y));
    Failure failure;
    failure.kind = IsNan(dtype, x) || IsNan(dtype, y) ? kind::kNan : kind::kValue;
    failure.region = NameOf(op);
    failure.where = Where(op, at);
    failure.expected = first.label() + ": " + expected + " +- " + Number(distance);
    failure.got = second.label() + ": " + got;
    return failure;
  });
}

}  // namespace

RunOracle::HeadOracle& RunOracle::At(int b, int head_kv) {
  const std::pair<int, int> key{b, head_kv};
  auto at = heads_.find(key);
  if (at == heads_.end()) {
    at = heads_.try_emplace(key, problem_, b, head_kv, kernel_.traits.numerics).first;
  }
  return at->second;
}

const reference::ForwardRow& RunOracle::Row(const Index& at) {
  const Case& c = problem_.c();
  HeadOracle& head = At(at.b, at.h / c.group);
  const int i = at.h % c.group * c.lens_q[static_cast<size_t>(at.b)] + at.i;
  std::optional<reference::ForwardRow>& row = head.rows[static_cast<size_t>(i)];
  if (!row) row = head.forward.Row(i);
  return *row;
}

const reference::Gradients& RunOracle::GradientsOf(int b, int head_kv, bool stored) {
  HeadOracle& head = At(b, head_kv);
  std::optional<reference::Gradients>& gradients = stored ? head.given : head.any;
  if (!gradients) gradients = reference::Backward(head.head, kernel_.traits.numerics, stored);
  return *gradients;
}

Proven RunOracle::Of(Operand op, const Index& at) {
  if (IsOfForward(op)) {
    const reference::ForwardRow& row = Row(at);
    const reference::Judged& judged =
        op == Operand::lse ? row.lse : row.out[static_cast<size_t>(at.d)];
    return {OrNull(row.out_of_domain), judged, judged};
  }
  const Case& c = problem_.c();
  const bool queries = HasQueryRows(op), stored = ReadsStoredForward(kernel_);
  const int head_kv = queries ? at.h / c.group : at.h;
  const int len_q = c.lens_q[static_cast<size_t>(at.b)];
  const int row = queries ? at.h % c.group * len_q + at.i : at.i;
  const reference::Gradients& given = GradientsOf(at.b, head_kv, stored);
  if (!given.out_of_domain.empty()) return {OrNull(given.out_of_domain), {}, {}};
  const reference::Gradients& any = GradientsOf(at.b, head_kv, false);
  if (!any.out_of_domain.empty()) return {OrNull(any.out_of_domain), {}, {}};
  return {nullptr, ElementOf(given, op, row, at.d), ElementOf(any, op, row, at.d)};
}

double DistanceOf(const Proven& first, const Proven& second) {
  const double given = first.given.radius + second.given.radius +
                       std::fabs(first.given.centre - second.given.centre);
  return std::min(given, first.any.radius + second.any.radius);
}

void CompareRuns(Operand op, RunOracle& first, RunOracle& second, WithinBound& bound,
                 const Place& place) {
  const Problem &x = first.problem(), &y = second.problem();
  const KernelTraits& traits = first.kernel().traits;
  for (int b = 0; b < x.c().batch(); ++b) {
    for (int h = 0; h < x.Heads(op); ++h) {
      for (int i = 0; i < x.RealRows(op, b); ++i) {
        Index from{b, h, i, 0};
        const std::optional<Index> to = place ? place(op, from) : from;
        if (!to || !IsPromised(traits, x.c(), op, from) || !IsPromised(traits, y.c(), op, *to)) {
          continue;
        }
        Index at = *to;
        for (; from.d < x.RealColumns(op, b); ++from.d, ++at.d) {
          const Proven a = first.Of(op, from), z = second.Of(op, at);
          if (a.out_of_domain != nullptr || z.out_of_domain != nullptr) {
            bound.Skip(a.out_of_domain != nullptr ? a.out_of_domain : z.out_of_domain);
            break;
          }
          ComparePair(op, first, from, second, at, DistanceOf(a, z), bound);
        }
      }
    }
  }
}

void CompareWith(const reference::Judged& judged, Operand op, const Index& at,
                 const std::string& label, const RunOracle& second, WithinBound& bound) {
  const Dtype dtype = second.problem().DtypeOf(op);
  const uint32_t bits = second.problem().BitsAt(op, at);
  bound.Add(NameOf(op), reference::Ratio(dtype, bits, judged), [&] {
    const double got = Decode(dtype, bits);
    const auto [expected, spelled] = Numbers(judged.centre, got);
    Failure failure;
    failure.kind = std::isnan(got) || std::isnan(judged.centre) ? kind::kNan : kind::kValue;
    failure.region = NameOf(op);
    failure.where = Where(op, at);
    failure.expected = label + ": " + expected + " +- " + Number(judged.radius);
    failure.got = second.label() + ": " + spelled;
    return failure;
  });
}

}  // namespace padproof
