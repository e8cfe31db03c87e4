// nan_honesty
//
//   NaN in q_i      =>  O_i and LSE_i are NaN, if i sees a key
//   NaN in k_j      =>  O_i and LSE_i are NaN for every i that sees j
//   NaN in v_jd     =>  O_id is NaN for every i that sees j with a weight above 2^-20
//   +inf in v_jd    =>  O_id is not finite, likewise
//   NaN in q_i, dO_i  =>  dQ_i is NaN, if i sees a key, and dK_j for every j that i sees
//   NaN in k_j, v_j   =>  dQ_i is NaN for every i that sees j
//   NaN in q_i        =>  dV_j is NaN for every j that i sees
//   NaN in k_j        =>  dV_j is NaN, if any i sees j
//   NaN in dO_id      =>  dV_jd is NaN for every j that i sees
//                         (with such a weight where the NaN is in dO or V)
//
// Preconditions: no dropout, which may drop it; of a row without a forward, whose O and LSE are
// those of numbers, NaN in dO alone. One element of one real token is spoiled, drawn from the seed.
//
// A kernel that hides NaN (a maximum that skips it, a clamp, a product that is left out) hides a
// model that has diverged. Where else the NaN may show is not said here: see batch_independence and
// head_independence.

#include <cmath>
#include <optional>
#include <vector>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "reference/attention.h"

