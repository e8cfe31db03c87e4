// Attention forward on tensor cores: FlashAttention-2 (Dao 2023) with nvcuda::wmma. While a tile of
// keys is worked on, asynchronous copies bring the next K and V into a second buffer.
//
// Contract: operands are f16 or bf16. Pads of Q, K and V may hold any bits and never enter
// arithmetic: rows beyond the real lengths and columns beyond the head dims are zeros in shared
// memory. A query that sees no key gets O = 0 and LSE = -inf (with a sink: the sink), and so does
// every padded query slot (always -inf); every element of O and LSE is written, inputs are not. LSE
// is the natural logarithm. P is rounded to the operands' type before it meets V, the row sum adds
// it unrounded; all else is fp32, and O is rounded once, when it is stored. A NaN in a real token
// shows in the rows that see it. It reaches no other row, and infinity does not either: a tile
// whose V holds one is not multiplied by tensor cores, which would spread it by 0 * NaN (on a
// device, that tile is then summed in another order). A call gives the same bits whenever it is
// repeated.
//
// A fragment does not tell which row an element belongs to, so what is done row by row (softmax,
// rescaling) is done in shared memory: scores, P and the accumulator live there.

#include "harness/judge/numerics_profiles.h"
#include "harness/simt/pipeline.h"
#include "harness/simt/wmma.h"
#include "kernels/flash_entry.cuh"

namespace padproof::flash {
namespace {

namespace wmma = nvcuda::wmma;
constexpr int kEdge = 16;  // of a fragment
template <class T>
using RowsOfA = wmma::fragment<wmma::matrix_a, kEdge, kEdge, kEdge, T, wmma::row_major>;
template <class T, class Layout>
using ColumnsOfB = wmma::fragment<wmma::matrix_b, kEdge, kEdge, kEdge, T, Layout>;
using Accumulator = wmma::fragment<wmma::accumulator, kEdge, kEdge, kEdge, float>;

/// Columns in whole fragments.
__host__ __device__ constexpr int Whole(int dim) { return (dim + kEdge - 1) / kEdge * kEdge; }

/// The distance between rows of a tile in shared memory: 16 bytes more than the row, so that
/// neighbouring rows lie in different banks and rows still begin at multiples of 16 bytes.
template <class T>
__host__ __device__ constexpr int Pitch(int columns) {
  return columns + 16 / static_cast<int>(sizeof(T));
}

/// The parts of a block's shared memory. Each begins at a multiple of 32 bytes, as wmma asks.
template <class T, class Tile>
struct Tiles {
  int ld, ld_v, ld_o;
  T *q, *k, *v;  // K and V: two buffers each
  T* p;
  float *s, *o;
  static constexpr int kLdP = Pitch<T>(Tile::kColumns), kLdS = Pitch<float>(Tile::kColumns);
  static constexpr size_t kAlignment = 32;

