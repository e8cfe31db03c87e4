// Law: the softmax matrix P, which a fused kernel never shows, has rows that are probabilities over
// the visible keys. V is the probe that reads them through O, for every real query that sees a key:
//   1. V = 1 at real keys                   =>  O = 1 within the bound of the forward
//   2. V = 0 at real keys, huge in pads     =>  O = 0 exactly
//   3. V = one-hot in the key, block by block =>  O = P: each P_ij >= 0, P_ij = 0 exactly where i
//      does not see j, and sum_j P_ij = 1 within the bound below
// A sink takes its part: then 1 stands for 1 - P_sink here, as the oracle has it.
//
// Preconditions: the row has a forward; pads hold what the row allows (probe 2: the largest finite
// values); probe 3 needs a forward that repeats its bits, since it reads one P in several launches.
//
// Bound of probe 3. Let w_j be the kernel's weights, whatever their errors, and l their exact sum:
// sum_j w_j / l = 1. A read is w_j / l, with one rounding of P (u_p, or eta_p where P underflows),
// the roundings of accumulation and rescales, g(units(n) + R), the errors G of row sum, reciprocal
// and multiplication, and one rounding to storage (u_out, eta_out). With
//   rho = (1 + u_p)(1 + g(units(n) + R))(1 + G) - 1 + n (eta_p + underflow)     [row_sum_radius]
// the sum of the reads is within (1 + rho)(1 + u_out) - 1 + reads * eta_out of 1.
//
// At most 8 launches read P. Longer rows are read in groups: with m = 8 dim_v columns, column g
// sums the keys j = g mod m. The bound is the same, and group g is exactly 0 where i sees no key of
// it.

#include <algorithm>
#include <cmath>

#include "harness/judge/property.h"
#include "properties/support/run.h"
#include "properties/support/within_bound.h"
#include "reference/attention.h"

