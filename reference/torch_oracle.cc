// LibTorch's headers stay in this file: they take a minute to compile.

#include "reference/torch_oracle.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>

namespace padproof::reference {
namespace {

at::Tensor MatrixOf(const std::vector<double>& values, int rows, int columns) {
  at::Tensor matrix = at::empty({rows, columns}, at::kDouble);
  std::copy(values.begin(), values.end(), matrix.data_ptr<double>());
  return matrix;
}

std::vector<double> ValuesOf(const at::Tensor& t) {
  const at::Tensor whole = t.detach().contiguous();
  const double* data = whole.data_ptr<double>();
  return {data, data + whole.numel()};
}

/// [len_q, len_k]: the query sees the key.
at::Tensor MaskOf(const Head& head) {
  at::Tensor mask = at::zeros({head.len_q, head.len_k}, at::kBool);
  for (int i = 0; i < head.len_q; ++i) {
    mask.slice(0, i, i + 1).slice(1, 0, head.visible[static_cast<size_t>(i)]).fill_(true);
  }
  return mask;
}

struct OutputAndLse {
  at::Tensor o, lse;
};

OutputAndLse ForwardOf(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const at::Tensor& mask, double scale) {
  const at::Tensor empty = mask.any(1, true).logical_not();
  const at::Tensor s = (q.matmul(k.t()) * scale).masked_fill(mask.logical_not(), -INFINITY);
  // A constant: it cancels in the gradients, too.
  const at::Tensor m = s.detach().amax({1}, true).masked_fill(empty, 0.0);
  const at::Tensor e = (s - m).exp(), l = e.sum(1, true);
  return {(e / (l + empty)).matmul(v), m + l.log()};
}

}  // namespace

TorchAttention AttentionByTorch(const Head& head) {
  at::Tensor q = MatrixOf(head.q, head.len_q, head.dim);
  at::Tensor k = MatrixOf(head.k, head.len_k, head.dim);
  at::Tensor v = MatrixOf(head.v, head.len_k, head.dim);
  // Without keys, or queries, some reductions have nothing to reduce.
  if (head.len_q == 0 || head.len_k == 0) {
    TorchAttention result{.o = std::vector<double>(head.q.size(), 0.0),
                          .lse = std::vector<double>(head.visible.size(), -INFINITY)};
    if (head.d_o.empty()) return result;
    result.dq.assign(head.q.size(), 0.0);
    result.dk.assign(head.k.size(), 0.0);
    result.dv.assign(head.k.size(), 0.0);
    return result;
  }
  for (at::Tensor* input : {&q, &k, &v}) input->requires_grad_(!head.d_o.empty());
  const auto [o, lse] = ForwardOf(q, k, v, MaskOf(head), head.scale);
  TorchAttention result{.o = ValuesOf(o), .lse = ValuesOf(lse)};
  if (head.d_o.empty()) return result;
  const at::Tensor d_o = MatrixOf(head.d_o, head.len_q, head.dim);
  const auto gradients = torch::autograd::grad({o}, {q, k, v}, {d_o});
  result.dq = ValuesOf(gradients[0]);
  result.dk = ValuesOf(gradients[1]);
  result.dv = ValuesOf(gradients[2]);
  return result;
}

}  // namespace padproof::reference
