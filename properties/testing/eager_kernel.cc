#include "properties/testing/eager_kernel.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

namespace padproof {

float& At(const Tensor& t, int b, int h, int slot, int d) {
  const int64_t at = b * t.stride[0] + h * t.stride[1] + slot * t.stride[2] + d * t.stride[3];
  return static_cast<float*>(t.data)[at];
}

namespace {

/// The softmax of one query over all slots.
struct Row {
  std::vector<float> p;
  std::vector<bool> seen;
  std::vector<int> keys;  // whose V is multiplied: all slots, or those that are seen
  float lse = 0;
  bool empty = true;
};

/// The head of K and V of a query head.
int KeyHead(const AttentionArgs& a, int h) { return h / (a.heads / a.heads_kv); }

/// Of a query in head `h`, and a key.
float Dot(const AttentionArgs& a, const Tensor& x, int row, const Tensor& y, int key, int b, int h,
          int dim) {
  float sum = 0;
  for (int d = 0; d < dim; ++d) sum += At(x, b, h, row, d) * At(y, b, KeyHead(a, h), key, d);
  return sum;
}

/// What a mask tensor says, if there is one.
bool Keeps(const AttentionArgs& a, int b, int h, int i, int j) {
  if (a.mask_form == MaskForm::lengths) return true;
  const int64_t* stride = a.attn_mask.stride;
  const int64_t at = b * stride[0] + h * stride[1] + i * stride[2] + j * stride[3];
  return static_cast<const uint8_t*>(a.attn_mask.data)[at] != 0;
}

Row SoftmaxOf(const AttentionArgs& a, int b, int h, int i, bool careful, bool backwards) {
  Row row;
  const int slot_q = a.leftpad_q[b] + i;
  const int shift = a.mask == Mask::causal_br ? a.seqused_k[b] - a.seqused_q[b] : 0;
  std::vector<float> scores;
  for (int slot = 0; slot < a.seqlen_k; ++slot) {
    const int j = slot - a.leftpad_k[b];
    const bool real = j >= 0 && j < a.seqused_k[b];
    const bool seen =
        real && (a.mask == Mask::none || j <= i + shift) && Keeps(a, b, h, slot_q, slot);
    row.seen.push_back(seen);
    if (seen || !careful) row.keys.push_back(slot);
    row.empty = row.empty && !seen;
    const float score = seen ? Dot(a, a.q, slot_q, a.k, slot, b, h, a.dim) : 0;
    scores.push_back(seen ? score * a.softmax_scale : -FLT_MAX);
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

template <bool careful>
Status Forward(const AttentionArgs& a) {
  Clear(a.o, 0);
  Clear(a.lse, INFINITY);
  ForEachQuery(a, [&](int b, int h, int i, int slot_q) {
    const Row row = SoftmaxOf(a, b, h, i, careful, true);
    if (careful && row.empty) return;
    At(a.lse, b, h, slot_q, 0) = row.lse;
    for (int d = 0; d < a.dim_v; ++d) {
      float sum = 0;
      for (int j : row.keys) sum += row.p[static_cast<size_t>(j)] * At(a.v, b, KeyHead(a, h), j, d);
      At(a.o, b, h, slot_q, d) = sum;
    }
  });
  return kOk;
}

/// From a softmax that it computes again, in another order than the forward did.
template <bool careful>
Status Backward(const AttentionArgs& a) {
  for (const Tensor* t : {&a.dq, &a.dk, &a.dv}) Clear(*t, 0);
  ForEachQuery(a, [&](int b, int h, int i, int slot_q) {
    const Row row = SoftmaxOf(a, b, h, i, careful, false);
    if (careful && row.empty) return;
    float delta = 0;
    std::vector<float> dp(row.p.size());
    for (int j : row.keys) {
      dp[static_cast<size_t>(j)] = Dot(a, a.d_o, slot_q, a.v, j, b, h, a.dim_v);
      delta += row.p[static_cast<size_t>(j)] * dp[static_cast<size_t>(j)];
    }
    const int head = KeyHead(a, h);
    for (int j : row.keys) {
      const float p = row.p[static_cast<size_t>(j)];
      for (int d = 0; d < a.dim_v; ++d) At(a.dv, b, head, j, d) += p * At(a.d_o, b, h, slot_q, d);
      if (!row.seen[static_cast<size_t>(j)]) continue;
      const float ds = p * (dp[static_cast<size_t>(j)] - delta) * a.softmax_scale;
      for (int d = 0; d < a.dim; ++d) {
        At(a.dq, b, h, slot_q, d) += ds * At(a.k, b, head, j, d);
        At(a.dk, b, head, j, d) += ds * At(a.q, b, h, slot_q, d);
      }
    }
  });
  return kOk;
}

}  // namespace

KernelRow EagerRow(bool careful) {
  KernelRow row{};
  row.name = "eager";
  row.backend = "cpu";
  row.file = __FILE__;
  row.summary = row.source = "";
  row.traits.layouts = SetOf(Layout::bhsd, Layout::bshd);
  row.traits.masks = SetOf(Mask::none, Mask::causal_tl, Mask::causal_br);
  row.traits.mask_forms = SetOf(MaskForm::lengths, MaskForm::boolean);
  row.traits.pad_sides = SetOf(PadSide::right, PadSide::left);
  row.traits.features = SetOf(Feature::scale, Feature::dim_v, Feature::gqa);
  row.traits.seqlen_k_min = 1;
  row.traits.tile_q = row.traits.tile_k = 4;
  row.traits.promises.pad_content = careful ? PadContent::any_bits : PadContent::finite_scores;
  row.forward = careful ? Forward<true> : Forward<false>;
  row.backward = careful ? Backward<true> : Backward<false>;
  return row;
}

}  // namespace padproof
