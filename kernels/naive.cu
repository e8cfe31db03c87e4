// Attention in three steps, each with its matrix in memory: scores, softmax of rows, P V.
//
//   S_ij = scale q_i.k_j        P_ij = exp(S_ij - max_i) / sum_i        O_i = sum_j P_ij v_j
//
// and backward from stored O and LSE, with P computed again:
//
//   P_ij = exp(S_ij - LSE_i)           dQ_i = scale sum_j dS_ij k_j
//   delta_i = sum_d dO_id O_id         dK_j = scale sum_i dS_ij q_i
//   dS_ij = P_ij (m_ij dO_i.v_j - delta_i)
//   dV_j = sum_i m_ij P_ij dO_i        dBias_ij = dS_ij
//
// with m_ij = 1, or what dropout makes of the weight of a pair, in O too.
//
// Contract: pads of all inputs may hold any bits and never enter arithmetic: only pairs of real
// tokens are scored, and a pair that the mask hides is left out of every sum, not multiplied by 0.
// So a NaN in a real token reaches the rows that see it and no other. A query that sees no key gets
// O = 0 and LSE = -inf (with a sink: the sink), gradient 0, and gives none. O, dQ, dK, dV and dBias
// are 0, and LSE -inf, in padded slots; every element of them is written, inputs are not. Of the
// matrices in the workspace the entries of pads are neither written nor read. All arithmetic is
// fp32, P and dS included; results are rounded once, when they are stored. There are no atomics: a
// call gives the same bits whenever it is repeated.

#include "kernels/flash_entry.cuh"

namespace padproof::flash {
namespace {

/// One block: one warp, which has a row, of a matrix or of the result, to itself.
using Warp = Tile<1, 32, 32>;

/// A matrix [b, h, seqlen_q, seqlen_k] in the workspace.
struct Pairs {
  float* data;
  __device__ __forceinline__ float* Row(const Shape& shape, int b, int h, int i) const {
    const int64_t row = (static_cast<int64_t>(b) * shape.heads + h) * shape.seqlen_q + i;
    return data + row * shape.seqlen_k;
  }
};

/// What the masks add to the score of a pair of real tokens: -inf hides it.
template <class T>
__device__ __forceinline__ float Masked(const Shape& shape, const Sequence& seq, int b, int h,
                                        int i, int j) {
  return KeysOf(shape, seq, i, i).Has(j) ? Added<T>(shape, b, h, i, j) : -INFINITY;
}

template <class T>
__device__ __forceinline__ float DotRows(const Rows<const T>& x, int i, const Rows<const T>& y,
                                         int j, int dim) {
  float sum = 0.f;
  for (int d = 0; d < dim; ++d) sum += ToFloat(*x.At(i, d)) * ToFloat(*y.At(j, d));
  return sum;
}

// ---- forward ------------------------------------------------------------------------------------

/// S: a row a block, a key a lane. A hidden pair has score -inf.
template <class T>
__global__ void __launch_bounds__(Warp::kThreads)
    NaiveScores(Shape shape, View<const T> q, View<const T> k, Pairs scores) {
  const int query = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x);
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const Sequence seq = SequenceOf(shape, b);
  if (query >= seq.len_q) return;
  const Rows<const T> q_rows = q.Tokens(b, h, seq.left_q);
  const Rows<const T> k_rows = k.Tokens(b, h / shape.group, seq.left_k);
  float* row = scores.Row(shape, b, h, query);
  for (int key = lane; key < seq.len_k; key += Warp::kLanes) {
    const float added = Masked<T>(shape, seq, b, h, query, key);
    float s = -INFINITY;
    if (added > -INFINITY) {
      const float dot = DotRows(q_rows, query, k_rows, key, shape.dim);
      const float bias = added + BiasOf<T>(shape, seq, b, h, query, key);
      s = ScoreOf(shape, seq, h, query, key, dot).s + bias;
    }
    row[key] = s;
  }
}

/// P in the place of S, and LSE. S stays until P replaces it, the exponential taken a second time:
/// a row without a visible key has sum 0, which nothing is divided by, since every score is -inf.
__global__ void __launch_bounds__(Warp::kThreads)
    NaiveSoftmax(Shape shape, Pairs scores, View<float> lse) {
  const int query = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x);
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const Sequence seq = SequenceOf(shape, b);
  const bool real = query < seq.len_q;
  float* row = scores.Row(shape, b, h, query);
  const int keys = real ? seq.len_k : 0;

