// Attention forward of a few queries on K and V in pages: decode, append and speculative decoding
// over a cache that a block table leads into (PagedAttention; Kwon et al. 2023). Queries that share
// a head of K and V are rows of one tile, so that each page is loaded once for all of them.
//
// Contract: key j of sequence b is slot j % page_size of page block_table[b, j / page_size].
// Entries of the table beyond the pages of seqused_k are never followed, slots beyond seqused_k and
// pages that the table does not name are never loaded; pads may hold any bits. Pages lie anywhere,
// in any order, and may be shared. A query that sees no key gets O = 0 and LSE = -inf (with a sink:
// the sink), and so does every padded query slot (always -inf); every element of O and LSE is
// written, inputs are not. All arithmetic is fp32, P included; O is rounded once, when it is
// stored. A NaN in a real token stays visible in the rows that see it, for V also in rows of the
// same tile that the mask keeps from it (0 * NaN is NaN). A tile of keys ends with its page, so
// results depend on page_size, and on nothing else of where keys lie: a call gives the same bits
// whatever pages they are in. The entry point refuses a table that leads out of the pool.

#include <climits>

#include "kernels/flash_entry.cuh"

namespace padproof::flash {
namespace {

struct Pages {
  const int32_t* table;  // [batch, max_pages]
  int page_size, max_pages;
};

/// What a thread has of its row, as in flash_fwd.cu: the largest score, its part of the row sum,
/// and of sum exp(score - max) V the dims lane, lane + kLanes, ...
template <class Tile>
struct Softmax {
  float max = -INFINITY, sum = 0.f, acc[Tile::kDimsPerLane] = {};
};

/// Scores of one tile of keys against row `query` of head `h`; P is left in p_row, 0 where hidden.
template <class T, class Tile>
__device__ __forceinline__ void AddTile(const Shape& shape, const Sequence& seq, int b, int h,
                                        int query, int key0, Span keys, const float* q_row,
                                        const float* k_tile, const float* v_tile, float* p_row,
                                        Softmax<Tile>& row) {
  const int lane = static_cast<int>(threadIdx.x) % Tile::kLanes;
  const int ld = shape.dim + 1, ld_v = shape.dim_v + 1;
  float score[Tile::kColumnsPerLane], tile_max = -INFINITY;
  for (int n = 0; n < Tile::kColumnsPerLane; ++n) {
    const int j = lane + n * Tile::kLanes, key = key0 + j;
    score[n] = -INFINITY;
    if (keys.Has(key)) {
      const float dot = Dot(q_row, k_tile + j * ld, shape.dim);
      score[n] =
          ScoreOf(shape, seq, h, query, key, dot).s + BiasOf<T>(shape, seq, b, h, query, key);
    }
    tile_max = fmaxf(tile_max, score[n]);
  }
  const float new_max = fmaxf(row.max, RowMax<Tile>(tile_max));
  const float shift = new_max == -INFINITY ? 0.f : new_max;  // nothing seen: no -inf - -inf
  const float rescale = expf(row.max - shift);
  row.max = new_max;
  row.sum *= rescale;
  for (int n = 0; n < Tile::kColumnsPerLane; ++n) {
    const float p = expf(score[n] - shift);
    row.sum += p;
    p_row[lane + n * Tile::kLanes] = p;
  }
  __syncwarp(Tile::kWarpMask);  // the lanes of a row read each other's P
  for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < shape.dim_v; ++c, d += Tile::kLanes) {
    float sum = row.acc[c] * rescale;
    for (int j = 0; j < Tile::kColumns; ++j) sum += p_row[j] * v_tile[j * ld_v + d];
    row.acc[c] = sum;
  }
}

/// One block: Tile::kRows rows of one head of K and V of one sequence. Row r is query r / group of
/// query head head_kv * group + r % group.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads)
    PagedForward(Shape shape, Pages pages, View<const T> q, View<const T> k, View<const T> v,
                 View<T> o, View<float> lse) {
  const int row = static_cast<int>(threadIdx.x) / Tile::kLanes;
  const int lane = static_cast<int>(threadIdx.x) % Tile::kLanes;
  const int b = static_cast<int>(blockIdx.z), head_kv = static_cast<int>(blockIdx.y);
  const int row0 = static_cast<int>(blockIdx.x) * Tile::kRows;
  const int query = (row0 + row) / shape.group;
  const int h = head_kv * shape.group + (row0 + row) % shape.group;
  const int dim = shape.dim, dim_v = shape.dim_v;
  const Sequence seq = SequenceOf(shape, b);
  const int32_t* table = pages.table + static_cast<int64_t>(b) * pages.max_pages;

  SIMT_DYNAMIC_SHARED(float, q_tile);
  float* k_tile = q_tile + Tile::kRows * (dim + 1);
  float* v_tile = k_tile + Tile::kColumns * (dim + 1);
  float* p_row = v_tile + Tile::kColumns * (dim_v + 1) + row * Tile::kColumns;
  float* q_row = q_tile + row * (dim + 1);
  const bool real = query < seq.len_q;
  const Rows<const T> q_rows = q.Tokens(b, h, seq.left_q);
  for (int d = lane; d < dim; d += Tile::kLanes) {
    q_row[d] = real ? ToFloat(*q_rows.At(query, d)) : 0.f;
  }

  const int first_query = row0 / shape.group;
  const int end_query = (row0 + Tile::kRows - 1) / shape.group + 1;
  const int last_query = (end_query < seq.len_q ? end_query : seq.len_q) - 1;
  const Span keys = real ? KeysOf(shape, seq, query, query) : Span{0, 0};
  const Span tile_keys =
      first_query <= last_query ? KeysOf(shape, seq, first_query, last_query) : Span{0, 0};
  Softmax<Tile> softmax;
  const int page_size = pages.page_size;
  // No key, no page: a span that is empty within a page would else walk it.
  const int keys_end = tile_keys.first < tile_keys.end ? tile_keys.end : 0;
  for (int n = tile_keys.first / page_size; n * page_size < keys_end; ++n) {
    const int begin = n * page_size, left = seq.len_k - begin;
    const int used = left < page_size ? left : page_size;  // of the last page, not all
    const int page = table[n];
    const Span page_keys = Within(keys.first, keys.end, begin + used);  // others have no column
    const Rows<const T> k_rows = k.Tokens(page, head_kv, 0);
    const Rows<const T> v_rows = v.Tokens(page, head_kv, 0);
    for (int slot = 0; slot < used; slot += Tile::kColumns) {
      __syncthreads();  // the previous tile is used up
      LoadTile<Tile>(k_tile, Tile::kColumns, k_rows, slot, used, dim);
      // Cleared beyond the last slot in use: P is 0 there, and 0 * NaN would be NaN.
      LoadTile<Tile>(v_tile, Tile::kColumns, v_rows, slot, used, dim_v);
      __syncthreads();
      AddTile<T, Tile>(shape, seq, b, h, query, begin + slot, page_keys, q_row, k_tile, v_tile,
                       p_row, softmax);
    }
  }

  float sum = RowSum<Tile>(softmax.sum), max = softmax.max, to_sink = 1.f;
  if (shape.sink != nullptr) {
    const float sink = shape.sink[h], new_max = fmaxf(max, sink);
    to_sink = expf(max - new_max);  // rescales what the keys gave
    sum = sum * to_sink + expf(sink - new_max);
    max = new_max;
  }
  if (query >= shape.seqlen_q) return;
  const bool empty = keys.first == keys.end;
  const Rows<T> o_rows = o.Tokens(b, h, seq.left_q);
  const int out = WrappedRow(query, seq.left_q, shape.seqlen_q);
  for (int c = 0, d = lane; c < Tile::kDimsPerLane && d < dim_v; ++c, d += Tile::kLanes) {
    Store(o_rows.At(out, d), empty ? 0.f : softmax.acc[c] * to_sink / sum);
  }
  if (lane == 0) {
    const bool no_term = !real || (empty && shape.sink == nullptr);
    *lse.Tokens(b, h, seq.left_q).At(out, 0) = no_term ? -INFINITY : max + logf(sum);
  }
}

// ---- on the host --------------------------------------------------------------------------------

/// Null, or why a call is refused. What is read of the table is what the kernel will follow.
inline const char* RefusalOfPages(const AttentionArgs& a) {
  if (a.struct_size == sizeof(AttentionArgs) && a.page_size < 1)
    return "page_size must be 1 or more";
  if (const char* reason = Refusal(a, false, {.pages = true})) return reason;
  if (a.cu_seqlens_q != nullptr) return "packed queries of pages are not taken";
  if (a.mask_form != MaskForm::lengths) return "of pages, lengths tell, and the mask by name";
  const int64_t slots = static_cast<int64_t>(a.max_pages) * a.page_size;
  if (a.max_pages < 0 || slots > INT_MAX || a.seqlen_k > slots) {
    return "max_pages pages must hold seqlen_k keys and fewer than 2^31";
  }
  if (a.heads_kv > 0 && a.seqlen_q > INT_MAX / (a.heads / a.heads_kv)) {
    return "too many queries for one grid";
  }
  for (int32_t b = 0; b < a.batch; ++b) {
    int32_t len = 0, left = 0, page = 0;
    if (!ReadLengths(&len, a.seqused_k + b, 1) || !ReadLengths(&left, a.leftpad_k + b, 1)) {
      return "seqused_k and leftpad_k must be given";
    }
    if (left != 0) return "keys in pages have no left pads";
    for (int64_t n = 0; n * a.page_size < len; ++n) {
      const int32_t* entry =
          a.block_table == nullptr ? nullptr : a.block_table + b * int64_t{a.max_pages} + n;
      if (!ReadLengths(&page, entry, 1)) return "block_table is null";
      if (page < 0 || page >= a.k.size[0]) return "block_table leads out of the pool";
    }
  }
  return nullptr;
}

template <class Tile>
Status Forward(const AttentionArgs& args) {
  if (const char* reason = RefusalOfPages(args)) return {StatusCode::rejected, reason};
  simt::ApplySchedule(args);
  return WithStorage(args.dtype, [&](auto storage) {
    using T = decltype(storage);
    const Shape shape = ShapeOf(args);
    const size_t ld = static_cast<size_t>(args.dim) + 1, ld_v = static_cast<size_t>(args.dim_v) + 1;
    const size_t floats =
        (Tile::kRows + Tile::kColumns) * ld + Tile::kColumns * ld_v + Tile::kRows * Tile::kColumns;
    return LaunchTiles<Tile>(PagedForward<T, Tile>, args, args.seqlen_q * shape.group,
                             args.heads_kv, floats, shape,
                             Pages{args.block_table, args.page_size, args.max_pages},
                             ViewOf<const T>(args.q), ViewOf<const T>(args.k),
                             ViewOf<const T>(args.v), ViewOf<T>(args.o), ViewOf<float>(args.lse));
  });
}

/// A page of one key is a tile of one key.
constexpr KernelTraits PagedTraits(int tile_q, int tile_k) {
  KernelTraits traits = TraitsOf(tile_q, tile_k, /*returns_lse=*/true);
  traits.layouts = SetOf(Layout::paged);
  traits.pad_sides = SetOf(PadSide::right);
  traits.mask_forms = SetOf(MaskForm::lengths);
  traits.numerics.tile_keys = 1;
  return traits;
}

PADPROOF_KERNEL({
    .name = "paged",
    .backend = kBackendOfCudaSource,
    .file = "kernels/paged.cu",
    .summary = "K and V in pages by a block table, tiles of 4 rows of query heads and 4 keys",
    .source = "",
    .traits = PagedTraits(4, 4),
    .forward = Forward<Tile<4, 4, 2>>,
});

PADPROOF_KERNEL({
    .name = "paged.decode",
    .backend = kBackendOfCudaSource,
    .file = "kernels/paged.cu",
    .summary = "K and V in pages by a block table, a row a block, 8 keys at a time",
    .source = "",
    .traits = PagedTraits(1, 8),
    .forward = Forward<Tile<1, 8, 8>>,
});

}  // namespace
}  // namespace padproof::flash
