// A second opinion on the oracle: the same attention in fp64 from LibTorch's elementary operations,
// never its attention modules, and its gradients by automatic differentiation. For tests; there is
// none in builds without LibTorch.

#pragma once

#include <vector>

#include "reference/attention.h"

namespace padproof::reference {

/// Row by row: o [len_q][dim_v], lse [len_q], dq [len_q][dim], dk [len_k][dim], dv [len_k][dim_v],
/// dbias [len_q][len_k] and dsink [len_q] where the head has those. A query that sees no key has
/// O = 0, LSE = -inf or its sink, and no part in any gradient. Keys that no query sees are read as
/// 0.
struct TorchAttention {
  std::vector<double> o, lse, dq, dk, dv, dbias, dsink;
};

/// Gradients are those of sum(dO * O); they are empty where the head has no dO.
TorchAttention AttentionByTorch(const Head& head);

}  // namespace padproof::reference