  float row_max = -INFINITY, row_sum = 0.f;
  for (int key = lane; key < keys; key += Warp::kLanes) row_max = fmaxf(row_max, row[key]);
  row_max = RowMax<Warp>(row_max);
  if (shape.sink != nullptr) row_max = fmaxf(row_max, shape.sink[h]);
  const float shift = row_max == -INFINITY ? 0.f : row_max;  // nothing seen: no -inf - -inf
  for (int key = lane; key < keys; key += Warp::kLanes) row_sum += expf(row[key] - shift);
  row_sum = RowSum<Warp>(row_sum);
  if (shape.sink != nullptr) row_sum += expf(shape.sink[h] - shift);
  for (int key = lane; key < keys; key += Warp::kLanes) {
    const float s = row[key];
    row[key] = s == -INFINITY ? 0.f : expf(s - shift) / row_sum;
  }

  const int out = WrappedRow(query, seq.left_q, shape.seqlen_q);
  if (lane == 0) {
    *lse.Tokens(b, h, seq.left_q).At(out, 0) = real ? row_max + logf(row_sum) : -INFINITY;
  }
}

/// O: a row a block, a dim a lane.
template <class T>
__global__ void __launch_bounds__(Warp::kThreads)
    NaiveOutput(Shape shape, Pairs probabilities, View<const T> v, View<T> o) {
  const int query = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x);
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const Sequence seq = SequenceOf(shape, b);
  const bool real = query < seq.len_q;
  const Rows<const T> v_rows = v.Tokens(b, h / shape.group, seq.left_k);
  const Rows<T> o_rows = o.Tokens(b, h, seq.left_q);
  const float* p = probabilities.Row(shape, b, h, query);
  const int keys = real ? seq.len_k : 0;
  const int out = WrappedRow(query, seq.left_q, shape.seqlen_q);
  for (int d = lane; d < shape.dim_v; d += Warp::kLanes) {
    float sum = 0.f;
    for (int key = 0; key < keys; ++key) {
      const bool visible = Masked<T>(shape, seq, b, h, query, key) > -INFINITY;
      const float kept = Kept(shape, b, h, query, key);
      if (visible) sum += p[key] * kept * ToFloat(*v_rows.At(key, d));
    }
    Store(o_rows.At(out, d), sum);
  }
}

// ---- backward -----------------------------------------------------------------------------------

/// m P and dS: a row a block, a key a lane. Entries of hidden pairs are not written.
template <class T>
__global__ void __launch_bounds__(Warp::kThreads)
    NaiveGradScores(Shape shape, View<const T> q, View<const T> k, View<const T> v, View<const T> o,
                    View<const T> d_o, View<const float> lse, Pairs weights, Pairs ds,
                    View<T> dbias) {
  const int query = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x);
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const Sequence seq = SequenceOf(shape, b);
  const Rows<T> dbias_rows = dbias.Tokens(b, h, seq.left_q);
  const bool has_dbias = dbias.data != nullptr;
  if (has_dbias) {
    ClearRow<Warp>(dbias_rows, WrappedRow(query, seq.left_q, shape.seqlen_q), shape.seqlen_k, lane);
    __syncwarp();  // another lane may store a number where this one cleared
  }
  if (query >= seq.len_q) return;
  const Rows<const T> q_rows = q.Tokens(b, h, seq.left_q);
  const Rows<const T> k_rows = k.Tokens(b, h / shape.group, seq.left_k);
  const Rows<const T> v_rows = v.Tokens(b, h / shape.group, seq.left_k);
  const Rows<const T> o_rows = o.Tokens(b, h, seq.left_q);
  const Rows<const T> do_rows = d_o.Tokens(b, h, seq.left_q);
  const float row_lse = *lse.Tokens(b, h, seq.left_q).At(query, 0);
  const float delta = DotRows(do_rows, query, o_rows, query, shape.dim_v);
  float* weight_row = weights.Row(shape, b, h, query);
  float* ds_row = ds.Row(shape, b, h, query);
  for (int key = lane; key < seq.len_k; key += Warp::kLanes) {
    const float added = Masked<T>(shape, seq, b, h, query, key);
    if (!(added > -INFINITY)) continue;
    const float dot = DotRows(q_rows, query, k_rows, key, shape.dim);
    const Score score = ScoreOf(shape, seq, h, query, key, dot);
    const float kept = Kept(shape, b, h, query, key);
    const float dp = kept * DotRows(do_rows, query, v_rows, key, shape.dim_v);
    const float bias = added + BiasOf<T>(shape, seq, b, h, query, key);
    const float p = expf(score.s + bias - row_lse);
    const float d_score = p * (dp - delta);
    weight_row[key] = p * kept;
    ds_row[key] = d_score * score.slope;
    if (has_dbias) Store(dbias_rows.At(query, seq.left_k + key), d_score);
  }
}

