#include "harness/case/values.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <set>

#include "harness/base/random.h"

namespace padproof {
namespace {

constexpr Dtype kDtypes[] = {Dtype::f32, Dtype::f16, Dtype::bf16};
constexpr Operand kInputs[] = {Operand::q, Operand::k, Operand::v, Operand::d_o};

Case Of(Values values, Dtype dtype, int dim, int len_q = 20, int len_k = 40) {
  Case c;
  c.lens_q = {len_q, len_q};
  c.lens_k = {len_k, len_k};
  c.heads = 2;
  c.dim = dim;
  c.dtype = dtype;
  c.values = values;
  c.seed = 12345;
  return c;
}

double Real(const Case& c, Operand op, int b, int h, int i, int d) {
  return Decode(c.dtype, RealBits(c, op, b, h, i, d));
}

double Logit(const Case& c, int b, int h, int i, int j) {
  double sum = 0;
  for (int d = 0; d < c.dim; ++d) {
    sum += Real(c, Operand::q, b, h, i, d) * Real(c, Operand::k, b, h, j, d);
  }
  return sum * SoftmaxScale(c);
}

TEST(SoftmaxScale, IsTheCasesOwnInHundredths) {
  const Case c{.dim = 4, .scale = 10};
  EXPECT_EQ(SoftmaxScale(c), 0.1f);
  EXPECT_NEAR(PerScore(c) * 4 * 0.1, 1, 1e-15);
}

TEST(Alibi, NoTwoHeadsShareASlope) {
  std::set<float> slopes;
  for (int h = 0; h < kMaxHeads; ++h) slopes.insert(AlibiSlope(h));
  EXPECT_EQ(slopes.size(), static_cast<size_t>(kMaxHeads));
  EXPECT_GT(*slopes.begin(), 0);
}

TEST(SoftmaxScale, IsRoundedToNearest) {
  Case c;
  for (c.dim = 1; c.dim <= kMaxDim; ++c.dim) {
    const float scale = SoftmaxScale(c);
    ASSERT_EQ(scale, static_cast<float>(1.0L / std::sqrt(static_cast<long double>(c.dim))));
    // Not an accident of long double: both neighbours' midpoints lie beyond 1/sqrt(dim).
    const double low = (double{scale} + double{std::nextafterf(scale, 0)}) / 2;
    const double high = (double{scale} + double{std::nextafterf(scale, 2)}) / 2;
    ASSERT_LT(low * low * c.dim, 1.0) << c.dim;
    ASSERT_GT(high * high * c.dim, 1.0) << c.dim;
  }
}

TEST(Values, RealTokensAreFinite) {
  for (Dtype dtype : kDtypes) {
    for (size_t kind = 0; kind < EnumText<Values>::names.size(); ++kind) {
      for (int dim : {1, 7, 64}) {
        const Case c = Of(static_cast<Values>(kind), dtype, dim);
        for (Operand op : kInputs) {
          for (int i = 0; i < 20; ++i) {
            for (int d = 0; d < dim; ++d) {
              ASSERT_TRUE(IsFinite(dtype, RealBits(c, op, 1, 1, i, d))) << Print(c);
            }
          }
        }
      }
    }
  }
}

TEST(Values, NormalIsRoughlyNormal) {
  for (uint64_t seed : {0, 1}) {
    Case c = Of(Values::normal, Dtype::f32, 64);
    c.seed = seed;
    double sum = 0, square = 0, fourth = 0, largest = 0;
    constexpr int kRows = 500;
    for (int i = 0; i < kRows; ++i) {
      for (int d = 0; d < 64; ++d) {
        const double x = Real(c, Operand::q, 0, 0, i, d);
        if (seed == 0) {
          ASSERT_EQ(x * 256, std::round(x * 256));  // short to print
        }
        sum += x;
        square += x * x;
        fourth += x * x * x * x;
        largest = std::max(largest, std::fabs(x));
      }
    }
    const double n = kRows * 64;
    EXPECT_NEAR(sum / n, 0, 0.03);
    EXPECT_NEAR(square / n, 1, 0.03);
    EXPECT_NEAR(fourth / n, 2.9, 0.2);
    EXPECT_LT(largest, 6);
  }
}

// Any two of (operand, b, h, i, d) that differ give different numbers, nearly always.
TEST(Values, StreamsAreIndependent) {
  const Case c = Of(Values::normal, Dtype::f32, 8);
  std::set<uint32_t> seen;
  int count = 0;
  for (Operand op : kInputs) {
    for (int b = 0; b < 2; ++b) {
      for (int h = 0; h < 2; ++h) {
        for (int i = 0; i < 8; ++i) {
          for (int d = 0; d < 8; ++d, ++count) seen.insert(RealBits(c, op, b, h, i, d));
        }
      }
    }
  }
  EXPECT_EQ(count, 1024);
  EXPECT_GT(seen.size(), 1015u);
}

TEST(Values, DoNotMoveWithShapesPadsOrNeighbours) {
  for (size_t kind = 0; kind < EnumText<Values>::names.size(); ++kind) {
    const Case a = Of(static_cast<Values>(kind), Dtype::f32, 8);
    Case b = a;
    b.lens_q = {7, 3, 20};
    b.lens_k = {1, 40, 9};
    b.heads = 5;
    b.pad_k = 9;
    b.pad_side = PadSide::left;
    b.layout = Layout::bshd;
    b.mask = Mask::causal_br;
    b.fill = Fill::nan;
    for (Operand op : kInputs) {
      for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(RealBits(a, op, 1, 1, i, 5), RealBits(b, op, 1, 1, i, 5)) << Print(a);
      }
    }
  }
}

TEST(Values, DeepLogitsLieNearMinus120) {
  for (Dtype dtype : kDtypes) {
    for (int dim : {1, 3, 8, 64, 256}) {
      const Case c = Of(Values::deep, dtype, dim);
      for (int j = 0; j < 40; ++j) {
        ASSERT_GT(Logit(c, 1, 0, 3, j), -128) << Print(c);
        ASSERT_LT(Logit(c, 1, 0, 3, j), -112) << Print(c);
      }
    }
  }
}

TEST(Values, SunkenLogitsLieBelowEverySentinel) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    for (const int dim : {1, 2, 8, 64, 256}) {
      const Case c = Of(Values::sunken, dtype, dim);
      for (int i = 0; i < 5; ++i) {
        double logit = 0;
        for (int d = 0; d < dim; ++d) {
          logit += Real(c, Operand::q, 0, 0, 0, d) * Real(c, Operand::k, 0, 0, i, d);
        }
        EXPECT_NEAR(logit * SoftmaxScale(c), -70000, 500) << dim;
      }
    }
  }
}

