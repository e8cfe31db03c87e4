// Kernels that are right by other conventions than ours, and say so in their row, are accused by no
// law; and what the row says matters.

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>
#include <vector>

#include "harness/case/generate.h"
#include "harness/drivers/kernel_info.h"
#include "harness/judge/problem.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

float& At(const Tensor& t, int b, int h, int slot, int d) {
  const int64_t at = b * t.stride[0] + h * t.stride[1] + slot * t.stride[2] + d * t.stride[3];
  return static_cast<float*>(t.data)[at];
}

/// One query of an fp32 kernel in three passes over all slots, as eager code has it: what a query
/// does not see gets the lowest finite score, so that a row of nothing else is a mean over all
/// slots, or zeros where `zero_empty` asks for them.
struct Row {
  std::vector<float> p;
  std::vector<bool> seen;
  float lse = 0;
  bool empty = true;
};

float Dot(const Tensor& x, int row, const Tensor& y, int other, int b, int h, int dim) {
  float sum = 0;
  for (int d = 0; d < dim; ++d) sum += At(x, b, h, row, d) * At(y, b, h, other, d);
  return sum;
}

Row SoftmaxOf(const AttentionArgs& a, int b, int h, int i, bool backwards) {
  Row row;
  const int slot_q = a.leftpad_q[b] + i, shift = a.seqused_k[b] - a.seqused_q[b];
  std::vector<float> scores;
  for (int slot = 0; slot < a.seqlen_k; ++slot) {
    const int j = slot - a.leftpad_k[b];
    const bool real = j >= 0 && j < a.seqused_k[b];
    const bool seen = real && (a.mask == Mask::none || j <= i + shift);
    row.seen.push_back(seen);
    row.empty = row.empty && !seen;
    scores.push_back(seen ? Dot(a.q, slot_q, a.k, slot, b, h, a.dim) * a.softmax_scale : -FLT_MAX);
  }
  float most = -FLT_MAX, sum = 0;
  for (float s : scores) most = std::max(most, s);
  for (float s : scores) row.p.push_back(std::exp(s - most));
  if (backwards) {
    for (size_t n = row.p.size(); n-- > 0;) sum += row.p[n];
  } else {
    for (float p : row.p) sum += p;
  }
  row.lse = most + std::log(sum);
  for (float& p : row.p) p /= sum;
  return row;
}

template <class Visit>
void ForEachQuery(const AttentionArgs& a, Visit visit) {
  for (int b = 0; b < a.batch; ++b) {
    for (int h = 0; h < a.heads; ++h) {
      for (int i = 0; i < a.seqused_q[b]; ++i) visit(b, h, i, a.leftpad_q[b] + i);
    }
  }
}

void Clear(const Tensor& t, float value) {
  for (int b = 0; b < t.size[0]; ++b) {
    for (int h = 0; h < t.size[1]; ++h) {
      for (int slot = 0; slot < t.size[2]; ++slot) {
        for (int d = 0; d < t.size[3]; ++d) At(t, b, h, slot, d) = value;
      }
    }
  }
}

template <bool zero_empty>
Status Forward(const AttentionArgs& a) {
  Clear(a.o, 0);
  Clear(a.lse, INFINITY);
  ForEachQuery(a, [&](int b, int h, int i, int slot_q) {
    const Row row = SoftmaxOf(a, b, h, i, true);
    if (zero_empty && row.empty) return;
    At(a.lse, b, h, slot_q, 0) = row.lse;
    for (int d = 0; d < a.dim_v; ++d) {
      float sum = 0;
      for (int j = 0; j < a.seqlen_k; ++j) {
        sum += row.p[static_cast<size_t>(j)] * At(a.v, b, h, j, d);
      }
      At(a.o, b, h, slot_q, d) = sum;
    }
  });
  return kOk;
}

