// Attention backward from stored O and LSE: P is computed again, never read, FlashAttention-2 (Dao
// 2023).
//
//   P_ij = exp(scale q_i.k_j - LSE_i)
//   delta_i = sum_d dO_id O_id
//   dS_ij = P_ij (m_ij dO_i.v_j - delta_i)
//   dQ_i = scale sum_j dS_ij k_j
//   dK_j = scale sum_i dS_ij q_i
//   dV_j = sum_i m_ij P_ij dO_i
//   dBias_ij = dS_ij
//
// with m_ij = 1, or what dropout makes of the weight, drawn again as the forward does.
//
// Contract: pads of Q, K, V, O, dO and LSE may hold any bits and never enter arithmetic: what is
// loaded is bounded by the real lengths. Pairs that the mask removes add exactly 0, whatever LSE
// is, so a query that sees no key (LSE = -inf) has gradient 0 and gives none. dQ, dK and dV are
// exactly 0 in every padded slot, and dBias of every pair that is hidden or padded; every element
// of them is written, inputs are not. All arithmetic is fp32, P and dS included; gradients are
// rounded once, when they are stored. There are no atomics: dQ sums over keys in a block of
// queries, dK and dV over queries in a block of keys, in one order always, so a call gives the same
// bits whenever it is repeated. Not so in the row `flash_bwd.atomic`, where dQ is computed beside
// dK and dV, as FlashAttention-2 does: each block of keys adds its part to an fp32 sum by
// atomicAdd, in whatever order blocks come. It writes no dBias.

#include "kernels/flash_entry.cuh"

