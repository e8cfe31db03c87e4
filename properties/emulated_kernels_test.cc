// The bounds that laws derive of their own, under the emulated kernels of reference/emulation: no
// correct kernel leaves them, and they are not so wide that nothing would.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "properties/support/hull.h"
#include "properties/support/merge.h"
#include "reference/emulation/kernel.h"
#include "reference/emulation/survey.h"

namespace padproof {
namespace {

using reference::Attack;
using reference::EmulatedKernel;
using reference::EmulatedRow;
using reference::ForwardOracle;
using reference::ForwardRow;
using reference::Head;
using reference::Judged;

constexpr int kHeads = 15 * reference::kFamilies;

/// Calls judge(attack, profile, head) for kernels and heads of every family.
template <class Judge>
void ForEachAttack(Judge judge) {
  for (int index = 0; index < kHeads; ++index) {
    for (const Attack& attack : reference::RunsOfHead(3, index, false)) {
      if (attack.shape.n > 300) continue;
      const reference::Emulation& e = attack.kernel->emulation;
      judge(attack, reference::ProfileInOrder(e, attack.shape.dtype),
            reference::HeadOf(attack.family, attack.shape, attack.seed));
    }
  }
}

double ValueAt(const Head& head, int key, size_t d) {
  return head.v[static_cast<size_t>(key) * static_cast<size_t>(head.dim_v) + d];
}

/// How far the outputs of one row are outside of their hull, over the radius.
double HullRatio(const Head& head, const ForwardRow& row, const EmulatedRow& got) {
  double worst = 0;
  for (size_t d = 0; d < got.out.size(); ++d) {
    double low = INFINITY, high = -INFINITY;
    for (int key : row.keys) {
      low = std::min(low, ValueAt(head, key, d));
      high = std::max(high, ValueAt(head, key, d));
    }
    const double most = std::max(std::fabs(low), std::fabs(high));
    const double radius = HullRadius(row, static_cast<int>(d), most);
    const double o = Decode(head.dtype, got.out[d]);
    if (!(o >= low))
      worst = std::max(worst, reference::Ratio(head.dtype, got.out[d], {low, radius}));
    if (!(o <= high))
      worst = std::max(worst, reference::Ratio(head.dtype, got.out[d], {high, radius}));
  }
  return worst;
}

TEST(Hull, NoCorrectKernelLeavesIt) {
  double worst = 0;
  ForEachAttack([&](const Attack& attack, const NumericsProfile& profile, Head head) {
    for (bool positive : {false, true}) {
      if (positive) {
        for (double& v : head.v) v = std::fabs(v);
      }
      const ForwardOracle oracle(head, profile);
      EmulatedKernel kernel(attack.kernel->emulation, head, attack.seed);
      for (int i = 0; i < head.len_q; ++i) {
        const ForwardRow row = oracle.Row(i);
        if (!row.out_of_domain.empty() || row.visible == 0) continue;
        const EmulatedRow got = kernel.Forward(i);
        const double ratio = HullRatio(head, row, got);
        EXPECT_LE(ratio, 1) << Print(attack);
        worst = std::max(worst, ratio);
        for (uint32_t bits : got.out) {
          EXPECT_TRUE(!positive || Decode(head.dtype, bits) >= 0) << Print(attack);
        }
      }
    }
  });
  EXPECT_GT(worst, 0.1) << "nothing comes near the bound any more";
}

/// Keys first .. last - 1 of a head, whose queries see ranges of keys.
Head PartOf(const Head& head, int first, int last) {
  Head part = head;
  part.len_k = last - first;
  const auto cut = [&](const std::vector<double>& rows, int columns) {
    const auto at = rows.begin();
    return std::vector<double>(at + first * columns, at + last * columns);
  };
  part.k = cut(head.k, head.dim);
  part.v = cut(head.v, head.dim_v);
  for (KeyRange& range : part.visible) {
    range.first = std::clamp(range.first, first, last) - first;
    range.last = std::clamp(range.last, first, last) - first;
  }
  return part;
}

TEST(Merge, OfPartsByACorrectKernelIsWithinItsBound) {
  double worst_out = 0, worst_lse = 0;
  ForEachAttack([&](const Attack& attack, const NumericsProfile& profile, const Head& head) {
    const int middle = static_cast<int>(attack.seed % static_cast<uint64_t>(head.len_k + 1));
    const Head heads[2] = {PartOf(head, 0, middle), PartOf(head, middle, head.len_k)};
    const ForwardOracle whole(head, profile),
        oracles[2] = {{heads[0], profile}, {heads[1], profile}};
    EmulatedKernel kernels[2] = {{attack.kernel->emulation, heads[0], attack.seed},
                                 {attack.kernel->emulation, heads[1], attack.seed + 1}};
    for (int i = 0; i < head.len_q; ++i) {
      const ForwardRow rows[2] = {oracles[0].Row(i), oracles[1].Row(i)}, exact = whole.Row(i);
      if (rows[0].visible == 0 || rows[1].visible == 0) continue;
      if (!(rows[0].out_of_domain + rows[1].out_of_domain + exact.out_of_domain).empty()) continue;
      const EmulatedRow got[2] = {kernels[0].Forward(i), kernels[1].Forward(i)};
      const auto stored = [&](int s) { return Decode(Dtype::f32, got[s].lse); };
      const Merge merge({{{&rows[0], stored(0)}, {&rows[1], stored(1)}}}, head.dtype);
      const Judged lse = merge.Lse();
      worst_lse = std::max(worst_lse, std::fabs(lse.centre - exact.lse.centre) / lse.radius);
      for (size_t d = 0; d < exact.out.size(); ++d) {
        const Judged out = merge.Out(static_cast<int>(d), {Decode(head.dtype, got[0].out[d]),
                                                           Decode(head.dtype, got[1].out[d])});
        const double ratio = std::fabs(out.centre - exact.out[d].centre) / out.radius;
        if (std::isinf(out.radius)) continue;
        EXPECT_LE(ratio, 1) << Print(attack);
        worst_out = std::max(worst_out, ratio);
      }
    }
  });
  EXPECT_LE(worst_lse, 1);
  EXPECT_GT(worst_lse, 0.1) << "nothing comes near the bound any more";
  EXPECT_GT(worst_out, 0.1) << "nothing comes near the bound any more";
}

}  // namespace
}  // namespace padproof
