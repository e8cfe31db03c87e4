// What the kernels of this folder share: tiles, strided views, conversions to and from fp32, who
// sees whom, reductions over the lanes of a row. The rule of the mask and the clearing of a tile's
// tail are here; softmax, rescaling, and what an empty row or a pad gets, are in the kernels.

#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/judge/kernel.h"
#include "harness/simt/simt.h"

namespace padproof::flash {
namespace {  // a copy for each file: the host's and nvcc's build of one may share a binary

/// Head dimensions from 1 to this: an accumulator has a fixed number of columns.
inline constexpr int kMaxDim = 256;

/// A block owns `rows` rows and walks over the others `columns` at a time. `lanes` neighbouring
/// threads of one warp share a row.
template <int rows, int columns, int lanes>
struct Tile {
  static constexpr int kRows = rows;
  static constexpr int kColumns = columns;
  static constexpr int kLanes = lanes;
  static constexpr int kThreads = rows * lanes;
  static constexpr int kColumnsPerLane = columns / lanes;
  static constexpr int kDimsPerLane = (kMaxDim + lanes - 1) / lanes;
  static constexpr int kWarpThreads = kThreads < 32 ? kThreads : 32;
  static constexpr unsigned kWarpMask = kThreads < 32 ? (1u << (kThreads % 32)) - 1u : 0xffffffffu;
  static_assert(32 % lanes == 0 && columns % lanes == 0);
  static_assert(kThreads <= 32 || kThreads % 32 == 0);
  using Transposed = Tile<columns, rows, lanes>;
};

// ---- storage ------------------------------------------------------------------------------------

__device__ __forceinline__ float ToFloat(float x) { return x; }
__device__ __forceinline__ float ToFloat(__half x) { return __half2float(x); }
__device__ __forceinline__ float ToFloat(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ void Store(float* to, float x) { *to = x; }
__device__ __forceinline__ void Store(__half* to, float x) { *to = __float2half(x); }
__device__ __forceinline__ void Store(__nv_bfloat16* to, float x) { *to = __float2bfloat16(x); }

/// The rows of one sequence and head; row 0 is its first real token.
template <class T>
struct Rows {
  T* data;
  int64_t stride_s, stride_d;
  __device__ __forceinline__ T* At(int i, int d) const {
    return data + i * stride_s + d * stride_d;
  }
};

/// A tensor [b, h, s, d] under any strides.
template <class T>
struct View {
  T* data;
  int64_t stride_b, stride_h, stride_s, stride_d;
  __device__ __forceinline__ Rows<T> Tokens(int b, int h, int leftpad) const {
    return {data + b * stride_b + h * stride_h + leftpad * stride_s, stride_s, stride_d};
  }
};

template <class T>
View<T> ViewOf(const Tensor& t) {
  const bool empty = t.size[0] * t.size[1] * t.size[2] * t.size[3] == 0;
  const int64_t on = empty ? 0 : 1;  // no arithmetic on the pointer of an empty tensor
  const int64_t stride_b = t.size[0] == 1 ? 0 : t.stride[0];  // packed: all sequences in one entry
  return {static_cast<T*>(t.data), on * stride_b, on * t.stride[1], on * t.stride[2],
          on * t.stride[3]};
}

/// Everything of a call but its tensors.
struct Shape {
  int heads, group, seqlen_q, seqlen_k, dim, dim_v;
  int left, right;  // keys that a query sees around its own position; -1: as far as there are any
  bool top_left;    // positions count from the first token, not back from the last
  float scale, softcap;
  const float *alibi_slopes, *sink;
  const int32_t *seqused_q, *seqused_k;
  const int32_t *begin_q, *begin_k;  // slot of each sequence's first real token
  bool packed;
  MaskForm mask_form;
  const void* attn_mask;
  int64_t mask_b, mask_h, mask_q, mask_k;  // its strides
  const void* attn_bias;
  int64_t bias_b, bias_h, bias_q, bias_k;
  uint64_t dropout_seed;
  uint32_t dropped_below;  // a word below it drops; 0: no dropout
  float keep_scale;        // 1 / (1 - p)
};

inline Shape ShapeOf(const AttentionArgs& args) {
  const Mask mask = args.mask;
  const bool causal = IsCausal(mask), window = IsWindow(mask);
  const bool packed = args.cu_seqlens_q != nullptr;
  const int64_t* stride = args.attn_mask.stride;
  return {.heads = args.heads,
          .group = args.heads_kv > 0 ? args.heads / args.heads_kv : 1,
          .seqlen_q = args.seqlen_q,
          .seqlen_k = args.seqlen_k,
          .dim = args.dim,
          .dim_v = args.dim_v,
          .left = window ? args.window_left : -1,
          .right = causal   ? 0
                   : window ? args.window_right
                            : -1,
          .top_left = mask == Mask::causal_tl || mask == Mask::window_tl,
          .scale = args.softmax_scale,
          .softcap = args.softcap,
          .alibi_slopes = args.alibi_slopes,
          .sink = args.sink,
          .seqused_q = args.seqused_q,
          .seqused_k = args.seqused_k,
          .begin_q = packed ? args.cu_seqlens_q : args.leftpad_q,
          .begin_k = packed ? args.cu_seqlens_k : args.leftpad_k,
          .packed = packed,
          .mask_form = args.mask_form,
          .attn_mask = args.attn_mask.data,
          .mask_b = stride[0],
          .mask_h = stride[1],
          .mask_q = stride[2],
          .mask_k = stride[3],
          .attn_bias = args.attn_bias.data,
          .bias_b = args.attn_bias.stride[0],
          .bias_h = args.attn_bias.stride[1],
          .bias_q = args.attn_bias.stride[2],
          .bias_k = args.attn_bias.stride[3],
          .dropout_seed = args.dropout_seed,
          .dropped_below = static_cast<uint32_t>(args.dropout_p * 0x1p32),
          .keep_scale = 1.f / (1.f - args.dropout_p)};
}

// ---- one sequence -------------------------------------------------------------------------------

struct Sequence {
  int len_q, len_k, left_q, left_k;
  int shift;  // query i stands at key i + shift
};

__device__ __forceinline__ Sequence SequenceOf(const Shape& shape, int b) {
  const int len_q = shape.seqused_q[b], len_k = shape.seqused_k[b];
  const int shift = shape.top_left ? 0 : len_k - len_q;
  return {len_q, len_k, shape.begin_q[b], shape.begin_k[b], shift};
}

/// first .. end - 1
struct Span {
  int first, end;
  __device__ __forceinline__ bool Has(int x) const { return x >= first && x < end; }
};

__device__ __forceinline__ Span Within(int first, int end, int len) {
  first = first > 0 ? first : 0;
  end = end < len ? end : len;
  return {first, end > first ? end : first};
}

/// The keys that causal mask and window let queries first .. last see, taken together.
__device__ __forceinline__ Span KeysOf(const Shape& shape, const Sequence& seq, int first,
                                       int last) {
  return Within(shape.left < 0 ? 0 : first + seq.shift - shape.left,
                shape.right < 0 ? seq.len_k : last + seq.shift + shape.right + 1, seq.len_k);
}

/// The queries that see any of keys first .. last.
__device__ __forceinline__ Span QueriesOf(const Shape& shape, const Sequence& seq, int first,
                                          int last) {
  return Within(shape.right < 0 ? 0 : first - shape.right - seq.shift,
                shape.left < 0 ? seq.len_q : last + shape.left - seq.shift + 1, seq.len_q);
}

/// What the mask tensor adds to a score: -inf removes the pair, 0 without a tensor.
template <class T>
__device__ __forceinline__ float Added(const Shape& shape, int b, int h, int i, int j) {
  if (shape.mask_form == MaskForm::lengths) return 0.f;
  const int64_t at = b * shape.mask_b + h * shape.mask_h + i * shape.mask_q + j * shape.mask_k;
  if (shape.mask_form == MaskForm::additive) {
    return ToFloat(static_cast<const T*>(shape.attn_mask)[at]);
  }
  return static_cast<const uint8_t*>(shape.attn_mask)[at] != 0 ? 0.f : -INFINITY;
}

/// The dense bias of a pair of real tokens; 0 without one.
template <class T>
__device__ __forceinline__ float BiasOf(const Shape& shape, const Sequence& seq, int b, int h,
                                        int i, int j) {
  if (shape.attn_bias == nullptr) return 0.f;
  const int64_t at = b * shape.bias_b + h * shape.bias_h + (seq.left_q + i) * shape.bias_q +
                     (seq.left_k + j) * shape.bias_k;
  return ToFloat(static_cast<const T*>(shape.attn_bias)[at]);
}

/// The score of a pair from q.k, and its derivative by scale q.k.
struct Score {
  float s, slope;
};

__device__ __forceinline__ Score ScoreOf(const Shape& shape, const Sequence& seq, int h, int i,
                                         int j, float dot) {
  Score score{dot * shape.scale, 1.f};
  if (shape.softcap > 0.f) {
    const float t = tanhf(score.s / shape.softcap);
    score = {shape.softcap * t, 1.f - t * t};
  }
  if (shape.alibi_slopes != nullptr) {
    const int distance = i + seq.shift - j;
    score.s -= shape.alibi_slopes[h] * static_cast<float>(distance < 0 ? -distance : distance);
  }
  return score;
}

struct Words {
  uint32_t x, y, z, w;
};

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011).
__device__ __forceinline__ Words Philox(uint64_t key, Words counter) {
  uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter.x, b = uint64_t{0xCD9E8D57u} * counter.z;
    counter = {static_cast<uint32_t>(b >> 32) ^ counter.y ^ key0, static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter.w ^ key1, static_cast<uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// What dropout makes of the weight of a pair: 0, its scale, or 1 without dropout. Tokens count
/// from the first real one, so that no pad moves the mask.
__device__ __forceinline__ float Kept(const Shape& shape, int b, int h, int i, int j) {
  if (shape.dropped_below == 0) return 1.f;
  const Words pair{static_cast<uint32_t>(j), static_cast<uint32_t>(i), static_cast<uint32_t>(h),
                   static_cast<uint32_t>(b)};
  return Philox(shape.dropout_seed, pair).x < shape.dropped_below ? 0.f : shape.keep_scale;
}

/// Padded, rows 0 .. seqlen - 1 counted from the first real token reach every slot once: real
/// tokens, then the pads on the right, then around to the pads on the left. Returns the row
/// relative to the first real token (negative on the left).
__device__ __forceinline__ int WrappedRow(int row, int leftpad, int seqlen) {
  return leftpad + row < seqlen ? row : row - seqlen;
}

/// A row of a matrix [sq, sk] becomes zero, pads included.
template <class Tile, class T>
__device__ __forceinline__ void ClearRow(const Rows<T>& rows, int row, int seqlen_k, int lane) {
  for (int slot = lane; slot < seqlen_k; slot += Tile::kLanes) Store(rows.At(row, slot), 0.f);
}

// ---- within a block -----------------------------------------------------------------------------

/// Rows first .. first + count - 1 as fp32; those from `len` on, and those that are not `seen`
/// where that is asked, are cleared, never loaded. A warp takes a row, so that neighbouring threads
/// read neighbouring elements.
template <class Tile, class T>
__device__ __forceinline__ void LoadTile(float* tile, int count, const Rows<const T>& rows,
                                         int first, int len, int dim, const int* seen = nullptr) {
  const int lane = static_cast<int>(threadIdx.x) % Tile::kWarpThreads;
  const int warp = static_cast<int>(threadIdx.x) / Tile::kWarpThreads;
  for (int r = warp; r < count; r += Tile::kThreads / Tile::kWarpThreads) {
    const bool wanted = first + r < len && (seen == nullptr || seen[r] != 0);
    for (int d = lane; d < dim; d += Tile::kWarpThreads) {
      tile[r * (dim + 1) + d] = wanted ? ToFloat(*rows.At(first + r, d)) : 0.f;
    }
  }
}

/// seen[c] = 1 for the columns of a tile that `sees(c)` some row of it, for all threads.
template <class Tile, class Sees>
__device__ __forceinline__ void MarkSeen(int* seen, int lane, Sees sees) {
  for (int c = static_cast<int>(threadIdx.x); c < Tile::kColumns; c += Tile::kThreads) seen[c] = 0;
  __syncthreads();
  for (int c = lane; c < Tile::kColumns; c += Tile::kLanes) {
    if (sees(c)) atomicOr(&seen[c], 1);
  }
  __syncthreads();
}

__device__ __forceinline__ float Dot(const float* a, const float* b, int dim) {
  float sum = 0.f;
  for (int d = 0; d < dim; ++d) sum += a[d] * b[d];
  return sum;
}

/// Over the lanes that share a row; every lane gets the result.
template <class Tile>
__device__ __forceinline__ float RowMax(float x) {
  for (int step = Tile::kLanes / 2; step > 0; step /= 2) {
    x = fmaxf(x, __shfl_xor_sync(Tile::kWarpMask, x, step));
  }
  return x;
}

template <class Tile>
__device__ __forceinline__ float RowSum(float x) {
  for (int step = Tile::kLanes / 2; step > 0; step /= 2) {
    x += __shfl_xor_sync(Tile::kWarpMask, x, step);
  }
  return x;
}

}  // namespace
}  // namespace padproof::flash