  __host__ __device__ static size_t Bytes(int dim, int dim_v) {
    const int halves = (Tile::kRows + 2 * Tile::kColumns) * Pitch<T>(Whole(dim)) +
                       2 * Tile::kColumns * Pitch<T>(Whole(dim_v)) + Tile::kRows * kLdP;
    const int floats = Tile::kRows * (kLdS + Pitch<float>(Whole(dim_v)));
    return kAlignment + static_cast<size_t>(halves) * sizeof(T) +
           static_cast<size_t>(floats) * sizeof(float);
  }
  __device__ Tiles(unsigned char* memory, int dim, int dim_v)
      : ld(Pitch<T>(Whole(dim))), ld_v(Pitch<T>(Whole(dim_v))), ld_o(Pitch<float>(Whole(dim_v))) {
    memory += (kAlignment - reinterpret_cast<uintptr_t>(memory) % kAlignment) % kAlignment;
    q = reinterpret_cast<T*>(memory);
    k = q + Tile::kRows * ld;
    v = k + 2 * Tile::kColumns * ld;
    p = v + 2 * Tile::kColumns * ld_v;
    s = reinterpret_cast<float*>(p + Tile::kRows * kLdP);
    o = s + Tile::kRows * kLdS;
  }
  __device__ T* K(int buffer) const { return k + buffer * Tile::kColumns * ld; }
  __device__ T* V(int buffer) const { return v + buffer * Tile::kColumns * ld_v; }
};

// ---- loads --------------------------------------------------------------------------------------

constexpr int kGroup = 8;  // columns that one thread brings to a tile: 16 bytes

/// Calls f(row, first column) for the groups of a tile that this thread brings.
template <class Tile, class F>
__device__ __forceinline__ void ForOwnGroups(int rows, int dim, F f) {
  const int groups = Whole(dim) / kGroup;
  for (int n = static_cast<int>(threadIdx.x); n < rows * groups; n += Tile::kThreads) {
    f(n / groups, n % groups * kGroup);
  }
}

/// Elements that one asynchronous copy can move, by the alignment of all rows; 1: none is possible.
template <class T>
__device__ __forceinline__ int CopyWidth(const Rows<const T>& rows) {
  const uintptr_t bits =
      reinterpret_cast<uintptr_t>(rows.data) | static_cast<uintptr_t>(rows.stride_s) * sizeof(T);
  if (rows.stride_d != 1) return 1;
  return bits % 16 == 0 ? 8 : bits % 8 == 0 ? 4 : bits % 4 == 0 ? 2 : 1;
}

/// Starts to bring rows first .. first + count - 1 to a tile. Zeros, never loaded, are: rows from
/// `len` on, rows that are not `seen` where that is asked, and columns beyond `dim`.
template <class Tile, class T>
__device__ __forceinline__ void StartLoad(T* tile, int ld, int count, const Rows<const T>& rows,
                                          int first, int len, int dim, const int* seen = nullptr) {
  const int width = CopyWidth(rows);
  ForOwnGroups<Tile>(count, dim, [&](int r, int column) {
    const bool wanted = first + r < len && (seen == nullptr || seen[r] != 0);
    for (int d = column; d < column + kGroup; d += width) {
      T* to = tile + r * ld + d;
      const int left = wanted && d < dim ? dim - d : 0, real = left < width ? left : width;
      const T* from = real > 0 ? rows.At(first + r, d) : rows.data;
      if (width > 1) {
        const size_t bytes = static_cast<size_t>(width) * sizeof(T);
        __pipeline_memcpy_async(to, from, bytes, bytes - static_cast<size_t>(real) * sizeof(T));
      } else {
        Store(to, real > 0 ? ToFloat(*from) : 0.f);
      }
    }
  });
}

/// Whether a NaN or an infinity is among what this thread has brought to a tile. A thread sees its
/// own copies when it has waited for them, before any barrier.
template <class Tile, class T>
__device__ __forceinline__ bool BroughtNonFinite(const T* tile, int ld, int count, int dim) {
  bool found = false;
  ForOwnGroups<Tile>(count, dim, [&](int r, int column) {
    for (int d = column; d < column + kGroup; ++d) {
      if (!(fabsf(ToFloat(tile[r * ld + d])) < INFINITY)) found = true;
    }
  });
  return found;
}

// ---- one tile -----------------------------------------------------------------------------------

/// s[16, columns] = Q K^T for the 16 rows of a warp.
template <class Tile, class T>
__device__ __forceinline__ void MultiplyQK(float* s, const T* q, const T* k, int ld, int dim) {
  for (int j = 0; j < Tile::kColumns; j += kEdge) {
    Accumulator sum;
    wmma::fill_fragment(sum, 0.f);
    for (int d = 0; d < dim; d += kEdge) {
      RowsOfA<T> q_part;
      ColumnsOfB<T, wmma::col_major> k_part;
      wmma::load_matrix_sync(q_part, q + d, static_cast<unsigned>(ld));
      wmma::load_matrix_sync(k_part, k + j * ld + d, static_cast<unsigned>(ld));
      wmma::mma_sync(sum, q_part, k_part, sum);
    }
    wmma::store_matrix_sync(s + j, sum, Pitch<float>(Tile::kColumns), wmma::mem_row_major);
  }
}

/// o[16, dim_v] += P V for the 16 rows of a warp.
template <class Tile, class T>
__device__ __forceinline__ void MultiplyPV(float* o, int ld_o, const T* p, const T* v, int ld_v,
                                           int dim_v) {
  for (int d = 0; d < dim_v; d += kEdge) {
    Accumulator sum;
    wmma::load_matrix_sync(sum, o + d, static_cast<unsigned>(ld_o), wmma::mem_row_major);
    for (int j = 0; j < Tile::kColumns; j += kEdge) {
      RowsOfA<T> p_part;
      ColumnsOfB<T, wmma::row_major> v_part;
      wmma::load_matrix_sync(p_part, p + j, Pitch<T>(Tile::kColumns));
      wmma::load_matrix_sync(v_part, v + j * ld_v + d, static_cast<unsigned>(ld_v));
      wmma::mma_sync(sum, p_part, v_part, sum);
    }
    wmma::store_matrix_sync(o + d, sum, static_cast<unsigned>(ld_o), wmma::mem_row_major);
  }
}

/// One query of one head, its part of the online softmax that a lane holds included.
template <class T>
struct Query {
  const Shape& shape;
  const Sequence& seq;
  int b, h, i;
  Span keys;
  // Of the keys so far: the largest score, the same in every lane of the row; this lane's part of
  // sum exp(score - max); 1 if this lane saw a key.
  float max = -INFINITY, sum = 0.f, sees_any = 0.f;

