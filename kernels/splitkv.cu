// Attention of few queries on many keys: the keys are split among blocks, each of which leaves a
// normalised O and its LSE in the workspace, and a second kernel merges them by their LSE
// (Flash-Decoding; Dao, Haziza, Massa, Sizov 2023).
//
//   max = max_s LSE_s,  w_s = exp(LSE_s - max),  O = sum_s w_s O_s / sum_s w_s,
//   LSE = max + log(sum_s w_s)
//
// Contract: pads of Q, K and V may hold any bits and never enter arithmetic: a hidden key is never
// loaded. Where splits begin is a function of the padded length alone, as in flash-attention, so a
// split may lie beyond the real keys, or be hidden by the mask: it gives O_s = 0 and LSE_s = -inf,
// hence weight 0. A query that sees no key gets O = 0 and LSE = -inf (with a sink: the sink), and
// so does every padded query slot (always -inf); every element of O and LSE is written, inputs are
// not. The sink is one more term of the merge. All arithmetic is fp32, partial results included; O
// is rounded once, when it is stored. A NaN in a real token stays visible in the rows that see it.
// A call gives the same bits whenever it is repeated.

#include <climits>

#include "kernels/flash_entry.cuh"

namespace padproof::flash {
namespace {

/// How the slots of the keys are divided: split s has those from s * keys on.
struct Splits {
  int count, keys;
};

/// What the splits leave: O_s [b, h, seqlen_q, splits, dim_v] and LSE_s [b, h, seqlen_q, splits].
struct Partials {
  float *o, *lse;
  int splits;
  __device__ __forceinline__ int64_t At(const Shape& shape, int b, int h, int query,
                                        int split) const {
    const int64_t row = (static_cast<int64_t>(b) * shape.heads + h) * shape.seqlen_q + query;
    return row * splits + split;
  }
};

/// One block: one query of one head, and the keys of one split. Tile::kColumns lanes take a key
/// each of a tile, then every kColumns-th dim.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads)
    SplitForward(Shape shape, Splits splits, View<const T> q, View<const T> k, View<const T> v,
                 Partials partials) {
  static_assert(Tile::kRows == 1 && Tile::kColumns == Tile::kLanes);
  const int lane = static_cast<int>(threadIdx.x);
  const int query = static_cast<int>(blockIdx.x) / splits.count;
  const int split = static_cast<int>(blockIdx.x) % splits.count;
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const int dim_v = shape.dim_v;
  const Sequence seq = SequenceOf(shape, b);
  if (query >= seq.len_q) return;  // the merge reads no partial result of a pad
  const Rows<const T> k_rows = k.Tokens(b, h / shape.group, seq.left_k);
  const Rows<const T> v_rows = v.Tokens(b, h / shape.group, seq.left_k);
  const Span row_keys = KeysOf(shape, seq, query, query);
  const int begin = split * splits.keys, end = begin + splits.keys;
  const Span keys = Within(begin > row_keys.first ? begin : row_keys.first,
                           end < row_keys.end ? end : row_keys.end, seq.len_k);

  SIMT_DYNAMIC_SHARED(float, q_row);
  SIMT_SHARED(p, float[Tile::kColumns]);
  SIMT_SHARED(seen, bool[Tile::kColumns]);
  LoadTile<Tile>(q_row, 1, q.Tokens(b, h, seq.left_q), query, seq.len_q, shape.dim);

  // As in flash_fwd.cu, but the row sum is whole in every lane.
  float row_max = -INFINITY, row_sum = 0.f, acc[Tile::kDimsPerLane] = {};
  for (int key0 = keys.first; key0 < keys.end; key0 += Tile::kColumns) {
    __syncthreads();  // q_row is loaded, the previous tile is used up
    const int key = key0 + lane;
    const float added = keys.Has(key) ? Added<T>(shape, b, h, query, key) : -INFINITY;
    seen[lane] = added > -INFINITY;
    float score = -INFINITY;
    if (seen[lane]) {
      float dot = 0.f;
      for (int d = 0; d < shape.dim; ++d) dot += q_row[d] * ToFloat(*k_rows.At(key, d));
      score = ScoreOf(shape, seq, h, query, key, dot).s + added +
              BiasOf<T>(shape, seq, b, h, query, key);
    }
    const float new_max = fmaxf(row_max, RowMax<Tile>(score));
    const float shift = new_max == -INFINITY ? 0.f : new_max;  // nothing seen: no -inf - -inf
    const float rescale = expf(row_max - shift);
    row_max = new_max;
    p[lane] = expf(score - shift);
    row_sum = row_sum * rescale + RowSum<Tile>(p[lane]);
    __syncthreads();  // the lanes read each other's P
    for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim_v; ++c, d += Tile::kLanes) {
      float sum = acc[c] * rescale;
      for (int j = 0; j < Tile::kColumns; ++j) {
        if (seen[j]) sum += p[j] * ToFloat(*v_rows.At(key0 + j, d));
      }
      acc[c] = sum;
    }
  }