/// dQ: a row a block, a dim a lane.
template <class T>
__global__ void __launch_bounds__(Warp::kThreads)
    NaiveGradQ(Shape shape, Pairs ds, View<const T> k, View<T> dq) {
  const int query = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x);
  const int b = static_cast<int>(blockIdx.z), h = static_cast<int>(blockIdx.y);
  const Sequence seq = SequenceOf(shape, b);
  const Rows<const T> k_rows = k.Tokens(b, h / shape.group, seq.left_k);
  const Rows<T> dq_rows = dq.Tokens(b, h, seq.left_q);
  const float* ds_row = ds.Row(shape, b, h, query);
  const int keys = query < seq.len_q ? seq.len_k : 0;
  const int out = WrappedRow(query, seq.left_q, shape.seqlen_q);
  for (int d = lane; d < shape.dim; d += Warp::kLanes) {
    float sum = 0.f;
    for (int key = 0; key < keys; ++key) {
      const bool visible = Masked<T>(shape, seq, b, h, query, key) > -INFINITY;
      if (visible) sum += ds_row[key] * ToFloat(*k_rows.At(key, d));
    }
    Store(dq_rows.At(out, d), sum * shape.scale);
  }
}

/// sum_i weight_ij x_i of key j, scaled, over all queries of all heads that read it: dK from dS and
/// Q, dV from P and dO. A row a block, a dim a lane.
template <class T>
__global__ void __launch_bounds__(Warp::kThreads)
    NaiveGradKeys(Shape shape, Pairs weights, View<const T> x, int dim, float scale,
                  View<T> gradient) {
  const int key = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x);
  const int b = static_cast<int>(blockIdx.z), head = static_cast<int>(blockIdx.y);
  const Sequence seq = SequenceOf(shape, b);
  const Rows<T> out_rows = gradient.Tokens(b, head, seq.left_k);
  const int queries = key < seq.len_k ? seq.len_q : 0;
  const int out = WrappedRow(key, seq.left_k, shape.seqlen_k);
  for (int d = lane; d < dim; d += Warp::kLanes) {
    float sum = 0.f;
    for (int h = head * shape.group; h < (head + 1) * shape.group; ++h) {
      const Rows<const T> x_rows = x.Tokens(b, h, seq.left_q);
      for (int query = 0; query < queries; ++query) {
        if (!(Masked<T>(shape, seq, b, h, query, key) > -INFINITY)) continue;
        sum += weights.Row(shape, b, h, query)[key] * ToFloat(*x_rows.At(query, d));
      }
    }
    Store(out_rows.At(out, d), sum * scale);
  }
}

// ---- on the host --------------------------------------------------------------------------------

size_t MatrixFloats(const AttentionArgs& args) {
  return static_cast<size_t>(args.batch) * static_cast<size_t>(args.heads) *
         static_cast<size_t>(args.seqlen_q) * static_cast<size_t>(args.seqlen_k);
}

/// Forward: S, then P. Backward: P and dS.
size_t WorkspaceBytes(const AttentionArgs& args) {
  const size_t matrices = args.d_o.data != nullptr ? 2 : 1;
  return matrices * MatrixFloats(args) * sizeof(float);
}

