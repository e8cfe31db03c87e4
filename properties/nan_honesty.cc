// nan_honesty
//
//   NaN in q_i      =>  O_i and LSE_i are NaN, if i sees a key
//   NaN in k_j      =>  O_i and LSE_i are NaN for every i that sees j
//   NaN in v_jd     =>  O_id is NaN for every i that sees j with a weight above 2^-20
//
// Preconditions: the row has a forward; no dropout, which may drop it. One element of one real
// token is NaN, drawn from the seed.
//
// A kernel that hides NaN (a maximum that skips it, a clamp, a product that is left out) hides a
// model that has diverged. Where else the NaN may show is not said here: see batch_independence and
// head_independence.

#include <cmath>
#include <limits>
#include <optional>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "reference/attention.h"

namespace padproof {
namespace {

constexpr double kLeastWeight = 0x1p-20;

const char* Inapplicable(const KernelTraits&, bool has_forward, bool) {
  return has_forward ? nullptr : "has no forward";
}

void Prepare(Case& c, const KernelTraits& traits, Random&) {
  c.backward = false;
  c.dropout = 0;
  c.fill = AllowedFill(traits, c.fill);
}

/// The element that becomes NaN; none if the drawn sequence has no such token.
std::optional<Index> ElementOf(const Problem& problem, Operand op, uint64_t hash) {
  const Case& c = problem.c();
  const auto pick = [&](int count) {
    hash = HashOf({hash});
    return static_cast<int>((hash >> 32) % static_cast<uint64_t>(count));
  };
  const int b = pick(c.batch()), h = pick(problem.Heads(op));
  if (problem.RealRows(op, b) == 0) return std::nullopt;
  const int i = pick(problem.RealRows(op, b));
  return Index{b, h, i, pick(problem.Columns(op))};
}

/// Whether the NaN at `nan` of `op` must show in element `at` of O (or in LSE).
class Shows {
 public:
  Shows(const Problem& clean, Operand op, const Index& nan)
      : c_(clean.c()),
        op_(op),
        nan_(nan),
        head_(reference::ReadHead(clean, nan.b, HasQueryRows(op) ? nan.h / c_.group : nan.h)),
        oracle_(head_, profile_) {}

  bool In(Operand result, const Index& at) const {
    if (at.b != nan_.b) return false;
    if (op_ == Operand::q) {
      return at.h == nan_.h && at.i == nan_.i && !SeesNothing(c_, at.b, at.h, at.i);
    }
    if (at.h / c_.group != nan_.h || !Sees(c_, at.b, at.h, at.i, nan_.i)) return false;
    if (op_ == Operand::k) return true;
    return result == Operand::o && at.d == nan_.d && WeightOf(at) > kLeastWeight;
  }

 private:
  double WeightOf(const Index& at) const {
    const int len_q = c_.lens_q[static_cast<size_t>(at.b)];
    const reference::ForwardRow row = oracle_.Row(at.h % c_.group * len_q + at.i);
    if (!row.out_of_domain.empty()) return 0;
    for (size_t n = 0; n < row.keys.size(); ++n) {
      if (row.keys[n] == nan_.i) return row.p[n];
    }
    return 0;
  }

  const Case& c_;
  Operand op_;
  Index nan_;
  NumericsProfile profile_;
  reference::Head head_;
  reference::ForwardOracle oracle_;
};

Verdict Check(const KernelRow& kernel, const Case& original) {
  Case c = WithAllowedFill(kernel.traits, original);
  if (c.dropout > 0) return Verdict::NotApplicable("dropout may drop what is NaN");
  c.backward = false;
  const Problem clean(c);
  Problem problem(c);
  const uint64_t hash = HashOf({c.seed, 3});
  const Operand op = std::array{Operand::q, Operand::k, Operand::v}[(hash >> 32) % 3];
  const std::optional<Index> nan = ElementOf(clean, op, hash);
  if (!nan) return Verdict::NotApplicable("the drawn sequence has no such token");
  problem.SetReal(op, *nan, std::numeric_limits<double>::quiet_NaN());
  if (auto verdict = Run(kernel, problem)) return *verdict;

  const Shows shows(clean, op, *nan);
  FirstFailure failures;
  for (Operand result : Outputs(kernel, c)) {
    for (Index at{nan->b, 0, 0, 0}; at.h < problem.Heads(result); ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(result, at.b); ++at.i) {
        for (at.d = 0; at.d < problem.RealColumns(result, at.b); ++at.d) {
          if (!shows.In(result, at)) continue;
          const double got = problem.Real(result, at);
          failures.Add(std::isnan(got), [&] {
            return Failure{.kind = kind::kValue,
                           .region = NameOf(result),
                           .where = Where(result, at),
                           .expected = Where(op, *nan) + " is nan: nan",
                           .got = "got: " + Number(got)};
          });
        }
      }
    }
  }
  if (failures.total() == 0) return Verdict::NotApplicable("no query sees the token that is NaN");
  return HoldsUnless(failures.failure());
}

PADPROOF_PROPERTY({.name = "nan_honesty",
                   .statement = "a NaN in a real token shows in every result that depends on it",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .about_attention = true});

}  // namespace
}  // namespace padproof
