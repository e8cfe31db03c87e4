// Attention in three loops, for the tests of `padproof mutate`: small, right, and with one line
// that no law can see.

#include <cmath>

#include "toy_attention.h"

namespace padproof::toy {
namespace {

void Row(const AttentionArgs& a, int b, int h, int i) {
  const int keys = i < a.seqused_q[b] ? a.seqused_k[b] : 0;
  float max = -INFINITY, sum = 0.f;
  const auto score = [&](int j) {
    float dot = 0.f;
    for (int d = 0; d < a.dim; ++d) dot += At(a.q, b, h, i, d) * At(a.k, b, h, j, d);
    return dot * a.softmax_scale;
  };
  for (int j = 0; j < keys; ++j) max = std::fmax(max, score(j));
  for (int j = 0; j < keys; ++j) sum += std::exp(score(j) - max);
  for (int d = 0; d < a.dim_v; ++d) {
    float out = 0.f;
    for (int j = 0; j < keys; ++j) out += std::exp(score(j) - max) * At(a.v, b, h, j, d);
    At(a.o, b, h, i, d) = keys > 0 ? out / sum : 0.f;
  }
}

Status Forward(const AttentionArgs& a) {
  if (a.batch > 1000000) return {StatusCode::rejected, "too many sequences"};
  for (int b = 0; b < a.batch; ++b) {
    for (int h = 0; h < a.heads; ++h) {
      for (int i = 0; i < a.seqlen_q; ++i) Row(a, b, h, i);
    }
  }
  return kOk;
}

PADPROOF_KERNEL({
    .name = "toy_attention",
    .backend = "cpu",
    .file = "harness/drivers/testing/toy_attention.cu",
    .summary = "three loops",
    .source = "",
    .forward = Forward,
});

}  // namespace
}  // namespace padproof::toy