const char* RefusalOfNaive(const AttentionArgs& args, bool backward) {
  if (const char* reason = Refusal(args, backward, {.dropout = true})) return reason;
  if (args.cu_seqlens_q != nullptr) return "padded layouts only: no cu_seqlens";
  const bool needs = MatrixFloats(args) > 0;
  return needs && args.workspace == nullptr ? "the workspace is null" : nullptr;
}

template <class T>
Status LaunchForward(const AttentionArgs& args) {
  const Shape shape = ShapeOf(args);
  const Pairs scores{static_cast<float*>(args.workspace)};
  const int rows = args.seqlen_q, heads = args.heads;
  Status status = LaunchTiles<Warp>(NaiveScores<T>, args, rows, heads, 0, shape,
                                    ViewOf<const T>(args.q), ViewOf<const T>(args.k), scores);
  if (status.code != StatusCode::ok) return status;
  status =
      LaunchTiles<Warp>(NaiveSoftmax, args, rows, heads, 0, shape, scores, ViewOf<float>(args.lse));
  if (status.code != StatusCode::ok) return status;
  return LaunchTiles<Warp>(NaiveOutput<T>, args, rows, heads, 0, shape, scores,
                           ViewOf<const T>(args.v), ViewOf<T>(args.o));
}

template <class T>
Status LaunchBackward(const AttentionArgs& args) {
  const Shape shape = ShapeOf(args);
  const Pairs p{static_cast<float*>(args.workspace)}, ds{p.data + MatrixFloats(args)};
  const auto q = ViewOf<const T>(args.q), k = ViewOf<const T>(args.k);
  const auto d_o = ViewOf<const T>(args.d_o);
  Status status = LaunchTiles<Warp>(NaiveGradScores<T>, args, args.seqlen_q, args.heads, 0, shape,
                                    q, k, ViewOf<const T>(args.v), ViewOf<const T>(args.o), d_o,
                                    ViewOf<const float>(args.lse), p, ds, ViewOf<T>(args.dbias));
  if (status.code != StatusCode::ok) return status;
  status = LaunchTiles<Warp>(NaiveGradQ<T>, args, args.seqlen_q, args.heads, 0, shape, ds, k,
                             ViewOf<T>(args.dq));
  if (status.code != StatusCode::ok) return status;
  status = LaunchTiles<Warp>(NaiveGradKeys<T>, args, args.seqlen_k, args.heads_kv, 0, shape, ds, q,
                             args.dim, args.softmax_scale, ViewOf<T>(args.dk));
  if (status.code != StatusCode::ok) return status;
  return LaunchTiles<Warp>(NaiveGradKeys<T>, args, args.seqlen_k, args.heads_kv, 0, shape, p, d_o,
                           args.dim_v, 1.f, ViewOf<T>(args.dv));
}

Status Forward(const AttentionArgs& args) {
  if (const char* reason = RefusalOfNaive(args, false)) return {StatusCode::rejected, reason};
  simt::ApplySchedule(args);
  return WithStorage(args.dtype,
                     [&](auto storage) { return LaunchForward<decltype(storage)>(args); });
}

Status Backward(const AttentionArgs& args) {
  if (const char* reason = RefusalOfNaive(args, true)) return {StatusCode::rejected, reason};
  simt::ApplySchedule(args);
  return WithStorage(args.dtype,
                     [&](auto storage) { return LaunchBackward<decltype(storage)>(args); });
}

constexpr KernelTraits NaiveTraits() {
  KernelTraits traits =
      With(Feature::dropout, TraitsOf(/*tile_q=*/1, /*tile_k=*/Warp::kLanes, /*returns_lse=*/true));
  traits.numerics.tile_keys = 1 << 20;  // the maximum is known before the first exponential
  traits.numerics.in_order_keys = 1;    // one key after another, and one dim after another
  traits.promises.hidden_content = HiddenContent::any_bits;
  return traits;
}

PADPROOF_KERNEL({
    .name = "naive",
    .backend = kBackendOfCudaSource,
    .file = "kernels/naive.cu",
    .summary = "three steps with S, P and dS in memory, a warp a row",
    .source = "",
    .traits = NaiveTraits(),
    .forward = Forward,
    .backward = Backward,
    .workspace_bytes = WorkspaceBytes,
});

}  // namespace
}  // namespace padproof::flash
