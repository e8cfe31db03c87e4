// A second opinion on the oracle: the same attention in fp64 from LibTorch's elementary operations,
// never its attention modules, and its gradients by automatic differentiation. For tests; there is
// none in builds without LibTorch.

#pragma once

#include <vector>

#include "reference/attention.h"

namespace padproof::reference {

/// Row by row: o and dq [len_q][dim], lse [len_q], dk and dv [len_k][dim]. A query that sees no key
/// has O = 0, LSE = -inf and no part in any gradient.
struct TorchAttention {
  std::vector<double> o, lse, dq, dk, dv;
};

/// Gradients are those of sum(dO * O); they are empty where the head has no dO.
TorchAttention AttentionByTorch(const Head& head);

}  // namespace padproof::reference