  /// What is added to the score of key j; -inf: the key is hidden.
  __device__ float Added(int j) const {
    return keys.Has(j) ? flash::Added<T>(shape, b, h, i, j) : -INFINITY;
  }
  __device__ bool Sees(int j) const { return Added(j) > -INFINITY; }

  /// From the products q.k of a tile of keys to P = exp(score - max), in the operands' type.
  /// Returns the factor from the maximum before to the one now.
  template <class Tile>
  __device__ float Softmax(T* p, const float* dot, int key0) {
    const int lane = static_cast<int>(threadIdx.x) % Tile::kLanes;
    float score[Tile::kColumnsPerLane];
    float tile_max = -INFINITY;
    for (int n = 0; n < Tile::kColumnsPerLane; ++n) {
      const int j = lane + n * Tile::kLanes, key = key0 + j;
      const float added = Added(key);
      const bool visible = added > -INFINITY;
      const float bias = visible ? added + BiasOf<T>(shape, seq, b, h, i, key) : 0.f;
      const float s = ScoreOf(shape, seq, h, i, key, dot[j]).s + bias;
      score[n] = visible ? s : -INFINITY;
      if (visible) sees_any = 1.f;
      tile_max = fmaxf(tile_max, score[n]);
    }
    const float new_max = fmaxf(max, RowMax<Tile>(tile_max));
    const float shift = new_max == -INFINITY ? 0.f : new_max;  // nothing seen: no -inf - -inf
    const float rescale = expf(max - shift);
    max = new_max;
    sum *= rescale;
    for (int n = 0; n < Tile::kColumnsPerLane; ++n) {
      const float weight = expf(score[n] - shift);
      sum += weight;
      Store(p + lane + n * Tile::kLanes, weight);
    }
    return rescale;
  }

  /// o += P V without what is hidden: P is 0 there, but 0 * NaN is NaN.
  template <class Tile>
  __device__ void AddSeen(float* o, const T* p, const T* v, int ld_v, int key0) const {
    const int lane = static_cast<int>(threadIdx.x) % Tile::kLanes;
    for (int j = 0; j < Tile::kColumns; ++j) {
      if (!Sees(key0 + j)) continue;
      for (int d = lane; d < shape.dim_v; d += Tile::kLanes) {
        o[d] += ToFloat(p[j]) * ToFloat(v[j * ld_v + d]);
      }
    }
  }