  const int64_t out = partials.At(shape, b, h, query, split);
  const float lse = row_max + logf(row_sum);  // of nothing: -inf
  if (lane == 0) partials.lse[out] = lse;
  for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim_v; ++c, d += Tile::kLanes) {
    partials.o[out * dim_v + d] = lse == -INFINITY ? 0.f : acc[c] / row_sum;
  }
}

/// One block: one query of one head; a dim a lane.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads)
    SplitMerge(Shape shape, Partials partials, View<T> o, View<float> lse) {
  const int query = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x);
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const Sequence seq = SequenceOf(shape, b);
  const bool real = query < seq.len_q;
  if (shape.packed && !real) return;
  const int64_t first = partials.At(shape, b, h, query, 0);

  const bool has_sink = real && shape.sink != nullptr;
  float max = has_sink ? shape.sink[h] : -INFINITY;
  const int splits = real ? partials.splits : 0;
  for (int s = 0; s < splits; ++s) max = fmaxf(max, partials.lse[first + s]);
  const float shift = max == -INFINITY ? 0.f : max;  // every split is empty: no -inf - -inf
  float sum = has_sink ? expf(shape.sink[h] - shift) : 0.f;
  for (int s = 0; s < splits; ++s) sum += expf(partials.lse[first + s] - shift);

  const int out = shape.packed ? query : WrappedRow(query, seq.left_q, shape.seqlen_q);
  const Rows<T> o_rows = o.Tokens(b, h, seq.left_q);
  for (int d = lane; d < shape.dim_v; d += Tile::kLanes) {
    float total = 0.f;
    for (int s = 0; s < splits; ++s) {
      const float weight = expf(partials.lse[first + s] - shift);
      total += weight * partials.o[(first + s) * shape.dim_v + d];
    }
    Store(o_rows.At(out, d), sum == 0.f ? 0.f : total / sum);
  }
  if (lane == 0) {
    *lse.Tokens(b, h, seq.left_q).At(out, 0) = max + logf(sum);  // of nothing, and of pads: -inf
  }
}

// ---- on the host --------------------------------------------------------------------------------

/// As many splits as the caller says, else a number of the row's own. Aligned, a split is a number
/// of whole tiles.
template <int own_splits, bool aligned>
Splits SplitsOf(const AttentionArgs& args, int tile) {
  const int count = args.num_splits > 0 ? args.num_splits : own_splits;
  const int keys = args.seqlen_k / count + (args.seqlen_k % count != 0 ? 1 : 0);
  return {count, aligned ? (keys / tile + (keys % tile != 0 ? 1 : 0)) * tile : keys};
}

using SplitsFunction = Splits (*)(const AttentionArgs& args, int tile);

size_t PartialRows(const AttentionArgs& args, int splits) {
  return static_cast<size_t>(args.batch) * static_cast<size_t>(args.heads) *
         static_cast<size_t>(args.seqlen_q) * static_cast<size_t>(splits);
}

template <SplitsFunction splits_of>
size_t WorkspaceBytes(const AttentionArgs& args) {
  const int splits = splits_of(args, 1).count;
  return PartialRows(args, splits) * (static_cast<size_t>(args.dim_v) + 1) * sizeof(float);
}

