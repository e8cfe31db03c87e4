// Attention forward in one pass over the keys: online softmax, FlashAttention-2 (Dao 2023). Dropout
// takes weights on their way to V, not out of the row sum.
//
// Contract: pads of Q, K and V may hold any bits and never enter arithmetic: what is loaded is
// bounded by the real lengths. A query that sees no key gets O = 0 and LSE = -inf (with a sink: the
// sink), and so does every padded query slot (always -inf); every element of O and LSE is written,
// inputs are not. LSE is the natural logarithm. All arithmetic is fp32, P included; O is rounded
// once, when it is stored. A NaN in a real token stays visible: in the rows that see it, and, as in
// other tiled kernels, for V also in rows of the same tile that the causal mask keeps from it (P =
// 0, but 0 * NaN is NaN). A call gives the same bits whenever it is repeated.

#include "kernels/flash_entry.cuh"

namespace padproof::flash {
namespace {

/// One block: Tile::kRows queries of one head of one sequence.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads)
    FlashForward(Shape shape, View<const T> q, View<const T> k, View<const T> v, View<T> o,
                 View<float> lse) {
  const int row = static_cast<int>(threadIdx.x) / Tile::kLanes;
  const int lane = static_cast<int>(threadIdx.x) % Tile::kLanes;
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const int query0 = static_cast<int>(blockIdx.x) * Tile::kRows, query = query0 + row;
  const int dim = shape.dim, ld = dim + 1;  // one column more: no two rows in the same bank
  const int dim_v = shape.dim_v, ld_v = dim_v + 1;
  const Sequence seq = SequenceOf(shape, b);
  const Rows<const T> k_rows = k.Tokens(b, h / shape.group, seq.left_k);
  const Rows<const T> v_rows = v.Tokens(b, h / shape.group, seq.left_k);

  SIMT_DYNAMIC_SHARED(float, q_tile);
  float* k_tile = q_tile + Tile::kRows * ld;
  float* v_tile = k_tile + Tile::kColumns * ld;
  float* p_row = v_tile + Tile::kColumns * ld_v + row * Tile::kColumns;
  const bool by_tensor = shape.mask_form != MaskForm::lengths;
  SIMT_SHARED(seen_keys, int[Tile::kColumns]);
  int* seen = by_tensor ? seen_keys : nullptr;
  LoadTile<Tile>(q_tile, Tile::kRows, q.Tokens(b, h, seq.left_q), query0, seq.len_q, dim);

  // Of the keys so far: the largest score, the same in every lane of the row; this lane's part of
  // sum exp(score - row_max); and sum exp(score - row_max) V in dims lane, lane + kLanes, ...
  float row_max = -INFINITY, row_sum = 0.f, acc[Tile::kDimsPerLane] = {};
  float sees_any = 0.f;

  const bool real = query < seq.len_q;
  const int last = query0 + Tile::kRows < seq.len_q ? query0 + Tile::kRows - 1 : seq.len_q - 1;
  const Span keys = real ? KeysOf(shape, seq, query, query) : Span{0, 0};
  const Span tile_keys = query0 <= last ? KeysOf(shape, seq, query0, last) : Span{0, 0};
  const int key_begin = tile_keys.first / Tile::kColumns * Tile::kColumns, key_end = tile_keys.end;
  for (int key0 = key_begin; key0 < key_end; key0 += Tile::kColumns) {
    __syncthreads();  // the previous tile is used up
    if (by_tensor) {
      MarkSeen<Tile>(seen, lane, [&](int j) {
        return keys.Has(key0 + j) && Added<T>(shape, b, h, query, key0 + j) > -INFINITY;
      });
    }
    LoadTile<Tile>(k_tile, Tile::kColumns, k_rows, key0, seq.len_k, dim, seen);
    // Cleared beyond the last real key: P is 0 there, and 0 * NaN would be NaN.
    LoadTile<Tile>(v_tile, Tile::kColumns, v_rows, key0, seq.len_k, dim_v, seen);
    __syncthreads();

    float score[Tile::kColumnsPerLane];
    float tile_max = -INFINITY;
    for (int n = 0; n < Tile::kColumnsPerLane; ++n) {
      const int j = lane + n * Tile::kLanes, key = key0 + j;
      const float added = keys.Has(key) ? Added<T>(shape, b, h, query, key) : -INFINITY;
      const bool visible = added > -INFINITY;
      const float dot = Dot(q_tile + row * ld, k_tile + j * ld, dim);
      const float bias = visible ? added + BiasOf<T>(shape, seq, b, h, query, key) : 0.f;
      const float s = ScoreOf(shape, seq, h, query, key, dot).s + bias;
      score[n] = visible ? s : -INFINITY;
      if (visible) sees_any = 1.f;
      tile_max = fmaxf(tile_max, score[n]);
    }
    const float new_max = fmaxf(row_max, RowMax<Tile>(tile_max));
    const float shift = new_max == -INFINITY ? 0.f : new_max;  // nothing seen: no -inf - -inf
    const float rescale = expf(row_max - shift);
    row_max = new_max;
    row_sum *= rescale;
    for (int n = 0; n < Tile::kColumnsPerLane; ++n) {
      const float p = expf(score[n] - shift);
      row_sum += p;
      const int j = lane + n * Tile::kLanes;
      p_row[j] = p * Kept(shape, b, h, query, key0 + j);
    }
    __syncwarp(Tile::kWarpMask);  // the lanes of a row read each other's P
    for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim_v; ++c, d += Tile::kLanes) {
      float sum = acc[c] * rescale;
      for (int j = 0; j < Tile::kColumns; ++j) sum += p_row[j] * v_tile[j * ld_v + d];
      acc[c] = sum;
    }
  }

