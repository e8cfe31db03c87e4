// Decides that the mask of a kernel's dropout is read as the kernel drew it.

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "harness/case/generate.h"
#include "harness/judge/kernel_registry.h"
#include "harness/judge/property.h"
#include "properties/support/dropout.h"
#include "properties/support/mask_bits.h"

namespace padproof {
namespace {

const KernelRow& Row(const std::string& id) {
  for (const KernelRow* row : RegisteredKernels()) {
    if (IdOf(*row) == id) return *row;
  }
  throw std::runtime_error(id);
}

/// "kept" and "dropped" of every pair that is seen, as one line of 1 and 0.
std::string MaskOf(const Problem& problem) {
  std::string mask;
  const Case& c = problem.c();
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < c.heads; ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(Operand::q, at.b); ++at.i) {
        for (int j = 0; j < problem.RealRows(Operand::k, at.b); ++j) {
          if (problem.Keeps(at, j)) mask += problem.IsDropped(at, j) ? '0' : '1';
        }
      }
    }
  }
  return mask;
}

// Kernels of this folder draw one mask. It is read from O of some and from dV of others, over other
// tokens, in other numbers of launches.
TEST(ReadDropped, SaysTheSameFromOutputsAndFromGradients) {
  const KernelRow &forward = Row("flash_fwd.4x4@simt"), &backward = Row("flash_bwd.4x4@simt");
  Domain domain{.dtypes = forward.traits.dtypes,
                .layouts = forward.traits.layouts,
                .pad_sides = forward.traits.pad_sides,
                .features = forward.traits.features,
                .tile_q = 4,
                .tile_k = 4};
  Random random(5);
  int64_t pairs = 0, kept = 0;
  for (int n = 0; n < 300; ++n) {
    Case c = Generate(domain, random, n % 101);
    c.dropout = 20;
    c.backward = true;
    if (Unsupported(forward.traits, {true, true}, c) != "") continue;
    Problem from_o(c), from_dv(c);
    ASSERT_FALSE(ReadDropped(forward, from_o)) << Print(c);
    ASSERT_FALSE(ReadDropped(backward, from_dv)) << Print(c);
    const std::string mask = MaskOf(from_o);
    ASSERT_EQ(mask, MaskOf(from_dv)) << Print(c);
    pairs += static_cast<int64_t>(mask.size());
    kept += std::count(mask.begin(), mask.end(), '1');
  }
  ASSERT_GT(pairs, 10000);
  EXPECT_NEAR(static_cast<double>(kept) / static_cast<double>(pairs), 0.8, 0.01);
}

TEST(ReadDropped, AccusesWhatIsNoSumOfKeptWeights) {
  KernelRow row = Row("flash_fwd.4x4@simt");
  static const LaunchFunction honest = row.forward;
  row.forward = [](const AttentionArgs& args) {
    const Status status = honest(args);
    if (args.o.size[2] > 0) static_cast<float*>(args.o.data)[0] *= 1.4f;
    return status;
  };
  Problem problem(*Parse("lens_q=1 lens_k=8 dim=2 dropout=50 seed=1"));
  const auto verdict = ReadDropped(row, problem);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->outcome, Outcome::fails);
  EXPECT_EQ(verdict->failure.where, "out[b=0 h=0 i=0 d=0]");
  const auto elsewhere = KnowDropped(row, problem);
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ(elsewhere->outcome, Outcome::not_applicable);
}

/// As LayOver counts, pair by pair.
Agreement CountedPairByPair(const Problem& problem, const Index& shift, MaskBits::Half half) {
  Agreement sum;
  const auto seen = [&](const Index& at, int j) {
    return at.i >= 0 && at.i < problem.RealRows(Operand::q, at.b) && j >= 0 &&
           j < problem.RealRows(Operand::k, at.b) && problem.Keeps(at, j);
  };
  for (int i = 0; i < problem.RealRows(Operand::q, 0); ++i) {
    for (int j = 0; j < problem.RealRows(Operand::k, 0); ++j) {
      const Index at{0, 0, i, 0}, to{shift.b, shift.h, i + shift.i, 0};
      if ((i & half.row_bit) != 0 || (j & half.key_bit) != 0) continue;
      if (!seen(at, j) || !seen(to, j + shift.d)) continue;
      ++sum.pairs;
      sum.alike += problem.IsDropped(at, j) == problem.IsDropped(to, j + shift.d);
    }
  }
  return sum;
}

TEST(MaskBits, LaidOverAnotherCountsAsPairByPair) {
  Problem problem(*Parse("lens_q=9,7 lens_k=131,70 heads=2 dim=1 mask=window:70,3:br dropout=50"));
  Random random(11);
  for (Index at{0, 0, 0, 0}; at.b < 2; ++at.b) {
    for (at.h = 0; at.h < 2; ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(Operand::q, at.b); ++at.i) {
        for (int j = 0; j < problem.RealRows(Operand::k, at.b); ++j) {
          problem.SetDropped(at, j, random.Chance(50));
        }
      }
    }
  }
  const MaskBits mask(problem, 0, 0);
  int64_t pairs = 0;
  for (int n = 0; n < 400; ++n) {
    const Index shift{random.Between(0, 1), random.Between(0, 1), random.Between(-9, 9),
                      random.Between(-135, 135)};
    const MaskBits::Half half{random.OneOf({0, 0, 1, 4}), random.OneOf({0, 0, 1, 32, 64})};
    Agreement sum;
    mask.LayOver(MaskBits(problem, shift.b, shift.h), shift.i, shift.d, half, sum);
    const Agreement counted = CountedPairByPair(problem, shift, half);
    ASSERT_EQ(sum.pairs, counted.pairs) << n;
    ASSERT_EQ(sum.alike, counted.alike) << n;
    pairs += sum.pairs;
  }
  EXPECT_GT(pairs, 1000);
}

}  // namespace
}  // namespace padproof