  /// The row of O, and LSE, from the unnormalised o.
  template <class Tile>
  __device__ void Finish(const View<T>& out, const View<float>& lse, const float* o) {
    const int lane = static_cast<int>(threadIdx.x) % Tile::kLanes;
    sum = RowSum<Tile>(sum);
    sees_any = RowMax<Tile>(sees_any);
    float to_sink = 1.f;  // rescales what the keys gave
    if (shape.sink != nullptr) {
      const float sink = shape.sink[h], new_max = fmaxf(max, sink);
      to_sink = expf(max - new_max);
      sum = sum * to_sink + expf(sink - new_max);
      max = new_max;
    }
    const bool real = i < seq.len_q;
    if (i >= shape.seqlen_q || (shape.packed && !real)) return;
    const bool empty = !real || sees_any == 0.f;
    const int row = shape.packed ? i : WrappedRow(i, seq.left_q, shape.seqlen_q);
    const Rows<T> out_rows = out.Tokens(b, h, seq.left_q);
    for (int d = lane; d < shape.dim_v; d += Tile::kLanes) {
      Store(out_rows.At(row, d), empty ? 0.f : o[d] * to_sink / sum);
    }
    if (lane == 0) {
      const bool no_term = !real || (empty && shape.sink == nullptr);
      *lse.Tokens(b, h, seq.left_q).At(row, 0) = no_term ? -INFINITY : max + logf(sum);
    }
  }
};

// ---- the kernel ---------------------------------------------------------------------------------

/// One block: Tile::kRows queries of one head of one sequence, 16 to a warp.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads)
    WmmaForward(Shape shape, View<const T> q, View<const T> k, View<const T> v, View<T> o,
                View<float> lse) {
  static_assert(Tile::kWarpThreads / Tile::kLanes == kEdge && Tile::kColumns % kEdge == 0);
  const int row = static_cast<int>(threadIdx.x) / Tile::kLanes;
  const int lane = static_cast<int>(threadIdx.x) % Tile::kLanes;
  const int warp_row = row / kEdge * kEdge;
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const int query0 = static_cast<int>(blockIdx.x) * Tile::kRows, i = query0 + row;
  const Sequence seq = SequenceOf(shape, b);
  const Rows<const T> k_rows = k.Tokens(b, h / shape.group, seq.left_k);
  const Rows<const T> v_rows = v.Tokens(b, h / shape.group, seq.left_k);
  Query<T> query{shape, seq, b, h, i, i < seq.len_q ? KeysOf(shape, seq, i, i) : Span{0, 0}};

  SIMT_DYNAMIC_SHARED(unsigned char, memory);
  const Tiles<T, Tile> tiles(memory, shape.dim, shape.dim_v);
  const bool by_tensor = shape.mask_form != MaskForm::lengths;
  SIMT_SHARED(seen_keys, int[2][Tile::kColumns]);  // by buffer: two tiles start without a barrier
  float* o_row = tiles.o + row * tiles.ld_o;
  for (int d = lane; d < Whole(shape.dim_v); d += Tile::kLanes) o_row[d] = 0.f;

  const auto start = [&](int key0, int buffer) {
    int* seen = by_tensor ? seen_keys[buffer] : nullptr;
    if (by_tensor) {
      MarkSeen<Tile>(seen, lane, [&](int j) { return query.Sees(key0 + j); });
    }
    StartLoad<Tile>(tiles.K(buffer), tiles.ld, Tile::kColumns, k_rows, key0, seq.len_k, shape.dim,
                    seen);
    // Cleared beyond the last real key: P is 0 there, and 0 * NaN would be NaN.
    StartLoad<Tile>(tiles.V(buffer), tiles.ld_v, Tile::kColumns, v_rows, key0, seq.len_k,
                    shape.dim_v, seen);
  };
  const int last = query0 + Tile::kRows < seq.len_q ? query0 + Tile::kRows - 1 : seq.len_q - 1;
  const Span tile_keys = query0 <= last ? KeysOf(shape, seq, query0, last) : Span{0, 0};
  const int key_begin = tile_keys.first / Tile::kColumns * Tile::kColumns, key_end = tile_keys.end;
  if (key_begin < key_end) {
    StartLoad<Tile>(tiles.q, tiles.ld, Tile::kRows, q.Tokens(b, h, seq.left_q), query0, seq.len_q,
                    shape.dim);
    start(key_begin, 0);
  }
  __pipeline_commit();
  int buffer = 0;
  for (int key0 = key_begin; key0 < key_end; key0 += Tile::kColumns, buffer ^= 1) {
    const int next = key0 + Tile::kColumns;
    if (next < key_end) start(next, buffer ^ 1);
    __pipeline_commit();  // without a next tile, an empty group
    __pipeline_wait_prior(1);
    const T* v_tile = tiles.V(buffer);
    const bool bad = BroughtNonFinite<Tile>(v_tile, tiles.ld_v, Tile::kColumns, shape.dim_v);
    const bool any_bad = __syncthreads_or(bad) != 0;  // the tile is there, for all threads

    MultiplyQK<Tile>(tiles.s + warp_row * tiles.kLdS, tiles.q + warp_row * tiles.ld,
                     tiles.K(buffer), tiles.ld, Whole(shape.dim));
    __syncwarp();
    T* p_row = tiles.p + row * tiles.kLdP;
    const float rescale = query.template Softmax<Tile>(p_row, tiles.s + row * tiles.kLdS, key0);
    for (int d = lane; d < shape.dim_v; d += Tile::kLanes) o_row[d] *= rescale;
    __syncwarp();
    if (any_bad) {
      query.template AddSeen<Tile>(o_row, p_row, v_tile, tiles.ld_v, key0);
    } else {
      MultiplyPV<Tile>(tiles.o + warp_row * tiles.ld_o, tiles.ld_o, tiles.p + warp_row * tiles.kLdP,
                       v_tile, tiles.ld_v, Whole(shape.dim_v));
    }
    __syncthreads();  // the tile is used up: its buffer is the next to be filled
  }
  query.template Finish<Tile>(o, lse, o_row);
}

template <class T, class Tile>
Status Launch(const AttentionArgs& args) {
  const auto kernel = WmmaForward<T, Tile>;
  const size_t bytes = Tiles<T, Tile>::Bytes(args.dim, args.dim_v);
  return LaunchTiles<Tile>(kernel, args, args.seqlen_q, args.heads, bytes / sizeof(float),
                           ShapeOf(args), ViewOf<const T>(args.q), ViewOf<const T>(args.k),
                           ViewOf<const T>(args.v), ViewOf<T>(args.o), ViewOf<float>(args.lse));
}

template <class Tile>
Status Forward(const AttentionArgs& args) {
  if (const char* reason = Refusal(args, false, {})) return {StatusCode::rejected, reason};
  if (args.dtype == Dtype::f32) return {StatusCode::rejected, "the dtype must be f16 or bf16"};
  simt::ApplySchedule(args);
  return args.dtype == Dtype::f16 ? Launch<__half, Tile>(args) : Launch<__nv_bfloat16, Tile>(args);
}

/// One row a type, since P is rounded to it. Sums as by tensor cores of sm_80 and later, which cut
/// off; those of sm_80 err most.
constexpr KernelTraits WmmaTraits(Dtype dtype, int tile_q, int tile_k) {
  KernelTraits traits = TraitsOf(tile_q, tile_k, true);
  traits.dtypes = SetOf(dtype);
  traits.numerics.p_rounding = UnitRoundoffOf(dtype);
  traits.numerics.p_underflow = UnderflowOf(dtype);
  traits.promises.hidden_content = HiddenContent::any_bits;
  traits.numerics.tensor_block = kA100Core.block;
  traits.numerics.tensor_extra_bits = kA100Core.extra_bits;
  return traits;
}

PADPROOF_KERNEL({
    .name = "wmma",
    .backend = kBackendOfCudaSource,
    .file = "kernels/wmma.cu",
    .summary = "tensor cores, K and V in two buffers, f16, 32x16 tiles",
    .source = "",
    .traits = WmmaTraits(Dtype::f16, 32, 16),
    .forward = Forward<Tile<32, 16, 2>>,
});

PADPROOF_KERNEL({
    .name = "wmma.bf16",
    .backend = kBackendOfCudaSource,
    .file = "kernels/wmma.cu",
    .summary = "tensor cores, K and V in two buffers, bf16, 32x16 tiles",
    .source = "",
    .traits = WmmaTraits(Dtype::bf16, 32, 16),
    .forward = Forward<Tile<32, 16, 2>>,
});

PADPROOF_KERNEL({
    .name = "wmma.varlen",
    .backend = kBackendOfCudaSource,
    .file = "kernels/wmma.cu",
    .summary = "packed sequences by cu_seqlens, tensor cores, f16, 16x32 tiles",
    .source = kPackedSource,
    .traits = Packed(WmmaTraits(Dtype::f16, 16, 32)),
    .forward = Forward<Tile<16, 32, 2>>,
});

}  // namespace
}  // namespace padproof::flash