namespace padproof::flash {
namespace {

/// delta of the real queries, one thread a query, and zeros where their dQ will be summed. The
/// entries of padded queries stay unwritten.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads)
    FlashDelta(Shape shape, View<const T> o, View<const T> d_o, View<float> delta,
               View<float> dq_sum) {
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const Sequence seq = SequenceOf(shape, b);
  const int query = static_cast<int>(blockIdx.x) * Tile::kRows + static_cast<int>(threadIdx.x);
  if (query >= seq.len_q) return;
  const Rows<const T> o_rows = o.Tokens(b, h, seq.left_q), do_rows = d_o.Tokens(b, h, seq.left_q);
  float sum = 0.f;
  for (int d = 0; d < shape.dim_v; ++d) {
    sum += ToFloat(*do_rows.At(query, d)) * ToFloat(*o_rows.At(query, d));
  }
  *delta.Tokens(b, h, seq.left_q).At(query, 0) = sum;
  if (dq_sum.data == nullptr) return;
  const Rows<float> sum_rows = dq_sum.Tokens(b, h, seq.left_q);
  for (int d = 0; d < shape.dim; ++d) *sum_rows.At(query, d) = 0.f;
}

/// One block: dQ of Tile::kRows queries of one head of one sequence.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads)
    FlashGradQ(Shape shape, View<const T> q, View<const T> k, View<const T> v, View<const T> d_o,
               View<const float> lse, View<const float> delta, View<T> dq, View<T> dbias) {
  const int row = static_cast<int>(threadIdx.x) / Tile::kLanes;
  const int lane = static_cast<int>(threadIdx.x) % Tile::kLanes;
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const int query0 = static_cast<int>(blockIdx.x) * Tile::kRows, query = query0 + row;
  const int dim = shape.dim, ld = dim + 1, dim_v = shape.dim_v, ld_v = dim_v + 1;
  const Sequence seq = SequenceOf(shape, b);
  const Rows<const T> k_rows = k.Tokens(b, h / shape.group, seq.left_k);
  const Rows<const T> v_rows = v.Tokens(b, h / shape.group, seq.left_k);

  SIMT_DYNAMIC_SHARED(float, q_tile);
  float* do_tile = q_tile + Tile::kRows * ld;
  float* k_tile = do_tile + Tile::kRows * ld_v;
  float* v_tile = k_tile + Tile::kColumns * ld;
  float* ds_row = v_tile + Tile::kColumns * ld_v + row * Tile::kColumns;
  SIMT_SHARED(seen_keys, int[Tile::kColumns]);
  int* seen = shape.mask_form != MaskForm::lengths ? seen_keys : nullptr;
  LoadTile<Tile>(q_tile, Tile::kRows, q.Tokens(b, h, seq.left_q), query0, seq.len_q, dim);
  LoadTile<Tile>(do_tile, Tile::kRows, d_o.Tokens(b, h, seq.left_q), query0, seq.len_q, dim_v);

  const bool real = query < seq.len_q;
  const float row_lse = real ? *lse.Tokens(b, h, seq.left_q).At(query, 0) : 0.f;
  const float row_delta = real ? *delta.Tokens(b, h, seq.left_q).At(query, 0) : 0.f;
  float acc[Tile::kDimsPerLane] = {};
  const bool stores = query < shape.seqlen_q && (real || !shape.packed);
  const int out = shape.packed ? query : WrappedRow(query, seq.left_q, shape.seqlen_q);
  const Rows<T> dbias_rows = dbias.Tokens(b, h, seq.left_q);
  const bool has_dbias = dbias.data != nullptr && stores;
  if (has_dbias) ClearRow<Tile>(dbias_rows, out, shape.seqlen_k, lane);

  const int last = query0 + Tile::kRows < seq.len_q ? query0 + Tile::kRows - 1 : seq.len_q - 1;
  const Span keys = real ? KeysOf(shape, seq, query, query) : Span{0, 0};
  const Span tile_keys = query0 <= last ? KeysOf(shape, seq, query0, last) : Span{0, 0};
  const int key_begin = tile_keys.first / Tile::kColumns * Tile::kColumns;
  for (int key0 = key_begin; key0 < tile_keys.end; key0 += Tile::kColumns) {
    const auto added = [&](int j) {
      return keys.Has(key0 + j) ? Added<T>(shape, b, h, query, key0 + j) : -INFINITY;
    };
    __syncthreads();  // the previous tile is used up
    if (seen != nullptr) MarkSeen<Tile>(seen, lane, [&](int j) { return added(j) > -INFINITY; });
    LoadTile<Tile>(k_tile, Tile::kColumns, k_rows, key0, seq.len_k, dim, seen);
    LoadTile<Tile>(v_tile, Tile::kColumns, v_rows, key0, seq.len_k, dim_v, seen);
    __syncthreads();
    for (int j = lane; j < Tile::kColumns; j += Tile::kLanes) {
      const bool visible = added(j) > -INFINITY;
      const float dot = Dot(q_tile + row * ld, k_tile + j * ld, dim);
      const Score score = ScoreOf(shape, seq, h, query, key0 + j, dot);
      const float bias = visible ? added(j) + BiasOf<T>(shape, seq, b, h, query, key0 + j) : 0.f;
      const float p = expf(score.s + bias - row_lse);
      const float kept = Kept(shape, b, h, query, key0 + j);
      const float dp = kept * Dot(do_tile + row * ld_v, v_tile + j * ld_v, dim_v);
      const float ds = visible ? p * (dp - row_delta) : 0.f;
      ds_row[j] = visible ? ds * score.slope : 0.f;
      if (has_dbias && visible) Store(dbias_rows.At(query, seq.left_k + key0 + j), ds);
    }
    __syncwarp(Tile::kWarpMask);  // the lanes of a row read each other's dS
    for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim; ++c, d += Tile::kLanes) {
      for (int j = 0; j < Tile::kColumns; ++j) acc[c] += ds_row[j] * k_tile[j * ld + d];
    }
  }

  if (!stores) return;
  const Rows<T> dq_rows = dq.Tokens(b, h, seq.left_q);
  for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim; ++c, d += Tile::kLanes) {
    Store(dq_rows.At(out, d), real ? acc[c] * shape.scale : 0.f);
  }
}

/// What the keys of a tile give to dQ of the queries of a tile. A hidden pair has dS = 0, and its K
/// may be anything; a NaN in a K that is seen makes dS NaN. `pitch`: from one key's dS to the
/// next's.
template <class Tile>
__device__ __forceinline__ void AddGradQ(const float* ds, int pitch, const float* k_tile, int dim,
                                         const Rows<float>& sum_rows, int query0, int len_q) {
  const int thread = static_cast<int>(threadIdx.x);
  for (int at = thread; at < Tile::kColumns * dim; at += Tile::kThreads) {
    const int i = at / dim, d = at % dim;
    float sum = 0.f;
    for (int j = 0; j < Tile::kRows; ++j) {
      const float ds_ij = ds[j * pitch + i];
      if (ds_ij != 0.f) sum += ds_ij * k_tile[j * (dim + 1) + d];
    }
    if (query0 + i < len_q) atomicAdd(sum_rows.At(query0 + i, d), sum);
  }
}

