#include "reference/emulation/judging.h"

#include <algorithm>
#include <cmath>

#include "reference/emulation/kernel.h"

namespace padproof::reference {
namespace {

constexpr std::array<std::string_view, kTargets> kNames{"O",
                                                        "LSE",
                                                        "row sum",
                                                        "dQ",
                                                        "dK",
                                                        "dV",
                                                        "dBias",
                                                        "dSink",
                                                        "dQ | O, LSE",
                                                        "dK | O, LSE",
                                                        "dV | O, LSE",
                                                        "dBias | O, LSE",
                                                        "dSink | O, LSE"};

void JudgeAll(Target target, Dtype dtype, const std::vector<uint32_t>& got,
              const std::vector<std::vector<Judged>>& judged, Ratios& ratios) {
  size_t at = 0;
  for (const std::vector<Judged>& row : judged) {
    for (const Judged& each : row) ratios.Add(target, Ratio(dtype, got[at++], each));
  }
}

}  // namespace

std::string_view NameOf(Target target) { return kNames[static_cast<size_t>(target)]; }

void Ratios::Add(Target target, double ratio) {
  ++elements;
  if (!(ratio <= of(target))) of(target) = ratio;
}

double Ratios::largest() const { return *std::max_element(worst.begin(), worst.end()); }

void JudgeForward(const Emulation& e, const NumericsProfile& profile, const Head& head,
                  uint64_t noise, Ratios& ratios) {
  EmulatedKernel kernel(e, head, noise);
  const ForwardOracle oracle(head, profile);
  for (int i = 0; i < head.len_q; ++i) {
    const ForwardRow row = oracle.Row(i);
    if (!row.out_of_domain.empty()) continue;
    const EmulatedRow got = kernel.Forward(i);
    ratios.Add(Target::lse, Ratio(Dtype::f32, got.lse, row.lse));
    for (size_t c = 0; c < got.out.size(); ++c) {
      ratios.Add(Target::o, Ratio(head.dtype, got.out[c], row.out[c]));
    }
  }
}

void JudgeRowSum(const Emulation& e, const NumericsProfile& profile, Head head, uint64_t noise,
                 Ratios& ratios) {
  const std::vector<int> keys = head.len_q > 0 ? KeysOf(head, 0) : std::vector<int>{};
  if (keys.empty()) return;
  std::fill(head.v.begin(), head.v.end(), 1.0);
  const ForwardRow row = Forward(head, profile, 0);
  if (!row.out_of_domain.empty()) return;
  double sum = 0;
  const auto dim = static_cast<size_t>(head.dim_v), n = keys.size();
  for (size_t first = 0; first < n; first += dim) {
    std::fill(head.v.begin(), head.v.end(), 0.0);
    for (size_t j = first; j < std::min(n, first + dim); ++j) {
      head.v[static_cast<size_t>(keys[j]) * dim + j - first] = 1;
    }
    for (uint32_t bits : EmulatedKernel(e, head, noise).Forward(0).out) {
      sum += Decode(head.dtype, bits);
    }
  }
  ratios.Add(Target::row_sum,
             std::fabs(sum - row.row_sum) / RowSumRadius(row, head.dtype, static_cast<int>(n)));
}

void StoreEmulated(const Emulation& e, Head& head, uint64_t noise) {
  EmulatedKernel kernel(e, head, noise);
  head.o.clear();
  head.lse.clear();
  for (int i = 0; i < head.len_q; ++i) {
    const EmulatedRow row = kernel.Forward(i);
    head.lse.push_back(Decode(Dtype::f32, row.lse));
    for (uint32_t bits : row.out) head.o.push_back(Decode(head.dtype, bits));
  }
}

void JudgeBackward(const Emulation& e, const NumericsProfile& profile, Head head, uint64_t noise,
                   Ratios& ratios) {
  StoreEmulated(e, head, noise);
  const EmulatedKernel::Gradient got = EmulatedKernel(e, head, noise).Backward();
  for (bool conditional : {false, true}) {
    if (conditional && e.autograd) continue;
    const Gradients want = Backward(head, profile, conditional);
    if (!want.out_of_domain.empty()) continue;
    const auto judge = [&](Target target, Dtype dtype, const std::vector<uint32_t>& bits,
                           const std::vector<std::vector<Judged>>& judged) {
      constexpr int kStored = static_cast<int>(Target::stored_dq) - static_cast<int>(Target::dq);
      const int at = static_cast<int>(target) + (conditional ? kStored : 0);
      JudgeAll(static_cast<Target>(at), dtype, bits, judged, ratios);
    };
    judge(Target::dq, head.dtype, got.dq, want.dq);
    judge(Target::dk, head.dtype, got.dk, want.dk);
    judge(Target::dv, head.dtype, got.dv, want.dv);
    judge(Target::dbias, head.dtype, got.dbias, want.dbias);
    judge(Target::dsink, Dtype::f32, got.dsink, {want.dsink});
  }
}

}  // namespace padproof::reference
