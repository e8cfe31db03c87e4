// The adversary keeps the bound honest: no correct kernel leaves the bound of the profile that it
// declares, over the families of inputs and under a search. And it bites: a profile that lies is
// found out, field by field. The arithmetic it attacks with is that of the machines it names.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "reference/bounds.h"
#include "reference/emulation/climb.h"
#include "reference/emulation/kernel.h"
#include "reference/emulation/survey.h"

namespace padproof::reference {
namespace {

TEST(Adversary, NoCorrectKernelLeavesItsBound) {
  Survey all = SurveyOf(1, 19 * kRunsOfHead * 6, false, 1);
  all.Add(SurveyOf(1, 19 * kRunsOfHead * 2, true, 1));
  EXPECT_EQ(all.violations, 0);
  for (const std::string& run : all.violators) ADD_FAILURE() << run;
  EXPECT_GT(all.elements, 1000000);
  EXPECT_GT(all.long_runs, 0);
}

TEST(Adversary, SurvivesASearchForItsViolation) {
  for (int t = 0; t < kTargets; ++t) {
    for (Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
      double best = 0;
      const auto target = static_cast<Target>(t);
      const bool of_variants = target == Target::dbias || target == Target::dsink ||
                               target == Target::stored_dbias || target == Target::stored_dsink;
      for (uint64_t seed = 0; seed < 40; ++seed) {
        const ClimbStart start{target, dtype, seed, of_variants || seed % 4 >= 2};
        const Climb climb = ClimbFrom(start);
        EXPECT_LE(climb.best, 1) << Print(start) << ": " << climb.kernel << " on " << climb.inputs;
        best = std::max(best, climb.best);
      }
      EXPECT_GT(best, 0.1) << "the search no longer comes near the bound of "
                           << NameOf(static_cast<Target>(t)) << " in " << padproof::NameOf(dtype);
    }
  }
}

// ---- profiles that lie --------------------------------------------------------------------------

/// The largest ratio of a kernel under a profile that it does not keep, over all families.
double RatioUnder(const NumericsProfile& profile, const char* kernel, Dtype dtype,
                  bool backward = false) {
  const Emulation& e = FindEmulatedKernel(kernel)->emulation;
  Ratios ratios;
  for (int f = 0; f < kFamilies; ++f) {
    for (int n : {1, 3, 17, 100}) {
      const HeadShape shape{2, n, 16, dtype};
      const Head head = HeadOf(static_cast<Family>(f), shape, static_cast<uint64_t>(n));
      if (backward) {
        JudgeBackward(e, profile, head, 1, ratios);
      } else {
        JudgeForward(e, profile, head, 1, ratios);
      }
    }
  }
  return ratios.largest();
}

TEST(Adversary, FindsOutTf32JudgedAsFp32) {
  EXPECT_LE(RatioUnder(Tf32(), "tf32_nearest", Dtype::f32), 1);
  EXPECT_GT(RatioUnder(Generic32(), "tf32_nearest", Dtype::f32), 10);
  EXPECT_LE(RatioUnder(Tf32(true), "tf32_truncated", Dtype::f32), 1);
  EXPECT_GT(RatioUnder(Tf32(), "tf32_truncated", Dtype::f32), 1);
}

TEST(Adversary, FindsOutTensorCoresJudgedAsSimt) {
  const Emulation& e = FindEmulatedKernel("flash_32_v100")->emulation;
  NumericsProfile v100 = ProfileOf(e, Dtype::f16), simt = v100;
  simt.tensor_block = 0;
  Ratios declared, lied;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Head head = HeadOf(Family::coherent_accumulation, {1, 3, 128, Dtype::f16}, seed);
    JudgeForward(e, v100, head, 1, declared);
    JudgeForward(e, simt, head, 1, lied);
  }
  EXPECT_LE(declared.largest(), 1);
  EXPECT_GT(lied.largest(), 1);
}

// Each of these has refuted a bound that was believed.
TEST(Adversary, OldRefutationsHoldNow) {
  // D is off by the rounding of a large O: dS overflows f16 where the reference has 0.
  EXPECT_LE(ClimbFrom({Target::dk, Dtype::f16, 1381129186}).best, 1);
  // Dropped keys round in the row sum alone.
  EXPECT_LE(ClimbFrom({Target::row_sum, Dtype::bf16, 435392748, true}).best, 1);
  for (const char* line : {"flash_64_h100_split constant_v f16 forward 2 226 32 3525233363",
                           "online_16_ftz subnormal bf16 backward 4 65 16 602534966",
                           "scaled_q16 tiny_logits f16 backward 4 31 8 3320534442"}) {
    Attack attack;
    ASSERT_TRUE(Parse(line, attack));
    const Ratios ratios = Judge(attack);
    EXPECT_LE(ratios.largest(), 1) << line;
    EXPECT_GT(ratios.largest(), 0.1) << line;
  }
  const NamedKernel& ftz = *FindEmulatedKernel("online_16_ftz");
  for (uint64_t seed : {251, 642}) {  // subnormal K, huge dS
    const Dtype dtype = seed == 251 ? Dtype::bf16 : Dtype::f32;
    const ClimbStart start{Target::stored_dq, dtype, seed};
    EXPECT_LE(ClimbWith(ftz, ProfileOf(ftz.emulation, dtype), start, 100).best, 1);
  }
}

// Each of these leaves a bound of variants that lacks the term named beside it.
TEST(Adversary, TermsOfVariantsAreNeeded) {
  for (const char* line :
       {"flash_64_a100 increasing f16 forward 2 63 32 427356075 variants",          // tanh
        "eager16 mixed_magnitudes f16 forward 2 85 16 2076617253 variants",         // stored twice
        "online_scalar_worst increasing f16 backward 4 20 16 3382236812 variants",  // its slope
        "eager16 increasing f16 backward 4 20 16 3382236812 variants",              // stored tanh
        "flash_64_fp32_p pv_cancellation bf16 backward 4 128 8 3423571843 variants"}  // D, of sinks
  ) {
    Attack attack;
    ASSERT_TRUE(Parse(line, attack));
    const Ratios ratios = Judge(attack);
    EXPECT_LE(ratios.largest(), 1) << line;
    EXPECT_GT(ratios.largest(), 0.1) << line;
  }
  for (const char* line : {
           "lse f16 1000024 variants",           // a stored sum with the bias
           "stored_dk f16 1000003 variants",     // dS rounded after the softcap
           "dv bf16 1000036 variants",           // P stored, dropped and stored
           "dsink f16 5000987 variants",         // stored P that underflows
           "dsink f16 1000076 variants",         // dS rounded before its scale
           "stored_dbias bf16 1000027 variants"  // and flushed
       }) {
    ClimbStart start;
    ASSERT_TRUE(Parse(line, start));
    const Climb climb = ClimbFrom(start);
    EXPECT_LE(climb.best, 1) << line;
    EXPECT_GT(climb.best, 0.1) << line;
  }
}

TEST(Adversary, FindsOutEveryFieldThatIsDropped) {
  struct Lie {
    const char* kernel;
    Dtype dtype;
    Target target;
    void (*drop)(NumericsProfile&);
  };
  const Lie lies[] = {
      {"flash_16", Dtype::bf16, Target::o, [](NumericsProfile& p) { p.p_rounding = 0; }},
      {"flash_16", Dtype::f16, Target::dv, [](NumericsProfile& p) { p.p_rounding = 0; }},
      {"three_pass_normalised", Dtype::f16, Target::dv,
       [](NumericsProfile& p) { p.p_underflow = 0; }},
      {"eager16", Dtype::bf16, Target::o,
       [](NumericsProfile& p) { p.score_rounding = p.qk_scale_rounding = 0; }},
      {"eager16", Dtype::bf16, Target::dq,
       [](NumericsProfile& p) { p.score_rounding = p.qk_scale_rounding = 0; }},
      {"scaled_q16", Dtype::bf16, Target::lse, [](NumericsProfile& p) { p.qk_scale_rounding = 0; }},
      {"cubic_exp", Dtype::f32, Target::o, [](NumericsProfile& p) { p.exp_error = 5 * kUnit; }},
      {"fa4", Dtype::f16, Target::lse, [](NumericsProfile& p) { p.exp_error = 5 * kUnit; }},
      {"tf32_nearest", Dtype::f32, Target::o, [](NumericsProfile& p) { p.operand_rounding = 0; }},
      {"tf32_nearest", Dtype::f32, Target::stored_dk,
       [](NumericsProfile& p) { p.operand_rounding = 0; }},
      {"split_3_by_lse_worst", Dtype::f32, Target::o, [](NumericsProfile& p) { p.split = 0; }},
      {"flash_4_rounded_sum", Dtype::bf16, Target::lse,
       [](NumericsProfile& p) { p.row_sum_of_rounded_p = 0; }},
      {"flash_16_a100_worst", Dtype::bf16, Target::lse,
       [](NumericsProfile& p) { p.tanh_error = 5 * kUnit; }},
      {"flash_128_h100", Dtype::bf16, Target::stored_dv,
       [](NumericsProfile& p) { p.expanded_gradients = 0; }},
  };
  const auto search = [](const Lie& lie, const NumericsProfile& profile) {
    double best = 0;
    for (uint64_t seed = 0; seed < 60 && best <= 1; ++seed) {
      const ClimbStart start{lie.target, lie.dtype, seed, /*variants=*/seed % 2 == 1};
      best = std::max(best,
                      ClimbWith(*FindEmulatedKernel(lie.kernel), profile, start, kClimbSteps).best);
    }
    return best;
  };
  for (const Lie& lie : lies) {
    NumericsProfile profile = ProfileOf(FindEmulatedKernel(lie.kernel)->emulation, lie.dtype);
    EXPECT_LE(search(lie, profile), 1) << lie.kernel << ' ' << NameOf(lie.target);
    lie.drop(profile);
    EXPECT_GT(search(lie, profile), 1) << lie.kernel << ' ' << NameOf(lie.target);
  }
}

// ---- arithmetic ---------------------------------------------------------------------------------

TEST(TensorCoreAdd, CutsOffWhereTheHardwareDoes) {
  const float one[] = {1, 1, 1, 1}, tiny[] = {0x1p-24f, 0x1p-24f, 0x1p-24f, 0x1p-24f};
  // Beside an accumulator of 1: V100 keeps bits down to 2^-23, A100 to 2^-24, H100 to 2^-25.
  EXPECT_EQ(TensorCoreAdd(kV100Core, 1, one, tiny, 4), 1);
  EXPECT_EQ(TensorCoreAdd(kA100Core, 1, one, tiny, 4), 1 + 0x1p-22f);
  const float half[] = {0x1p-25f, 0x1p-25f, 0x1p-25f, 0x1p-25f};
  EXPECT_EQ(TensorCoreAdd(kA100Core, 1, one, half, 4), 1);
  EXPECT_EQ(TensorCoreAdd(kH100Core, 1, one, half, 4), 1 + 0x1p-23f);
  // Towards zero, not to nearest.
  const float almost[] = {0x1.8p-24f};
  EXPECT_EQ(TensorCoreAdd(kH100Core, 1, one, almost, 1), 1);
  EXPECT_EQ(TensorCoreAdd(kH100Core, -1, one, almost, 1), -1 + 0x1p-23f);
  // Zero products never coarsen the grid.
  const float zero[] = {0}, huge[] = {0x1p100f};
  EXPECT_EQ(TensorCoreAdd(kV100Core, 0x1p-140f, zero, huge, 1), 0x1p-140f);
}

TEST(ToTf32, KeepsElevenBits) {
  EXPECT_EQ(ToTf32(1 + 0x1p-10f, false), 1 + 0x1p-10f);
  EXPECT_EQ(ToTf32(1 + 0x1.8p-11f, false), 1 + 0x1p-10f);
  EXPECT_EQ(ToTf32(1 + 0x1.8p-11f, true), 1);
  EXPECT_EQ(ToTf32(1 + 0x1p-11f, false), 1);  // to even
  EXPECT_EQ(ToTf32(-0x1.ffcp0f - 0x1p-12f, false), -0x1.ffcp0f);
}

TEST(CubicExp2, IsOfTheErrorClassOfFlashAttention4) {
  double worst = 0;
  for (int k = 0; k <= 40000; ++k) {
    const float x = -static_cast<float>(k) / 1000;
    const double exact = std::exp2(static_cast<double>(x));
    worst = std::max(worst, std::fabs(static_cast<double>(CubicExp2(x)) / exact - 1));
  }
  EXPECT_LT(worst, 8.8e-5);
  EXPECT_GT(worst, 8.0e-5);
  EXPECT_EQ(CubicExp2(0), 1);
  EXPECT_EQ(CubicExp2(-3), 0.125f);
}

// ---- replay -------------------------------------------------------------------------------------

TEST(Attack, IsItsPrintedLine) {
  for (const Attack& run : RunsOfHead(5, 3, true)) {
    Attack again;
    ASSERT_TRUE(Parse(Print(run), again)) << Print(run);
    EXPECT_EQ(Print(again), Print(run));
  }
  Attack run;
  EXPECT_FALSE(Parse("nobody randn f32 forward 1 2 8 5", run));
  EXPECT_FALSE(Parse("fa4 randn f32 sideways 1 2 8 5", run));
  EXPECT_FALSE(Parse("fa4 randn f32 forward 1 2", run));
}

TEST(ClimbStart, IsItsPrintedLine) {
  const ClimbStart start{Target::stored_dk, Dtype::bf16, 7};
  ClimbStart again;
  ASSERT_TRUE(Parse(Print(start), again));
  EXPECT_EQ(ClimbFrom(again).best, ClimbFrom(start).best);
  EXPECT_FALSE(Parse("dx f32 7", again));
}

TEST(Families, AreWhatTheirNamesSay) {
  const HeadShape shape{1, 64, 16, Dtype::bf16};
  const auto row = [&](Family family) {
    Head head = HeadOf(family, shape, 3);
    head.visible = {{0, 64}};
    return Forward(head, {}, 0);
  };
  double most = 0;
  for (double p : row(Family::one_hot).p) most = std::max(most, p);
  EXPECT_GT(most, 1 - 1e-12);
  EXPECT_GT(row(Family::logits_1e4).lse.centre, 1e4);
  const ForwardRow tail = row(Family::long_tail);
  EXPECT_LT(tail.p[63] / tail.p[0], 1e-35);
  const ForwardRow equal = row(Family::equal_logits);
  EXPECT_DOUBLE_EQ(equal.p[0], equal.p[63]);
}

}  // namespace
}  // namespace padproof::reference