/// dQ from its sum, one warp a query.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads)
    FlashStoreGradQ(Shape shape, View<float> dq_sum, View<T> dq) {
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const int query = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x);
  const Sequence seq = SequenceOf(shape, b);
  const Rows<float> sum_rows = dq_sum.Tokens(b, h, seq.left_q);
  const Rows<T> dq_rows = dq.Tokens(b, h, seq.left_q);
  const int out = WrappedRow(query, seq.left_q, shape.seqlen_q);
  for (int d = lane; d < shape.dim; d += Tile::kLanes) {
    Store(dq_rows.At(out, d), query < seq.len_q ? *sum_rows.At(query, d) * shape.scale : 0.f);
  }
}

/// One block: dK and dV of Tile::kRows keys of one head of K and V, over all queries that read it,
/// and what those keys give to dQ where it is summed so.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads)
    FlashGradKV(Shape shape, View<const T> q, View<const T> k, View<const T> v, View<const T> d_o,
                View<const float> lse, View<const float> delta, View<T> dk, View<T> dv,
                View<float> dq_sum) {
  const int row = static_cast<int>(threadIdx.x) / Tile::kLanes;
  const int lane = static_cast<int>(threadIdx.x) % Tile::kLanes;
  const int b = static_cast<int>(blockIdx.z), head = static_cast<int>(blockIdx.y);
  const int key0 = static_cast<int>(blockIdx.x) * Tile::kRows, key = key0 + row;
  const int dim = shape.dim, ld = dim + 1, dim_v = shape.dim_v, ld_v = dim_v + 1;
  const Sequence seq = SequenceOf(shape, b);

  SIMT_DYNAMIC_SHARED(float, k_tile);
  float* v_tile = k_tile + Tile::kRows * ld;
  float* q_tile = v_tile + Tile::kRows * ld_v;
  float* do_tile = q_tile + Tile::kColumns * ld;
  float* pairs = do_tile + Tile::kColumns * ld_v;
  float* p_row = pairs + row * 2 * Tile::kColumns;
  float* ds_row = p_row + Tile::kColumns;
  SIMT_SHARED(seen_queries, int[Tile::kColumns]);
  int* seen = shape.mask_form != MaskForm::lengths ? seen_queries : nullptr;
  LoadTile<Tile>(k_tile, Tile::kRows, k.Tokens(b, head, seq.left_k), key0, seq.len_k, dim);
  LoadTile<Tile>(v_tile, Tile::kRows, v.Tokens(b, head, seq.left_k), key0, seq.len_k, dim_v);

  const bool real = key < seq.len_k;
  float dk_acc[Tile::kDimsPerLane] = {};
  float dv_acc[Tile::kDimsPerLane] = {};

  // Whole tiles of queries outside of those that see a key of the tile are skipped; a tile of pads
  // has no queries.
  const int last = key0 + Tile::kRows < seq.len_k ? key0 + Tile::kRows - 1 : seq.len_k - 1;
  const Span queries = real ? QueriesOf(shape, seq, key, key) : Span{0, 0};
  const Span tile_queries = key0 <= last ? QueriesOf(shape, seq, key0, last) : Span{0, 0};
  const int query_begin = tile_queries.first / Tile::kColumns * Tile::kColumns;
  for (int h = head * shape.group; h < (head + 1) * shape.group; ++h) {
    const Rows<const T> q_rows = q.Tokens(b, h, seq.left_q);
    const Rows<const T> do_rows = d_o.Tokens(b, h, seq.left_q);
    const Rows<const float> lse_rows = lse.Tokens(b, h, seq.left_q);
    const Rows<const float> delta_rows = delta.Tokens(b, h, seq.left_q);
    for (int query0 = query_begin; query0 < tile_queries.end; query0 += Tile::kColumns) {
      const auto added = [&](int i) {
        return queries.Has(query0 + i) ? Added<T>(shape, b, h, query0 + i, key) : -INFINITY;
      };
      __syncthreads();  // the previous tile is used up
      if (seen != nullptr) MarkSeen<Tile>(seen, lane, [&](int i) { return added(i) > -INFINITY; });
      LoadTile<Tile>(q_tile, Tile::kColumns, q_rows, query0, seq.len_q, dim, seen);
      LoadTile<Tile>(do_tile, Tile::kColumns, do_rows, query0, seq.len_q, dim_v, seen);
      __syncthreads();
      for (int i = lane; i < Tile::kColumns; i += Tile::kLanes) {
        const int query = query0 + i;
        const bool visible = added(i) > -INFINITY;
        const float dot = Dot(q_tile + i * ld, k_tile + row * ld, dim);
        const Score score = ScoreOf(shape, seq, h, query, key, dot);
        const float kept = Kept(shape, b, h, query, key);
        const float dp = kept * Dot(do_tile + i * ld_v, v_tile + row * ld_v, dim_v);
        const float bias = visible ? added(i) + BiasOf<T>(shape, seq, b, h, query, key) : 0.f;
        const float p = visible ? expf(score.s + bias - *lse_rows.At(query, 0)) : 0.f;
        p_row[i] = p * kept;
        ds_row[i] = visible ? p * (dp - *delta_rows.At(query, 0)) * score.slope : 0.f;
      }
      __syncwarp(Tile::kWarpMask);  // the lanes of a row read each other's P and dS
      for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim; ++c, d += Tile::kLanes) {
        for (int i = 0; i < Tile::kColumns; ++i) dk_acc[c] += ds_row[i] * q_tile[i * ld + d];
      }
      for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim_v; ++c, d += Tile::kLanes) {
        for (int i = 0; i < Tile::kColumns; ++i) dv_acc[c] += p_row[i] * do_tile[i * ld_v + d];
      }
      if (dq_sum.data == nullptr) continue;
      __syncthreads();  // every thread reads the dS of all keys
      AddGradQ<Tile>(pairs + Tile::kColumns, 2 * Tile::kColumns, k_tile, dim,
                     dq_sum.Tokens(b, h, seq.left_q), query0, seq.len_q);
    }
  }

  if (key >= shape.seqlen_k || (shape.packed && !real)) return;
  const int out = shape.packed ? key : WrappedRow(key, seq.left_k, shape.seqlen_k);
  const Rows<T> dk_rows = dk.Tokens(b, head, seq.left_k);
  const Rows<T> dv_rows = dv.Tokens(b, head, seq.left_k);
  for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim; ++c, d += Tile::kLanes) {
    Store(dk_rows.At(out, d), real ? dk_acc[c] * shape.scale : 0.f);
  }
  for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim_v; ++c, d += Tile::kLanes) {
    Store(dv_rows.At(out, d), real ? dv_acc[c] : 0.f);
  }
}