  row_sum = RowSum<Tile>(row_sum);
  sees_any = RowMax<Tile>(sees_any);
  float to_sink = 1.f;  // rescales what the keys gave
  if (shape.sink != nullptr) {
    const float sink = shape.sink[h], new_max = fmaxf(row_max, sink);
    to_sink = expf(row_max - new_max);
    row_sum = row_sum * to_sink + expf(sink - new_max);
    row_max = new_max;
  }
  if (query >= shape.seqlen_q || (shape.packed && !real)) return;
  const bool empty = !real || sees_any == 0.f;
  const int out = shape.packed ? query : WrappedRow(query, seq.left_q, shape.seqlen_q);
  const Rows<T> o_rows = o.Tokens(b, h, seq.left_q);
  for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim_v; ++c, d += Tile::kLanes) {
    Store(o_rows.At(out, d), empty ? 0.f : acc[c] * to_sink / row_sum);
  }
  if (lane == 0) {
    const bool no_term = !real || (empty && shape.sink == nullptr);
    *lse.Tokens(b, h, seq.left_q).At(out, 0) = no_term ? -INFINITY : row_max + logf(row_sum);
  }
}

template <class Tile>
Status Forward(const AttentionArgs& args) {
  if (const char* reason = Refusal(args, false, {.dropout = true}))
    return {StatusCode::rejected, reason};
  simt::ApplySchedule(args);
  return WithStorage(args.dtype, [&](auto storage) {
    using T = decltype(storage);
    const size_t ld = static_cast<size_t>(args.dim) + 1, ld_v = static_cast<size_t>(args.dim_v) + 1;
    const size_t floats =
        (Tile::kRows + Tile::kColumns) * ld + Tile::kColumns * ld_v + Tile::kRows * Tile::kColumns;
    return LaunchTiles<Tile>(FlashForward<T, Tile>, args, args.seqlen_q, args.heads, floats,
                             ShapeOf(args), ViewOf<const T>(args.q), ViewOf<const T>(args.k),
                             ViewOf<const T>(args.v), ViewOf<T>(args.o), ViewOf<float>(args.lse));
  });
}

PADPROOF_KERNEL({
    .name = "flash_fwd",
    .backend = kBackendOfCudaSource,
    .file = "kernels/flash_fwd.cu",
    .summary = "tiled online softmax, 16x16 tiles",
    .source = "",
    .traits = With(Feature::dropout, TraitsOf(16, 16, true)),
    .forward = Forward<Tile<16, 16, 2>>,
});

PADPROOF_KERNEL({
    .name = "flash_fwd.varlen",
    .backend = kBackendOfCudaSource,
    .file = "kernels/flash_fwd.cu",
    .summary = "packed sequences by cu_seqlens, gaps by seqused, 4x4 tiles",
    .source = kPackedSource,
    .traits = Packed(With(Feature::dropout, TraitsOf(4, 4, true))),
    .forward = Forward<Tile<4, 4, 2>>,
});

PADPROOF_KERNEL({
    .name = "flash_fwd.4x4",
    .backend = kBackendOfCudaSource,
    .file = "kernels/flash_fwd.cu",
    .summary = "tiled online softmax, 4x4 tiles: short sequences cross many tiles",
    .source = "",
    .traits = With(Feature::dropout, TraitsOf(4, 4, true)),
    .forward = Forward<Tile<4, 4, 2>>,
});

}  // namespace
}  // namespace padproof::flash
