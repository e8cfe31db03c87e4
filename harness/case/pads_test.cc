#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "harness/case/values.h"

namespace padproof {
namespace {

constexpr Dtype kDtypes[] = {Dtype::f32, Dtype::f16, Dtype::bf16};
constexpr Operand kPadded[] = {Operand::q, Operand::k,   Operand::v,
                               Operand::o, Operand::lse, Operand::d_o};

Case Of(Dtype dtype, int dim = 8) {
  Case c;
  c.lens_q = {20, 3};
  c.lens_k = {12, 40};
  c.heads = 2;
  c.dim = dim;
  c.dtype = dtype;
  c.seed = 99;
  return c;
}

Dtype StorageOf(const Case& c, Operand op) { return op == Operand::lse ? Dtype::f32 : c.dtype; }

/// Every pad element of 200 slots.
template <class F>
void ForEachPad(const Case& c, Fill fill, F visit) {
  for (Operand op : kPadded) {
    for (int pad = 0; pad < 50; ++pad) {
      for (int d = 0; d < (op == Operand::lse ? 1 : c.dim); ++d) {
        visit(op, PadBits(c, fill, op, 1, pad % 2, pad, d));
      }
    }
  }
}

TEST(Pads, FitTheStorageTypeAndTheirFill) {
  for (Dtype dtype : kDtypes) {
    const Case c = Of(dtype);
    for (size_t kind = 0; kind < EnumText<Fill>::names.size(); ++kind) {
      const Fill fill = static_cast<Fill>(kind);
      ForEachPad(c, fill, [&](Operand op, uint32_t bits) {
        const Dtype storage = StorageOf(c, op);
        if (storage != Dtype::f32) {
          ASSERT_LT(bits, 0x10000u);
        }
        if (IsFinite(fill)) {
          ASSERT_TRUE(IsFinite(storage, bits)) << NameOf(fill);
        }
        const double value = Decode(storage, bits);
        if (fill == Fill::zero) {
          ASSERT_EQ(bits, 0u);
        }
        if (fill == Fill::nan) {
          ASSERT_TRUE(IsNan(storage, bits));
          ASSERT_EQ(Encode(storage, value), bits);  // quiet already
        }
        if (fill == Fill::inf) {
          ASSERT_TRUE(std::isinf(value));
        }
        if (fill == Fill::huge) {
          ASSERT_EQ(std::fabs(value), FactsOf(storage).max_finite);
        }
        if (fill == Fill::hot && op != Operand::k) {
          ASSERT_GE(std::fabs(value), 512);
          ASSERT_LE(std::fabs(value), 1024);
        }
      });
    }
  }
}

TEST(Pads, SignsAndPayloadsVary) {
  for (Dtype dtype : kDtypes) {
    const Case c = Of(dtype);
    for (Fill fill : {Fill::huge, Fill::inf, Fill::nan, Fill::bits, Fill::hot, Fill::noise}) {
      std::set<uint32_t> seen;
      int negative = 0, count = 0;
      ForEachPad(c, fill, [&](Operand op, uint32_t bits) {
        if (op == Operand::lse) return;
        seen.insert(bits);
        negative += (bits >> (dtype == Dtype::f32 ? 31 : 15)) & 1;
        ++count;
      });
      EXPECT_GT(negative, count / 3) << NameOf(fill);
      EXPECT_LT(negative, count * 2 / 3) << NameOf(fill);
      EXPECT_GE(seen.size(), fill == Fill::huge || fill == Fill::inf ? 2u : 60u) << NameOf(fill);
    }
  }
}

TEST(Pads, CopyIsARealRowOfTheSameSequenceAndHead) {
  const Case c = Of(Dtype::f16);
  std::set<int> sources;
  for (int pad = 0; pad < 30; ++pad) {
    const auto is_row = [&](int j) {
      for (int d = 0; d < c.dim; ++d) {
        const uint32_t real = RealBits(c, Operand::k, 0, 1, j, d);
        if (PadBits(c, Fill::copy, Operand::k, 0, 1, pad, d) != real) return false;
      }
      return true;
    };
    int source = 0;
    while (source < 12 && !is_row(source)) ++source;
    ASSERT_LT(source, 12) << "pad " << pad;
    sources.insert(source);
  }
  EXPECT_GT(sources.size(), 4u);
  Case empty = c;
  empty.lens_k = {0, 4};
  EXPECT_EQ(PadBits(empty, Fill::copy, Operand::k, 0, 1, 3, 2), 0u);
}

TEST(Pads, NoiseIsNotTheRealTokens) {
  for (Values values : {Values::normal, Values::tied, Values::deep}) {
    Case c = Of(Dtype::f32);
    c.values = values;
    int same = 0;
    for (int d = 0; d < 8; ++d) {
      same +=
          PadBits(c, Fill::noise, Operand::v, 0, 0, 0, d) == RealBits(c, Operand::v, 0, 0, 0, d);
      same +=
          PadBits(c, Fill::noise, Operand::k, 0, 0, 0, d) == RealBits(c, Operand::k, 0, 0, 0, d);
    }
    EXPECT_LT(same, 8) << Print(c);
  }
}

double Logit(const Case& c, int i, const std::vector<double>& key) {
  double sum = 0;
  for (int d = 0; d < c.dim; ++d) {
    sum += Decode(c.dtype, RealBits(c, Operand::q, 0, 1, i, d)) * key[static_cast<size_t>(d)];
  }
  return sum * SoftmaxScale(c);
}

// For some query the hot key wins by far, for no query does its score leave fp32.
TEST(Pads, HotKeysBeatEveryRealKeyOfTheirQuery) {
  for (Dtype dtype : kDtypes) {
    for (size_t kind = 0; kind < EnumText<Values>::names.size(); ++kind) {
      for (int dim : {1, 8, 64, 256}) {
        Case c = Of(dtype, dim);
        c.values = static_cast<Values>(kind);
        for (int pad = 0; pad < 4; ++pad) {
          std::vector<double> hot, real;
          for (int d = 0; d < dim; ++d) {
            hot.push_back(Decode(dtype, PadBits(c, Fill::hot, Operand::k, 0, 1, pad, d)));
          }
          double best_lead = -1e30;
          for (int i = 0; i < 20; ++i) {
            const double score = Logit(c, i, hot);
            ASSERT_LT(std::fabs(score), 3e6) << Print(c);
            double row_maximum = -1e30;
            for (int j = 0; j < 12; ++j) {
              real.clear();
              for (int d = 0; d < dim; ++d) {
                real.push_back(Decode(dtype, RealBits(c, Operand::k, 0, 1, j, d)));
              }
              row_maximum = std::max(row_maximum, Logit(c, i, real));
            }
            best_lead = std::max(best_lead, score - row_maximum);
          }
          ASSERT_GE(best_lead, 30) << Print(c) << " pad " << pad;
        }
      }
    }
  }
}

TEST(Pads, HotWithoutQueriesIsLarge) {
  Case c = Of(Dtype::f32);
  c.lens_q = {0, 0};
  const double k = Decode(Dtype::f32, PadBits(c, Fill::hot, Operand::k, 0, 0, 0, 0));
  EXPECT_GE(std::fabs(k), 512);
}

// Asking in another order gives the same bits, although hot rows remember their query.
TEST(Pads, AreAFunctionOfTheirPlace) {
  for (size_t kind = 0; kind < EnumText<Fill>::names.size(); ++kind) {
    const Fill fill = static_cast<Fill>(kind);
    const Case a = Of(Dtype::f32);
    Case b = a;
    b.values = Values::large;
    std::vector<uint32_t> forward, backward;
    for (int n = 0; n < 64; ++n) {
      forward.push_back(PadBits(n % 2 ? a : b, fill, Operand::k, n % 2, n / 32, n / 8, n % 8));
    }
    for (int n = 63; n >= 0; --n) {
      backward.push_back(PadBits(n % 2 ? a : b, fill, Operand::k, n % 2, n / 32, n / 8, n % 8));
    }
    std::reverse(backward.begin(), backward.end());
    EXPECT_EQ(forward, backward) << NameOf(fill);
  }
}

}  // namespace
}  // namespace padproof