namespace padproof {
namespace {

constexpr int kMaxReads = 8;  // launches of probe 3

const char* Inapplicable(const KernelTraits&, bool has_forward, bool) {
  return has_forward ? nullptr : "has no forward";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c.backward = false;
  c = WithAllowedFill(traits, c);
  if (!HasPads(c) && traits.pad_sides.Has(c.pad_side)) c.pad_k = random.Between(1, 8);
}

/// One row under the probes: where it is, and its bounds under V = 1.
struct ProbedRow {
  Index at;
  reference::ForwardRow bounds;
  double sum = 0;  // of P, as far as probe 3 has read it
};

template <class Value>
void SetValues(Problem& problem, Value value) {
  const Case& c = problem.c();
  for (int b = 0; b < c.batch(); ++b) {
    for (int h = 0; h < c.heads_kv(); ++h) {
      for (int j = 0; j < problem.RealRows(Operand::v, b); ++j) {
        for (int d = 0; d < c.value_dim(); ++d)
          problem.SetReal(Operand::v, {b, h, j, d}, value(j, d));
      }
    }
  }
  problem.PrefillOutput(Operand::o, Prefill::nan_pattern);
}

/// Real queries that see a key and are in domain; V must be 1.
std::vector<ProbedRow> RowsOf(const Problem& problem, const NumericsProfile& profile,
                              WithinBound& bound) {
  std::vector<ProbedRow> rows;
  const Case& c = problem.c();
  for (int b = 0; b < c.batch(); ++b) {
    for (int head_kv = 0; head_kv < c.heads_kv(); ++head_kv) {
      const reference::Head head = reference::ReadHead(problem, b, head_kv);
      const reference::ForwardOracle oracle(head, profile);
      for (int i = 0; i < head.len_q; ++i) {
        const Index at = problem.QueryAt(b, head_kv, i);
        if (SeesNothing(c, at.b, at.h, at.i)) continue;
        ProbedRow row{at, oracle.Row(i)};
        if (row.bounds.out_of_domain.empty()) {
          rows.push_back(std::move(row));
        } else {
          bound.Skip(row.bounds.out_of_domain);
        }
      }
    }
  }
  return rows;
}

uint32_t OutBits(const Problem& problem, const ProbedRow& row, int d) {
  return problem.BitsAt(Operand::o, {row.at.b, row.at.h, row.at.i, d});
}

/// Whether the row sees any of the keys column, column + groups, ...
bool SeesOneOf(const Case& c, const ProbedRow& row, int column, int groups) {
  const int len_k = c.lens_k[static_cast<size_t>(row.at.b)];
  int j = column;
  while (j < len_k && !Sees(c, row.at.b, row.at.h, row.at.i, j)) j += groups;
  return j < len_k;
}

Failure Broken(const ProbedRow& row, int d, const char* probe, std::string expected, double got) {
  Failure failure;
  failure.kind = std::isnan(got) ? kind::kNan : kind::kValue;
  failure.region = "out";
  failure.where = Where(Operand::o, {row.at.b, row.at.h, row.at.i, d});
  failure.expected = std::string(probe) + ": " + std::move(expected);
  failure.got = "kernel: " + Numbers(got, row.bounds.row_sum).first;
  return failure;
}

/// What was expected, with as many digits as it takes to tell it from `got`.
std::string Beside(double got, const reference::Judged& expected) {
  return Numbers(expected.centre, got).first + " +- " + Number(expected.radius);
}

/// Adds what one launch with one-hot V shows of P: columns `first`, `first` + 1, ... of `groups`.
void Read(const Problem& problem, std::vector<ProbedRow>& rows, int first, int groups,
          WithinBound& bound) {
  const Case& c = problem.c();
  for (ProbedRow& row : rows) {
    for (int d = 0; d < c.value_dim() && first + d < groups; ++d) {
      const double p = Decode(c.dtype, OutBits(problem, row, d));
      const bool seen = SeesOneOf(c, row, first + d, groups);
      const bool good = seen ? p >= 0 : p == 0;
      const std::string key = "V one-hot at key " + std::to_string(first + d);
      bound.Add("out", good ? 0 : INFINITY, [&] {
        return Broken(row, d, key.c_str(), seen ? "P >= 0" : "0, the key is not visible", p);
      });
      row.sum += p;
    }
  }
}

void JudgeSum(const Case& c, const ProbedRow& row, int groups, WithinBound& bound) {
  const double radius = reference::RowSumRadius(row.bounds, c.dtype, groups);
  const double error = std::fabs(row.sum - row.bounds.row_sum);
  bound.Add("row_sum", std::isnan(error) ? INFINITY : error / radius, [&] {
    Failure failure =
        Broken(row, 0, "V one-hot", Beside(row.sum, {row.bounds.row_sum, radius}), row.sum);
    failure.where = "sum of P[b=" + std::to_string(row.at.b) + " h=" + std::to_string(row.at.h) +
                    " i=" + std::to_string(row.at.i) + "]";
    return failure;
  });
}

Verdict Check(const KernelRow& kernel, const Case& c) {
  const KernelTraits& traits = kernel.traits;
  Case run = WithAllowedFill(traits, c);
  run.backward = false;
  Problem problem(run);
  WithinBound bound;

  SetValues(problem, [](int, int) { return 1.0; });
  if (auto verdict = Run(kernel, problem)) return *verdict;
  std::vector<ProbedRow> rows = RowsOf(problem, traits.numerics, bound);
  for (const ProbedRow& row : rows) {
    for (int d = 0; d < c.value_dim(); ++d) {
      const uint32_t bits = OutBits(problem, row, d);
      const reference::Judged& one = row.bounds.out[static_cast<size_t>(d)];
      bound.Add("out", reference::Ratio(c.dtype, bits, one), [&] {
        return Broken(row, d, "V = 1", Beside(Decode(c.dtype, bits), one), Decode(c.dtype, bits));
      });
    }
  }

  SetValues(problem, [](int, int) { return 0.0; });
  problem.FillPads(Operand::v, AllowedFill(traits, Fill::huge));
  if (auto verdict = Run(kernel, problem)) return *verdict;
  for (const ProbedRow& row : rows) {
    for (int d = 0; d < c.value_dim(); ++d) {
      const uint32_t bits = OutBits(problem, row, d);
      bound.Add("out", IsZero(c.dtype, bits) ? 0 : INFINITY,
                [&] { return Broken(row, d, "V = 0, huge in pads", "0", Decode(c.dtype, bits)); });
    }
  }

  if (traits.promises.determinism != Determinism::none && !rows.empty()) {
    problem.FillPads(Operand::v, run.fill);
    const int longest = *std::max_element(c.lens_k.begin(), c.lens_k.end());
    const int groups = std::min(longest, kMaxReads * c.value_dim());
    for (int first = 0; first < groups; first += c.value_dim()) {
      SetValues(problem, [&](int j, int d) { return j % groups == first + d ? 1.0 : 0.0; });
      if (auto verdict = Run(kernel, problem)) return *verdict;
      Read(problem, rows, first, groups, bound);
    }
    for (const ProbedRow& row : rows) JudgeSum(c, row, groups, bound);
  }
  return bound.verdict(traits.numerics);
}

PADPROOF_PROPERTY({.name = "row_sums_to_one",
                   .statement = "softmax rows read through V are non-negative, zero on keys that "
                                "are not visible, and sum to one",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .has_bound = true});

}  // namespace
}  // namespace padproof
