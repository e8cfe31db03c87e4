#include "reference/bench/leaks.h"

#include <cmath>
#include <functional>

#include "harness/base/dtype.h"
#include "reference/emulation/kernel.h"
#include "reference/emulation/kernels.h"

namespace padproof::reference {
namespace {

/// Query i alone.
Head RowOf(const Head& head, int i) {
  Head row = head;
  const auto begin = head.q.begin() + static_cast<std::ptrdiff_t>(i) * head.dim;
  row.q.assign(begin, begin + head.dim);
  row.visible = {head.visible[static_cast<size_t>(i)]};
  row.len_q = 1;
  row.d_o.clear();
  return row;
}

/// The row with one key more behind those it sees.
Head WithKey(Head row, const std::vector<double>& k, double v) {
  const size_t end = static_cast<size_t>(row.visible[0].last) * static_cast<size_t>(row.dim);
  row.k.resize(end);
  row.v.resize(end);
  for (double x : k) row.k.push_back(Decode(row.dtype, Encode(row.dtype, x)));
  row.v.resize(row.k.size(), v);
  row.len_k = ++row.visible[0].last;
  return row;
}

void Run(const Emulation& e, const Head& row, uint64_t noise, std::vector<uint32_t>& out,
         std::vector<uint32_t>* lse) {
  const EmulatedRow got = EmulatedKernel(e, row, noise).Forward(0);
  out.insert(out.end(), got.out.begin(), got.out.end());
  if (lse != nullptr) lse->push_back(got.lse);
}

/// `run` and `other` say what the kernel reads of each row.
Evidence RunsOf(const Emulation& e, const Head& head, uint64_t noise,
                const std::function<Head(const Head&)>& run,
                const std::function<Head(const Head&)>& other) {
  static const Emulation* eager = &FindEmulatedKernel("eager16")->emulation;
  Evidence evidence{.head = head, .profile = ProfileInOrder(e, head.dtype)};
  std::vector<uint32_t> by_eager;
  for (int i = 0; i < head.len_q; ++i) {
    const Head row = RowOf(head, i);
    Run(e, run(row), noise, evidence.out, &evidence.lse);
    Run(e, other(row), noise, evidence.other_pad, nullptr);
    for (const Judged& each : Forward(row, {}, 0).out) evidence.reference.push_back(each.centre);
    if (head.dtype != Dtype::f32) Run(*eager, row, noise, by_eager, nullptr);
  }
  for (uint32_t bits : by_eager) evidence.eager.push_back(Decode(head.dtype, bits));
  return evidence;
}

Head Same(const Head& row) { return row; }

}  // namespace

Evidence CleanRun(const Emulation& e, const Head& head, uint64_t noise) {
  return RunsOf(e, head, noise, Same, Same);
}

Evidence LeakyRun(const Emulation& e, const Head& head, PadValue value, double log2_weight,
                  uint64_t noise) {
  const auto leaky = [&](const Head& row) {
    double norm = 0;
    for (double x : row.q) norm += x * x;
    const double score = Forward(row, {}, 0).lse.centre + log2_weight * std::log(2.0);
    std::vector<double> k = row.q;
    for (double& x : k) x *= score / (row.scale * norm);
    return WithKey(row, k, value == PadValue::one ? 1 : 0);
  };
  return RunsOf(e, head, noise, leaky, Same);
}

Evidence ZeroKeyRun(const Emulation& e, const Head& head, uint64_t noise) {
  const auto reads = [](double content) {
    return [content](const Head& row) {
      return WithKey(row, std::vector<double>(row.q.size(), content), content);
    };
  };
  return RunsOf(e, head, noise, reads(0), reads(1));
}

}  // namespace padproof::reference