namespace padproof {
namespace {

constexpr double kLeastWeight = 0x1p-20;

const char* Inapplicable(const KernelTraits&, bool, bool) { return nullptr; }

void Prepare(Case& c, const KernelTraits& traits, Random&) {
  c.dropout = 0;
  c.fill = AllowedFill(traits, c.fill);
}

/// What is spoiled, and how.
struct Spoiled {
  Operand op;
  bool infinite;
};

Spoiled SpoiledIn(const KernelRow& kernel, const Case& c, uint64_t hash) {
  using enum Operand;
  static const std::vector<Spoiled> forward{{q, false}, {k, false}, {v, false}, {v, true}};
  static const std::vector<Spoiled> both{{q, false}, {k, false}, {v, false}, {d_o, false}};
  if (kernel.forward == nullptr) return {d_o, false};
  const auto& all = c.backward ? both : forward;
  return all[(hash >> 32) % all.size()];
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

/// Whether what is spoiled at `place` of `op` must show in an element of a result.
class Shows {
 public:
  Shows(const Problem& clean, Operand op, const Index& place)
      : c_(clean.c()),
        op_(op),
        place_(place),
        head_(reference::ReadHead(clean, place.b, HasQueryRows(op) ? place.h / c_.group : place.h)),
        oracle_(head_, profile_) {}

  bool In(Operand result, const Index& at) const {
    if (at.b != place_.b) return false;
    switch (result) {
      case Operand::o:
      case Operand::lse:
        return InForward(result, at);
      case Operand::dq:
        if (HasQueryRows(op_)) return IsItsQuery(at) && !SeesNothing(c_, at.b, at.h, at.i);
        return IsSeenBy(at) && (op_ == Operand::k || IsHeavy(at.h, at.i, place_.i));
      case Operand::dk:
        return HasQueryRows(op_) && at.h == place_.h / c_.group &&
               Sees(c_, at.b, place_.h, place_.i, at.i) &&
               (op_ == Operand::q || IsHeavy(place_.h, place_.i, at.i));
      case Operand::dv:
        return InValues(at);
      default:
        return false;
    }
  }

 private:
  bool IsItsQuery(const Index& at) const { return at.h == place_.h && at.i == place_.i; }
  bool IsSeenBy(const Index& at) const {
    return at.h / c_.group == place_.h && Sees(c_, at.b, at.h, at.i, place_.i);
  }

  bool InForward(Operand result, const Index& at) const {
    if (op_ == Operand::d_o) return false;
    if (op_ == Operand::q) return IsItsQuery(at) && !SeesNothing(c_, at.b, at.h, at.i);
    if (!IsSeenBy(at)) return false;
    if (op_ == Operand::k) return true;
    return result == Operand::o && at.d == place_.d && IsHeavy(at.h, at.i, place_.i);
  }

  bool InValues(const Index& at) const {
    if (op_ == Operand::k) return at.h == place_.h && at.i == place_.i && IsSeen(at);
    if (!HasQueryRows(op_) || at.h != place_.h / c_.group) return false;
    if (!Sees(c_, at.b, place_.h, place_.i, at.i)) return false;
    return op_ == Operand::q || (at.d == place_.d && IsHeavy(place_.h, place_.i, at.i));
  }

  /// Whether any query of its heads sees the key.
  bool IsSeen(const Index& key) const {
    for (int h = key.h * c_.group; h < (key.h + 1) * c_.group; ++h) {
      for (int i = 0; i < c_.lens_q[static_cast<size_t>(key.b)]; ++i) {
        if (Sees(c_, key.b, h, i, key.i)) return true;
      }
    }
    return false;
  }

  /// Whether the weight of a key that query i sees surely is no 0.
  bool IsHeavy(int h, int i, int key) const {
    const reference::ForwardRow& row =
        RowOf(h % c_.group * c_.lens_q[static_cast<size_t>(place_.b)] + i);
    if (!row.out_of_domain.empty()) return false;
    for (size_t n = 0; n < row.keys.size(); ++n) {
      if (row.keys[n] == key) return row.p[n] > kLeastWeight;
    }
    return false;
  }

  /// Of the oracle; asked for one row many times, and then for the next.
  const reference::ForwardRow& RowOf(int number) const {
    if (number != last_number_) last_row_ = oracle_.Row(last_number_ = number);
    return last_row_;
  }

  const Case& c_;
  Operand op_;
  Index place_;
  NumericsProfile profile_;
  reference::Head head_;
  reference::ForwardOracle oracle_;
  mutable int last_number_ = -1;
  mutable reference::ForwardRow last_row_;
};

/// Adds an element that must show it.
void CheckElement(const Problem& problem, Operand result, const Index& at, const Spoiled& spoiled,
                  const Index& place, FirstFailure& failures) {
  const double got = problem.Real(result, at);
  const bool good = spoiled.infinite ? !std::isfinite(got) : std::isnan(got);
  failures.Add(good, [&] {
    return Failure{.kind = kind::kValue,
                   .region = NameOf(result),
                   .where = Where(result, at),
                   .expected = Where(spoiled.op, place) +
                               (spoiled.infinite ? " is inf: inf or nan" : " is nan: nan"),
                   .got = "got: " + Number(got)};
  });
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  if (c.dropout > 0) return Verdict::NotApplicable("dropout may drop what is NaN");
  const Problem clean(c);
  Problem problem(c);
  const uint64_t hash = HashOf({c.seed, 3});
  const Spoiled spoiled = SpoiledIn(kernel, c, hash);
  const std::optional<Index> place = ElementOf(clean, spoiled.op, hash);
  if (!place) return Verdict::NotApplicable("the drawn sequence has no such token");
  problem.SetReal(spoiled.op, *place, spoiled.infinite ? INFINITY : NAN);
  if (auto verdict = Run(kernel, problem)) return *verdict;

  const Shows shows(clean, spoiled.op, *place);
  FirstFailure failures;
  for (Operand result : Outputs(kernel, c)) {
    for (Index at{place->b, 0, 0, 0}; at.h < problem.Heads(result); ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(result, at.b); ++at.i) {
        for (at.d = 0; at.d < problem.RealColumns(result, at.b); ++at.d) {
          if (shows.In(result, at)) {
            CheckElement(problem, result, at, spoiled, *place, failures);
          }
        }
      }
    }
  }
  if (failures.total() == 0) return Verdict::NotApplicable("nothing depends on that token");
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
