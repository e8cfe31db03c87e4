// The plain steps around a softmax whose matrix lies in memory: the mask as a tensor, products of
// rows before it, sums over rows after it. Tokens are told by their slots, pads are left out of all
// arithmetic, and every element of a result is written. A sum leaves out a hidden pair only where
// its weight is 0, so that no step makes good what the softmax does to hidden pairs.

#pragma once

#include "kernels/flash_entry.cuh"

namespace padproof::flash {
namespace {  // as in flash_common.cuh

/// A block of the plain steps: a warp, which has a row of the result to itself.
using Warp = Tile<1, 32, 32>;

/// A matrix [b, h, sq, sk] of fp32 in the workspace.
struct Matrix {
  float* data;
  int64_t stride_b, stride_h, stride_q;
  __device__ __forceinline__ float* Row(int b, int h, int i) const {
    return data + b * stride_b + h * stride_h + i * stride_q;
  }
};

/// [b, h, sq, sk] of bytes or of T.
struct MaskTensor {
  void* data;
  bool additive;
  int64_t stride_b, stride_h, stride_q, stride_k;

  __device__ __forceinline__ int64_t At(int b, int h, int i, int j) const {
    return b * stride_b + h * stride_h + i * stride_q + j * stride_k;
  }
  /// What is added to a score; -inf hides the pair.
  template <class T>
  __device__ __forceinline__ float Added(int b, int h, int i, int j) const {
    const int64_t at = At(b, h, i, j);
    if (additive) return ToFloat(static_cast<const T*>(data)[at]);
    return static_cast<const uint8_t*>(data)[at] != 0 ? 0.f : -INFINITY;
  }
  template <class T>
  __device__ __forceinline__ bool Hides(int b, int h, int i, int j) const {
    return Added<T>(b, h, i, j) == -INFINITY;
  }
};

/// The real tokens of a sequence by their slots.
__device__ __forceinline__ Span QuerySlots(const Sequence& seq) {
  return {seq.left_q, seq.left_q + seq.len_q};
}
__device__ __forceinline__ Span KeySlots(const Sequence& seq) {
  return {seq.left_k, seq.left_k + seq.len_k};
}

/// The row of a thread, b, h and slot of its query, and which of the row's threads it is.
struct Place {
  int b, h, query, lane;
  bool real;  // the query is no pad; false beyond the last slot, too
};

template <class Block>
__device__ __forceinline__ Place Here(const Shape& shape) {
  const int b = static_cast<int>(blockIdx.z), thread = static_cast<int>(threadIdx.x);
  const int query = static_cast<int>(blockIdx.x) * Block::kRows + thread / Block::kLanes;
  return {b, static_cast<int>(blockIdx.y), query, thread % Block::kLanes,
          QuerySlots(SequenceOf(shape, b)).Has(query)};
}

// ---- the steps ----------------------------------------------------------------------------------

/// What lengths and the mask by name tell, as bytes: one row a sequence, or one a query of it.
__global__ void __launch_bounds__(Warp::kThreads) TellMask(Shape shape, MaskTensor mask) {
  const int query = static_cast<int>(blockIdx.x), b = static_cast<int>(blockIdx.z);
  const Sequence seq = SequenceOf(shape, b);
  const bool for_all = mask.stride_q == 0;
  const int i = query - seq.left_q;
  const Span keys = for_all ? Span{0, seq.len_k} : KeysOf(shape, seq, i, i);
  const bool real = for_all || QuerySlots(seq).Has(query);
  for (int key = static_cast<int>(threadIdx.x); key < shape.seqlen_k; key += Warp::kThreads) {
    static_cast<uint8_t*>(mask.data)[mask.At(b, 0, query, key)] =
        real && keys.Has(key - seq.left_k) ? 1 : 0;
  }
}

/// x_i.y_j: S from Q and K, with scale and bias, or dP from dO and V. A row a block, a key a lane.
template <class T, bool is_score>
__global__ void __launch_bounds__(Warp::kThreads)
    RowProducts(Shape shape, MaskTensor mask, View<const T> x, View<const T> y, int dim,
                Matrix products) {
  const auto [b, h, query, lane, real] = Here<Warp>(shape);
  if (!real) return;
  const Sequence seq = SequenceOf(shape, b);
  const Rows<const T> x_rows = x.Tokens(b, h, 0), y_rows = y.Tokens(b, h / shape.group, 0);
  const bool by_tensor = shape.mask_form != MaskForm::lengths;  // nothing else tells of pads
  float* row = products.Row(b, h, query);
  for (int key = lane; key < shape.seqlen_k; key += Warp::kLanes) {
    if (by_tensor ? mask.Hides<T>(b, h, query, key) : !KeySlots(seq).Has(key)) continue;
    float product = 0.f;
    for (int d = 0; d < dim; ++d) {
      product += ToFloat(*x_rows.At(query, d)) * ToFloat(*y_rows.At(key, d));
    }
    const int i = query - seq.left_q, j = key - seq.left_k;
    if constexpr (is_score) {
      product = ScoreOf(shape, seq, h, i, j, product).s + BiasOf<T>(shape, seq, b, h, i, j);
    }
    row[key] = product;
  }
}

/// sum_j w_ij y_j over keys, scaled: O from P and V, dQ from dS and K. A row a block, a dim a lane.
template <class T>
__global__ void __launch_bounds__(Warp::kThreads)
    SumOverKeys(Shape shape, MaskTensor mask, Matrix weights, View<const T> y, int dim, float scale,
                View<T> result) {
  const auto [b, h, query, lane, real] = Here<Warp>(shape);
  const Rows<const T> y_rows = y.Tokens(b, h / shape.group, 0);
  const float* w = weights.Row(b, h, query);
  for (int d = lane; d < dim; d += Warp::kLanes) {
    float sum = 0.f;
    for (int key = 0; real && key < shape.seqlen_k; ++key) {
      if (w[key] == 0.f && mask.Hides<T>(b, h, query, key)) continue;
      sum += w[key] * ToFloat(*y_rows.At(key, d));
    }
    Store(result.Tokens(b, h, 0).At(query, d), sum * scale);
  }
}

/// sum_i w_ij x_i over queries, of all heads that share a key, scaled: dK from dS and Q, dV from P
/// and dO. A row a block, a dim a lane.
template <class T>
__global__ void __launch_bounds__(Warp::kThreads)
    SumOverQueries(Shape shape, MaskTensor mask, Matrix weights, View<const T> x, int dim,
                   float scale, View<T> result) {
  const int key = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x);
  const int b = static_cast<int>(blockIdx.z), head = static_cast<int>(blockIdx.y);
  const Span queries = QuerySlots(SequenceOf(shape, b));
  for (int d = lane; d < dim; d += Warp::kLanes) {
    float sum = 0.f;
    for (int h = head * shape.group; h < (head + 1) * shape.group; ++h) {
      const Rows<const T> x_rows = x.Tokens(b, h, 0);
      for (int query = queries.first; query < queries.end; ++query) {
        const float w = weights.Row(b, h, query)[key];
        if (w == 0.f && mask.Hides<T>(b, h, query, key)) continue;
        sum += w * ToFloat(*x_rows.At(query, d));
      }
    }
    Store(result.Tokens(b, head, 0).At(key, d), sum * scale);
  }
}

/// Launches one after another until one fails.
class Steps {
 public:
  explicit Steps(const AttentionArgs& args) : args_(args) {}
  template <class Block, class... P, class... A>
  void Run(void (*kernel)(P...), int rows, int heads, A... a) {
    if (status_.code == StatusCode::ok) {
      status_ = LaunchTiles<Block>(kernel, args_, rows, heads, 0, a...);
    }
  }
  Status status() const { return status_; }

 private:
  const AttentionArgs& args_;
  Status status_ = kOk;
};

}  // namespace
}  // namespace padproof::flash