TEST(Values, IncreasingMovesTheMaximumInEveryTile) {
  for (Dtype dtype : kDtypes) {
    for (int dim : {1, 3, 16, 128}) {
      const Case c = Of(Values::increasing, dtype, dim, 2, 4096);
      double before = -1e9;
      for (int j = 0; j < 128; j += 16) {
        double maximum = -1e9;
        for (int in_tile = 0; in_tile < 16; ++in_tile) {
          maximum = std::max(maximum, Logit(c, 0, 1, 1, j + in_tile));
        }
        ASSERT_GT(maximum, before) << Print(c) << " tile at " << j;
        before = maximum;
      }
      for (int j = 1; j < 4096; j += 31) {
        ASSERT_GE(Logit(c, 0, 1, 1, j), Logit(c, 0, 1, 1, j - 1)) << Print(c) << " j=" << j;
        ASSERT_LT(std::fabs(Logit(c, 0, 1, 1, j)), 60);
      }
    }
  }
}

TEST(Values, EachKindIsWhatItsCommentSays) {
  for (Dtype dtype : kDtypes) {
    const Case tied = Of(Values::tied, dtype, 8);
    EXPECT_EQ(Logit(tied, 0, 0, 0, 0), Logit(tied, 1, 1, 5, 7));

    const Case one_hot = Of(Values::one_hot, dtype, 8);
    std::set<int> channels;
    for (int i = 0; i < 20; ++i) {
      double square = 0;
      for (int d = 0; d < 8; ++d) {
        const double q = Real(one_hot, Operand::q, 0, 0, i, d);
        if (q != 0) channels.insert(d);
        square += q * q;
      }
      EXPECT_EQ(square, 64);
    }
    EXPECT_GT(channels.size(), 3u);

    const Case outlier = Of(Values::outlier, dtype, 8);
    int loud = 0;
    for (int d = 0; d < 8; ++d) {
      double largest = 0;
      for (int i = 0; i < 20; ++i) {
        largest = std::max(largest, std::fabs(Real(outlier, Operand::k, 0, 1, i, d)));
      }
      loud += largest > 16;
    }
    EXPECT_EQ(loud, 1);

    const DtypeFacts facts = FactsOf(dtype);
    const double unit = dtype == Dtype::f16 ? 0x1p14 : 0x1p109;
    for (int i = 0; i < 20; ++i) {
      const double near = std::fabs(Real(Of(Values::near_max, dtype, 8), Operand::v, 0, 0, i, 1));
      EXPECT_GE(near, unit);
      EXPECT_LE(near, 2 * unit);
      EXPECT_LE(near, facts.max_finite / 1.99);
      const double tiny = std::fabs(Real(Of(Values::subnormal, dtype, 8), Operand::v, 0, 0, i, 1));
      EXPECT_GT(tiny, 0);
      EXPECT_LT(tiny, facts.min_normal);
    }
  }
}

TEST(Values, LargeHasLogitsInTheHundreds) {
  const Case c = Of(Values::large, Dtype::bf16, 8);
  int hundreds = 0;
  for (int j = 0; j < 40; ++j) hundreds += std::fabs(Logit(c, 0, 0, 0, j)) > 100;
  EXPECT_GT(hundreds, 10);
}

}  // namespace
}  // namespace padproof