size_t WorkspaceBytes(const AttentionArgs& args) {
  return static_cast<size_t>(args.lse.size[0]) * static_cast<size_t>(args.heads) *
         static_cast<size_t>(args.lse.size[2]) * sizeof(float);
}

/// Behind delta the sums of dQ, [b, h, sq, dim].
size_t AtomicWorkspaceBytes(const AttentionArgs& args) {
  return WorkspaceBytes(args) * (1 + static_cast<size_t>(args.dim));
}

View<float> SumsOfGradQ(const AttentionArgs& args, const View<float>& delta) {
  const int64_t dim = args.dim, slots = args.lse.size[2];
  float* behind_delta = delta.data + args.lse.size[0] * args.heads * slots;
  return {behind_delta, args.heads * slots * dim, slots * dim, dim, 1};
}

template <class T, class TileQ, bool atomic>
Status LaunchBackward(const AttentionArgs& args) {
  using TileK = typename TileQ::Transposed;
  const Shape shape = ShapeOf(args);
  const auto q = ViewOf<const T>(args.q), k = ViewOf<const T>(args.k), v = ViewOf<const T>(args.v);
  const auto o = ViewOf<const T>(args.o), d_o = ViewOf<const T>(args.d_o);
  const auto lse = ViewOf<const float>(args.lse);
  const int64_t slots = args.lse.size[2];  // one delta for each LSE
  const int64_t of_entry = args.lse.size[0] == 1 ? 0 : args.heads * slots;
  const View<float> delta{static_cast<float*>(args.workspace), of_entry, slots, 1, 0};
  const View<const float> delta_in{delta.data, delta.stride_b, delta.stride_h, 1, 0};
  const size_t widths = static_cast<size_t>(args.dim) + static_cast<size_t>(args.dim_v) + 2;
  const size_t tiles = (TileQ::kRows + TileQ::kColumns) * widths;
  const size_t pairs = TileQ::kRows * TileQ::kColumns;

  const View<float> dq_sum = atomic ? SumsOfGradQ(args, delta) : View<float>{};

  using Line = Tile<TileQ::kThreads, 1, 1>;
  Status status = LaunchTiles<Line>(FlashDelta<T, Line>, args, args.seqlen_q, args.heads, 0, shape,
                                    o, d_o, delta, dq_sum);
  if (status.code != StatusCode::ok) return status;
  if (!atomic) {
    status = LaunchTiles<TileQ>(FlashGradQ<T, TileQ>, args, args.seqlen_q, args.heads,
                                tiles + pairs, shape, q, k, v, d_o, lse, delta_in,
                                ViewOf<T>(args.dq), ViewOf<T>(args.dbias));
    if (status.code != StatusCode::ok) return status;
  }
  status = LaunchTiles<TileK>(FlashGradKV<T, TileK>, args, args.seqlen_k, args.heads_kv,
                              tiles + 2 * pairs, shape, q, k, v, d_o, lse, delta_in,
                              ViewOf<T>(args.dk), ViewOf<T>(args.dv), dq_sum);
  if (status.code != StatusCode::ok || !atomic) return status;
  using Warp = Tile<1, 32, 32>;
  return LaunchTiles<Warp>(FlashStoreGradQ<T, Warp>, args, args.seqlen_q, args.heads, 0, shape,
                           dq_sum, ViewOf<T>(args.dq));
}

