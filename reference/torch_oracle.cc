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
    const KeyRange keys = head.visible[static_cast<size_t>(i)];
    if (keys.last > keys.first) {
      mask.slice(0, i, i + 1).slice(1, keys.first, keys.last).fill_(true);
    }
  }
  if (head.hidden.empty()) return mask;
  at::Tensor hidden = at::empty({head.len_q, head.len_k}, at::kByte);
  std::copy(head.hidden.begin(), head.hidden.end(), hidden.data_ptr<uint8_t>());
  return mask.logical_and(hidden.eq(0));
}

/// Leaves of the computation.
struct Inputs {
  at::Tensor q, k, v, bias, sink;
};

Inputs InputsOf(const Head& head, const at::Tensor& mask) {
  const at::Tensor unseen = mask.any(0).logical_not().unsqueeze(1);
  Inputs in{.q = MatrixOf(head.q, head.len_q, head.dim),
            .k = MatrixOf(head.k, head.len_k, head.dim).masked_fill(unseen, 0.0),
            .v = MatrixOf(head.v, head.len_k, head.dim_v).masked_fill(unseen, 0.0),
            .bias = at::zeros({head.len_q, head.len_k}, at::kDouble),
            .sink = at::full({head.len_q, 1}, -INFINITY, at::kDouble)};
  if (!head.bias.empty()) in.bias = MatrixOf(head.bias, head.len_q, head.len_k);
  if (!head.sink.empty()) in.sink = MatrixOf(head.sink, head.len_q, 1);
  return in;
}

struct OutputAndLse {
  at::Tensor o, lse;
};

OutputAndLse ForwardOf(const Head& head, const Inputs& in, const at::Tensor& mask) {
  at::Tensor s = in.q.matmul(in.k.t()) * head.scale;
  if (head.softcap > 0) s = (s / head.softcap).tanh() * head.softcap;
  s = at::cat({(s + in.bias).masked_fill(mask.logical_not(), -INFINITY), in.sink}, 1);
  // A constant: it cancels in the gradients, too.
  const at::Tensor m = s.detach().amax({1}, true);
  const at::Tensor empty = m.isinf();
  const at::Tensor e = (s - m.masked_fill(empty, 0.0)).exp(), l = e.sum(1, true);
  at::Tensor p = (e / (l + empty)).slice(1, 0, head.len_k);
  if (!head.dropped.empty()) {
    at::Tensor dropped = at::empty({head.len_q, head.len_k}, at::kByte);
    std::copy(head.dropped.begin(), head.dropped.end(), dropped.data_ptr<uint8_t>());
    p = p * dropped.eq(0) * head.keep_scale;
  }
  return {p.matmul(in.v), m.masked_fill(empty, 0.0) + l.log()};
}

}  // namespace

TorchAttention AttentionByTorch(const Head& head) {
  // Without keys, or queries, some reductions have nothing to reduce.
  if (head.len_q == 0 || head.len_k == 0) {
    const auto len_q = static_cast<size_t>(head.len_q);
    TorchAttention result{
        .o = std::vector<double>(len_q * static_cast<size_t>(head.dim_v), 0.0),
        .lse = head.sink.empty() ? std::vector<double>(len_q, -INFINITY) : head.sink};
    if (head.d_o.empty()) return result;
    result.dq.assign(head.q.size(), 0.0);
    result.dk.assign(head.k.size(), 0.0);
    result.dv.assign(head.v.size(), 0.0);
    result.dsink.assign(head.sink.size(), 0.0);
    return result;
  }
  const at::Tensor mask = MaskOf(head);
  Inputs in = InputsOf(head, mask);
  std::vector<at::Tensor> leaves{in.q, in.k, in.v};
  if (!head.bias.empty()) leaves.push_back(in.bias);
  if (!head.sink.empty()) leaves.push_back(in.sink);
  for (at::Tensor& leaf : leaves) leaf.requires_grad_(!head.d_o.empty());
  const auto [o, lse] = ForwardOf(head, in, mask);
  TorchAttention result{.o = ValuesOf(o), .lse = ValuesOf(lse)};
  if (head.d_o.empty()) return result;
  const at::Tensor d_o = MatrixOf(head.d_o, head.len_q, head.dim_v);
  const auto gradients = torch::autograd::grad({o}, leaves, {d_o});
  result.dq = ValuesOf(gradients[0]);
  result.dk = ValuesOf(gradients[1]);
  result.dv = ValuesOf(gradients[2]);
  if (!head.bias.empty()) result.dbias = ValuesOf(gradients[3]);
  if (!head.sink.empty()) result.dsink = ValuesOf(gradients.back());
  return result;
}

}  // namespace padproof::reference