const char* RefusalOfSplits(const AttentionArgs& args, int splits) {
  if (const char* reason = Refusal(args, false, {})) return reason;
  if (args.num_splits < 0) return "num_splits must be 0 (any) or positive";
  if (args.seqlen_q > INT_MAX / splits) return "too many queries for one grid";
  const bool needs = PartialRows(args, splits) > 0;
  return needs && args.workspace == nullptr ? "the workspace is null" : nullptr;
}

template <class T, class Tile>
Status LaunchForward(const AttentionArgs& args, Splits splits) {
  const Shape shape = ShapeOf(args);
  float* o = static_cast<float*>(args.workspace);
  const size_t o_floats = PartialRows(args, splits.count) * static_cast<size_t>(args.dim_v);
  const Partials partials{o, o + o_floats, splits.count};
  const Status status =
      LaunchTiles<Tile>(SplitForward<T, Tile>, args, args.seqlen_q * splits.count, args.heads,
                        static_cast<size_t>(args.dim), shape, splits, ViewOf<const T>(args.q),
                        ViewOf<const T>(args.k), ViewOf<const T>(args.v), partials);
  if (status.code != StatusCode::ok) return status;
  return LaunchTiles<Tile>(SplitMerge<T, Tile>, args, args.seqlen_q, args.heads, 0, shape, partials,
                           ViewOf<T>(args.o), ViewOf<float>(args.lse));
}

template <class Tile, SplitsFunction splits_of>
Status Forward(const AttentionArgs& args) {
  const Splits splits = splits_of(args, Tile::kColumns);
  if (const char* reason = RefusalOfSplits(args, splits.count)) {
    return {StatusCode::rejected, reason};
  }
  simt::ApplySchedule(args);
  return WithStorage(args.dtype, [&](auto storage) {
    return LaunchForward<decltype(storage), Tile>(args, splits);
  });
}

/// Partial sums begin anew in every split, so they are not in the order of all keys.
constexpr KernelTraits SplitTraits(int tile_keys) {
  KernelTraits traits =
      With(Feature::splits, TraitsOf(/*tile_q=*/1, tile_keys, /*returns_lse=*/true));
  traits.numerics.split = 1;
  traits.numerics.in_order_keys = 0;
  traits.promises.hidden_content = HiddenContent::any_bits;
  return traits;
}

using Keys4 = Tile<1, 4, 4>;
constexpr SplitsFunction kAligned4 = SplitsOf<4, true>;
constexpr SplitsFunction kUnaligned3 = SplitsOf<3, false>;

PADPROOF_KERNEL({
    .name = "splitkv",
    .backend = kBackendOfCudaSource,
    .file = "kernels/splitkv.cu",
    .summary = "split-KV decode, 4 splits of whole tiles of 4 keys, merged by LSE",
    .source = "",
    .traits = SplitTraits(Keys4::kColumns),
    .forward = Forward<Keys4, kAligned4>,
    .workspace_bytes = WorkspaceBytes<kAligned4>,
});

PADPROOF_KERNEL({
    .name = "splitkv.3",
    .backend = kBackendOfCudaSource,
    .file = "kernels/splitkv.cu",
    .summary = "split-KV decode, 3 splits that end within tiles of 4 keys",
    .source = "",
    .traits = SplitTraits(Keys4::kColumns),
    .forward = Forward<Keys4, kUnaligned3>,
    .workspace_bytes = WorkspaceBytes<kUnaligned3>,
});

PADPROOF_KERNEL({
    .name = "splitkv.varlen",
    .backend = kBackendOfCudaSource,
    .file = "kernels/splitkv.cu",
    .summary = "packed sequences, 3 splits that end within tiles of 4 keys",
    .source = kPackedSource,
    .traits = Packed(SplitTraits(Keys4::kColumns)),
    .forward = Forward<Keys4, kUnaligned3>,
    .workspace_bytes = WorkspaceBytes<kUnaligned3>,
});

}  // namespace
}  // namespace padproof::flash