template <class TileQ, bool atomic = false>
Status Backward(const AttentionArgs& args) {
  if (const char* reason = Refusal(args, true, {.dropout = true}))
    return {StatusCode::rejected, reason};
  if (atomic && args.cu_seqlens_q != nullptr) {
    return {StatusCode::rejected, "padded layouts only: no cu_seqlens"};
  }
  simt::ApplySchedule(args);
  return WithStorage(args.dtype, [&](auto storage) {
    return LaunchBackward<decltype(storage), TileQ, atomic>(args);
  });
}

constexpr KernelTraits AtomicTraits() {
  KernelTraits traits = TraitsOf(4, 4, false);
  traits.features = SetOf(Feature::gqa, Feature::dim_v, Feature::scale, Feature::softcap,
                          Feature::sink, Feature::dropout);
  traits.promises.determinism = Determinism::none;
  traits.numerics.in_order_keys = 0;  // of dQ in any order
  return traits;
}

PADPROOF_KERNEL({
    .name = "flash_bwd",
    .backend = kBackendOfCudaSource,
    .file = "kernels/flash_bwd.cu",
    .summary = "dQ by query tiles, dK and dV by key tiles, 16x16, no atomics",
    .source = "",
    .traits = With(Feature::dropout, TraitsOf(16, 16, false)),
    .backward = Backward<Tile<16, 16, 2>>,
    .workspace_bytes = WorkspaceBytes,
});

PADPROOF_KERNEL({
    .name = "flash_bwd.varlen",
    .backend = kBackendOfCudaSource,
    .file = "kernels/flash_bwd.cu",
    .summary = "packed sequences by cu_seqlens, gaps by seqused, 4x4 tiles",
    .source = kPackedSource,
    .traits = Packed(With(Feature::dropout, TraitsOf(4, 4, false))),
    .backward = Backward<Tile<4, 4, 2>>,
    .workspace_bytes = WorkspaceBytes,
});

PADPROOF_KERNEL({
    .name = "flash_bwd.4x4",
    .backend = kBackendOfCudaSource,
    .file = "kernels/flash_bwd.cu",
    .summary = "dQ by query tiles, dK and dV by key tiles, 4x4: short sequences cross many tiles",
    .source = "",
    .traits = With(Feature::dropout, TraitsOf(4, 4, false)),
    .backward = Backward<Tile<4, 4, 2>>,
    .workspace_bytes = WorkspaceBytes,
});

PADPROOF_KERNEL({
    .name = "flash_bwd.atomic",
    .backend = kBackendOfCudaSource,
    .file = "kernels/flash_bwd.cu",
    .summary = "all gradients by key tiles, 4x4, dQ by atomicAdd into fp32",
    .source = "flash_attn_func: deterministic=False by default (Dao-AILab/flash-attention)",
    .traits = AtomicTraits(),
    .backward = Backward<Tile<4, 4, 2>, /*atomic=*/true>,
    .workspace_bytes = AtomicWorkspaceBytes,
});

}  // namespace
}  // namespace padproof::flash
