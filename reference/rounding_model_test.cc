// Rounding models explain every correct kernel whose tiling is among the usual ones, see one
// unmasked zero key where the generic bound does not, and say of other tilings that they explain
// nothing.

#include "reference/rounding_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "reference/emulation/families.h"
#include "reference/emulation/kernel.h"
#include "reference/emulation/kernels.h"

namespace padproof::reference {
namespace {

std::vector<uint32_t> OutputOf(const Emulation& e, const Head& head, uint64_t noise) {
  EmulatedKernel kernel(e, head, noise);
  std::vector<uint32_t> out;
  for (int i = 0; i < head.len_q; ++i) {
    const EmulatedRow row = kernel.Forward(i);
    out.insert(out.end(), row.out.begin(), row.out.end());
  }
  return out;
}

/// The walk is one of those that are tried.
bool IsModelled(const Emulation& e) {
  return e.round_p && e.lanes == 1 && e.splits == 1 && e.lag == 0 && (e.tile == 0 || e.tile >= 16);
}

TEST(RoundingModel, ExplainsCorrectKernelsOnAllFamilies) {
  int explained = 0, other_tilings = 0;
  for (const NamedKernel& kernel : EmulatedKernels()) {
    const Emulation& e = kernel.emulation;
    if (!IsModelled(e)) continue;
    for (Dtype dtype : {Dtype::f16, Dtype::bf16}) {
      if (!kernel.dtypes.Has(dtype)) continue;
      for (int family = 0; family < kFamilies; ++family) {
        for (int n : {1, 17, 70, 300}) {
          const uint64_t seed = static_cast<uint64_t>(family * 1000 + n);
          const Head head =
              HeadOf(static_cast<Family>(family), {2, n, n < 100 ? 8 : 16, dtype}, seed);
          const Explanation best =
              ExplainForward(head, ProfileOf(e, dtype), OutputOf(e, head, seed), /*first_slot=*/0);
          if (!best.judged) continue;
          EXPECT_LE(best.ratio, 1) << e.name << " in " << NameOf(dtype) << " on "
                                   << NameOf(static_cast<Family>(family)) << ", n=" << n;
          ++explained;
          if (n == 300 && best.model.tile != e.tile) ++other_tilings;
        }
      }
    }
  }
  EXPECT_GT(explained, 500);
  EXPECT_LT(other_tilings, explained / 4) << "models are too wide to tell tilings apart";
}

/// Windows of keys and a bias: what models know of the variants.
Head WindowsOf(const HeadShape& shape, uint64_t seed) {
  Head head = HeadOf(Family::randn, shape, seed);
  Random random(seed);
  for (KeyRange& keys : head.visible) {
    keys.first = random.Between(0, shape.n - 1);
    keys.last = random.Between(keys.first, shape.n);
  }
  const size_t pairs = static_cast<size_t>(shape.len_q) * static_cast<size_t>(shape.n);
  for (size_t at = 0; at < pairs; ++at) head.bias.push_back(random.Between(-64, 64) / 32.0);
  return head;
}

TEST(RoundingModel, ExplainsWindowsAndBiases) {
  int tilings = 0;
  for (const NamedKernel& kernel : EmulatedKernels()) {
    const Emulation& e = kernel.emulation;
    if (!IsModelled(e)) continue;
    for (Dtype dtype : {Dtype::f16, Dtype::bf16}) {
      if (!kernel.dtypes.Has(dtype)) continue;
      for (uint64_t seed = 0; seed < 8; ++seed) {
        const Head head = WindowsOf({4, seed % 2 == 0 ? 90 : 300, 8, dtype}, seed);
        const Explanation best =
            ExplainForward(head, ProfileOf(e, dtype), OutputOf(e, head, seed), /*first_slot=*/0);
        EXPECT_TRUE(best.judged);
        EXPECT_LE(best.ratio, 1) << e.name << " in " << NameOf(dtype) << ", seed " << seed;
        tilings += best.model.tile > 0;
      }
    }
  }
  EXPECT_GT(tilings, 20);
}

TEST(RoundingModel, OtherVariantsAreNotJudged) {
  const Emulation e{.name = "tile_64", .tile = 64, .round_p = true};
  const Head plain = HeadOf(Family::randn, {1, 40, 8, Dtype::bf16}, 1);
  const auto judged = [&](auto change) {
    Head head = plain;
    change(head);
    return ExplainForward(head, ProfileOf(e, Dtype::bf16), OutputOf(e, head, 1), 0).judged;
  };
  EXPECT_TRUE(judged([](Head&) {}));
  EXPECT_FALSE(judged([](Head& head) { head.softcap = 30; }));
  EXPECT_FALSE(judged([](Head& head) { head.sink = {0}; }));
  EXPECT_FALSE(judged([](Head& head) { head.hidden.assign(40, 0); }));
  EXPECT_FALSE(judged([](Head& head) { head.dropped.assign(40, 0); }));
}

// Padding that is zero and not masked weighs about 1/(1.6 n): in bf16 the generic bound sees it up
// to n = 17 only. At n = 1024 the LSE sees it, see the bench of tolerances.
TEST(RoundingModel, SeesOneZeroKeyLeftUnmasked) {
  const Emulation e{.name = "tile_64", .tile = 64, .exp_ulps = 2, .round_p = true};
  for (Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    const NumericsProfile profile = ProfileOf(e, dtype);
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      Head head = HeadOf(Family::randn, {8, 128, 64, dtype}, seed);
      head.visible.assign(8, {0, 128});
      const Head leaky = WithZeroKey(head);
      EXPECT_GT(ExplainForward(head, profile, OutputOf(e, leaky, seed), 0).ratio, 1)
          << NameOf(dtype) << " seed=" << seed;
      EXPECT_LE(ExplainForward(head, profile, OutputOf(e, head, seed), 0).ratio, 1);
    }
  }
}

TEST(RoundingModel, ATilingThatNobodyHasIsNotExplained) {
  const Emulation e{.name = "tile_23", .tile = 23, .round_p = true};
  const Head head = HeadOf(Family::pv_cancellation, {4, 300, 16, Dtype::bf16}, 3);
  const Explanation best = ExplainForward(head, ProfileOf(e, Dtype::bf16), OutputOf(e, head, 3), 0);
  EXPECT_TRUE(best.judged);
  EXPECT_GT(best.ratio, 1);
}

TEST(RoundingModel, TilesMayCountSlots) {
  const Head whole = HeadOf(Family::increasing, {1, 70, 8, Dtype::bf16}, 4);
  // The kernel's first tile has 16 - 5 keys: five slots before them are pads.
  RoundingModel slots{.tile = 16, .first = 11};
  EXPECT_EQ(NameOf(slots), "tiles of 16, the first of 11");
  const NumericsProfile profile = ProfileOf({.tile = 16, .round_p = true}, Dtype::bf16);
  const auto models = RoundingModelsFor(profile, 70, 5);
  EXPECT_EQ(std::count(models.begin(), models.end(), slots), 1);
  slots.reverse = true;
  EXPECT_EQ(std::count(models.begin(), models.end(), slots), 1);
  for (const RoundingModel& model : models) {
    EXPECT_EQ(std::count(models.begin(), models.end(), model), 1) << NameOf(model);
    EXPECT_EQ(ForwardByModel(whole, profile, 0, model).size(), 8u);
  }
}

TEST(RoundingModel, NothingIsTriedWhereNothingIsKnown) {
  NumericsProfile profile;
  EXPECT_TRUE(RoundingModelsFor(profile, 100, 0).empty());  // P in fp32: the generic bound is sharp
  profile.p_rounding = 0x1p-8;
  EXPECT_FALSE(RoundingModelsFor(profile, 100, 0).empty());
  EXPECT_TRUE(RoundingModelsFor(profile, 0, 0).empty());
  profile.split = 1;
  EXPECT_TRUE(RoundingModelsFor(profile, 100, 0).empty());
  profile.split = 0;
  profile.max_lag = 8;
  EXPECT_TRUE(RoundingModelsFor(profile, 100, 0).empty());
}

}  // namespace
}  // namespace padproof::reference