/// From a softmax that it computes again, in another order than the forward did.
template <bool zero_empty>
Status Backward(const AttentionArgs& a) {
  for (const Tensor* t : {&a.dq, &a.dk, &a.dv}) Clear(*t, 0);
  ForEachQuery(a, [&](int b, int h, int i, int slot_q) {
    const Row row = SoftmaxOf(a, b, h, i, false);
    if (zero_empty && row.empty) return;
    float delta = 0;
    std::vector<float> dp;
    for (int j = 0; j < a.seqlen_k; ++j) {
      dp.push_back(Dot(a.d_o, slot_q, a.v, j, b, h, a.dim_v));
      delta += row.p[static_cast<size_t>(j)] * dp.back();
    }
    for (int j = 0; j < a.seqlen_k; ++j) {
      const float p = row.p[static_cast<size_t>(j)];
      for (int d = 0; d < a.dim_v; ++d) At(a.dv, b, h, j, d) += p * At(a.d_o, b, h, slot_q, d);
      if (!row.seen[static_cast<size_t>(j)]) continue;
      const float ds = p * (dp[static_cast<size_t>(j)] - delta) * a.softmax_scale;
      for (int d = 0; d < a.dim; ++d) {
        At(a.dq, b, h, slot_q, d) += ds * At(a.k, b, h, j, d);
        At(a.dk, b, h, j, d) += ds * At(a.q, b, h, slot_q, d);
      }
    }
  });
  return kOk;
}

KernelRow RowOf(bool zero_empty) {
  KernelRow row{};
  row.name = "other_conventions";
  row.backend = "cpu";
  row.file = __FILE__;
  row.summary = row.source = "";
  row.traits.masks = SetOf(Mask::none, Mask::causal_br);
  row.traits.pad_sides = SetOf(PadSide::right, PadSide::left);
  row.traits.features = SetOf(Feature::scale, Feature::dim_v);
  row.traits.seqlen_k_min = 1;
  row.traits.tile_q = row.traits.tile_k = 4;
  row.traits.promises.pad_content = PadContent::finite_scores;
  row.forward = zero_empty ? Forward<true> : Forward<false>;
  row.backward = zero_empty ? Backward<true> : Backward<false>;
  return row;
}

/// The first of some cases drawn for the law in which it accuses the row, or "".
std::string Accusation(const KernelRow& row, const Property& law, uint64_t cases) {
  KernelInfo info;
  info.traits = row.traits;
  info.backend = row.backend;
  info.has_forward = info.has_backward = true;
  const Domain domain = DomainOf(info);
  for (uint64_t n = 0; n < cases; ++n) {
    Random random(HashOf({HashOf(law.name), n}));
    Case c = Generate(domain, random, 40);
    PrepareFor(law, c, row.traits, random);
    c = Fit(domain, c);
    if (Judge(law, row, c).outcome == Outcome::fails) return std::string(law.name) + " " + Print(c);
  }
  return {};
}

bool IsAccusedBy(const KernelRow& row, const char* law) {
  return !Accusation(row, *FindProperty(law), 2000).empty();
}

/// By all laws, a line each.
std::string Accusations(const KernelRow& row) {
  std::string text;
  for (const Property* law : Properties()) {
    if (WhyInapplicable(*law, row.backend, row.traits, true, true, false) != nullptr) continue;
    const std::string line = Accusation(row, *law, 200);
    if (!line.empty()) text += line + "\n";
  }
  return text;
}

TEST(Conventions, AnEmptyRowMayBeAMeanOverAllSlots) {
  KernelRow row = RowOf(false);
  row.traits.promises.empty_row = EmptyRow::unspecified;
  row.traits.promises.pad_outputs = PadOutputs::written;
  EXPECT_EQ(Accusations(row), "");
  row.traits.promises.empty_row = EmptyRow::zero;
  for (const char* law : {"empty_row", "pad_content_invariance", "value_symmetry"}) {
    EXPECT_TRUE(IsAccusedBy(row, law)) << law;
  }
}

TEST(Conventions, LseOfAnEmptyRowMayBePlusInfinityAndABackwardMayComputeItAgain) {
  KernelRow row = RowOf(true);
  row.traits.returns_lse = 1;
  row.traits.recomputes_forward = 1;
  row.traits.promises.empty_lse = EmptyLse::plus_infinity;
  EXPECT_EQ(Accusations(row), "");
  row.traits.recomputes_forward = 0;
  EXPECT_TRUE(IsAccusedBy(row, "gradient_agreement"));
  row.traits.promises.empty_lse = EmptyLse::minus_infinity;
  EXPECT_TRUE(IsAccusedBy(row, "empty_row"));
}

}  // namespace
}  // namespace padproof
