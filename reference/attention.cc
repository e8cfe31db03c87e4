// The forward oracle: reads a head, and judges its rows.

#include "reference/attention.h"

#include <algorithm>
#include <limits>

#include "reference/bounds.h"

namespace padproof::reference {

std::vector<int> KeysOf(const Head& head, int i) {
  const KeyRange range = head.visible[static_cast<size_t>(i)];
  std::vector<int> keys;
  keys.reserve(static_cast<size_t>(std::max(0, range.last - range.first)));
  for (int key = range.first; key < range.last; ++key) {
    const size_t at =
        static_cast<size_t>(i) * static_cast<size_t>(head.len_k) + static_cast<size_t>(key);
    if (head.hidden.empty() || head.hidden[at] == 0) keys.push_back(key);
  }
  return keys;
}

namespace {

void AppendRow(const Problem& problem, Operand op, const Index& at, std::vector<double>& values) {
  const Problem::StoredRow row = problem.Row(op, at.b, at.h, at.i);
  for (int d = 0; d < problem.Columns(op); ++d) values.push_back(Decode(row.dtype, row[d]));
}

std::vector<double> ReadQueries(const Problem& problem, Operand op, int b, int head_kv) {
  std::vector<double> values;
  for (int row = 0; row < problem.c().group * problem.RealRows(op, b); ++row) {
    const Index at = problem.QueryAt(b, head_kv, row);
    AppendRow(problem, op, at, values);
  }
  return values;
}

std::vector<double> ReadKeys(const Problem& problem, Operand op, int b, int head_kv) {
  std::vector<double> values;
  for (int j = 0; j < problem.RealRows(op, b); ++j) {
    AppendRow(problem, op, {b, head_kv, j, 0}, values);
  }
  return values;
}

/// Who sees whom, what is added, what is dropped, and the sinks.
void ReadScores(const Problem& problem, int b, int head_kv, Head& head) {
  const Case& c = problem.c();
  head.softcap = c.softcap;
  head.keep_scale = 1 / (1 - static_cast<double>(DropoutOf(c)));
  for (int row = 0; row < head.len_q; ++row) {
    const Index at = problem.QueryAt(b, head_kv, row);
    head.visible.push_back(VisibleKeys(c, b, at.i));
    if (c.sink) head.sink.push_back(static_cast<double>(SinkOf(c, at.h)));
    for (int j = 0; j < head.len_k; ++j) {
      if (c.holes > 0) head.hidden.push_back(problem.Keeps(at, j) ? 0 : 1);
      if (c.bias != Bias::none) head.bias.push_back(problem.BiasAt(at, j));
      if (c.dropout > 0) head.dropped.push_back(problem.IsDropped(at, j) ? 1 : 0);
    }
  }
}

}  // namespace

const Gradients::Matrix& Gradients::Of(Operand op) const {
  switch (op) {
    case Operand::dq:
      return dq;
    case Operand::dk:
      return dk;
    case Operand::dv:
      return dv;
    default:
      PADPROOF_CHECK(op == Operand::dbias);
      return dbias;
  }
}

Head ReadHead(const Problem& problem, int b, int head_kv) {
  const Case& c = problem.c();
  Head head;
  head.query_heads = c.group;
  head.len_q = c.group * problem.RealRows(Operand::q, b);
  head.len_k = problem.RealRows(Operand::k, b);
  head.slots_k = problem.Slots(Operand::k, b);
  head.dim = c.dim;
  head.dim_v = c.value_dim();
  head.dtype = c.dtype;
  head.scale = static_cast<double>(SoftmaxScale(c));
  ReadScores(problem, b, head_kv, head);
  head.q = ReadQueries(problem, Operand::q, b, head_kv);
  head.k = ReadKeys(problem, Operand::k, b, head_kv);
  head.v = ReadKeys(problem, Operand::v, b, head_kv);
  if (c.backward) {
    head.o = ReadQueries(problem, Operand::o, b, head_kv);
    head.lse = ReadQueries(problem, Operand::lse, b, head_kv);
    head.d_o = ReadQueries(problem, Operand::d_o, b, head_kv);
  }
  return head;
}

namespace {

ForwardRow RowOf(const HeadPanels& panels, const NumericsProfile& profile, int i) {
  const Scores scores = ScoresOf(panels, profile, i, false);
  ForwardRow row;
  row.visible = scores.n;
  row.keys = scores.keys;
  row.out.resize(static_cast<size_t>(panels.head.dim_v));
  if (scores.terms() == 0) {
    row.lse.centre = -std::numeric_limits<double>::infinity();
    return row;
  }
  const std::vector<double> rescales = RescalesOf(scores, profile);
  const std::vector<double> errors = ExponentErrors(scores, rescales, profile);
  JudgeRow(panels, scores, profile, i, rescales, errors, row);
  row.p = scores.p;
  row.p.resize(scores.keys.size());
  row.out_of_domain = DomainOf(panels, scores, profile, Pass::forward);
  return row;
}

}  // namespace

ForwardOracle::ForwardOracle(const Head& head, const NumericsProfile& profile)
    : profile_(profile),
      panels_(std::make_unique<HeadPanels>(head, profile, KeyRange{0, head.len_k}, false)) {}

ForwardOracle::~ForwardOracle() = default;

ForwardRow ForwardOracle::Row(int i) const { return RowOf(*panels_, profile_, i); }

ForwardRow Forward(const Head& head, const NumericsProfile& profile, int i) {
  const HeadPanels panels(head, profile, head.visible[static_cast<size_t>(i)], false);
  return RowOf(panels, profile, i);
}

double RowSumRadius(const ForwardRow& row, Dtype dtype, int reads) {
  const DtypeFacts facts = FactsOf(dtype);
  return (row.row_sum + row.row_sum_radius) * (1 + facts.unit_roundoff) - row.row_sum +
         reads * facts.eta + 0x1p-40;
}

ForwardRow Forward(const Problem& problem, const NumericsProfile& profile, int b, int head_kv,
                   int i) {
  return Forward(ReadHead(problem, b, head_kv), profile, i);
}

void StoreForward(Problem& problem) {
  const Case& c = problem.c();
  for (int b = 0; b < c.batch(); ++b) {
    for (int head_kv = 0; head_kv < c.heads_kv(); ++head_kv) {
      const Head head = ReadHead(problem, b, head_kv);
      const NumericsProfile any;
      const ForwardOracle oracle(head, any);
      for (int i = 0; i < head.len_q; ++i) {
        const ForwardRow row = oracle.Row(i);
        Index at = problem.QueryAt(b, head_kv, i);
        problem.SetReal(Operand::lse, at, row.lse.centre);
        for (; at.d < c.value_dim(); ++at.d) {
          problem.SetReal(Operand::o, at, row.out[static_cast<size_t>(at.d)].centre);
        }
      }
    }
  }
}

}  // namespace padproof::reference
