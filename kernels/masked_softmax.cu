// Masked softmax of the rows of a matrix in memory, forward and backward, as it stands alone in
// eager attention (PyTorch, Megatron and Apex, TensorRT): between two plain matrix products, told
// by a mask tensor who sees whom.
//
//   P_ij = exp(S_ij + M_ij - max_i) / sum_i          dS_ij = P_ij (dP_ij - sum_k P_ik dP_ik)
//
// A row of S begins at a multiple of 8 elements, and of the rows any order is taken. M is of bytes
// (1 keeps a pair) or of numbers to add (-inf hides it), a stride of 0 repeats it: it is the case's
// tensor or, made here from lengths and mask, of shape [b, 1, 1, sk] or [b, 1, sq, sk]. Rows of up
// to 32 keys are shared by 8 lanes, 8 rows a block; longer ones by a block.
//
// Contract: of S only pairs of real tokens are written, or those that the case's mask tensor shows.
// An entry of a hidden pair, of a padded query or behind a row's last key may hold any bits and is
// not read: P and dS are exactly 0 there, and behind a row nothing is written. So pads of all
// inputs may hold any bits, and a NaN in a real token reaches the rows that see it and no other. A
// query that sees no key gets P = 0, hence O = 0, and gradient 0. O, dQ, dK, dV and dBias are 0 in
// padded slots; every element of them is written, inputs are not. All arithmetic is fp32; results
// are rounded once, when they are stored. A softmax returns no LSE; its backward reads P, which is
// computed again, and not O. No atomics: a call gives the same bits whenever it is repeated.

#include "kernels/softmax_steps.cuh"

namespace padproof::flash {
namespace {

constexpr unsigned kFullWarp = 0xffffffffu;
constexpr int kShortRow = 32;  // keys
constexpr int kRowMultiple = 8;

/// A block of the softmax: `lanes` neighbouring threads share a row.
template <int lanes>
struct Team {
  static constexpr int kLanes = lanes;
  static constexpr int kThreads = 64;
  static constexpr int kRows = kThreads / lanes;
  static constexpr int kWarps = kThreads / 32;
};
using ShortRows = Team<8>;
using LongRow = Team<64>;

// ---- the softmax --------------------------------------------------------------------------------

struct Max {
  __device__ __forceinline__ float operator()(float x, float y) const { return fmaxf(x, y); }
};
struct Sum {
  __device__ __forceinline__ float operator()(float x, float y) const { return x + y; }
};

/// Over the threads that share a row; each gets the result, the same bits. All threads of the block
/// must come here. `of_warp`: a number a warp, shared by the block.
template <class Team, class Op>
__device__ __forceinline__ float OverRow(float x, Op op, float* of_warp) {
  for (int step = (Team::kLanes < 32 ? Team::kLanes : 32) / 2; step > 0; step /= 2) {
    x = op(x, __shfl_xor_sync(kFullWarp, x, step));
  }
  if constexpr (Team::kLanes > 32) {
    __syncthreads();  // nobody reads what the last reduction left
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = x;
    __syncthreads();
    x = of_warp[0];
    for (int warp = 1; warp < Team::kWarps; ++warp) x = op(x, of_warp[warp]);
  }
  return x;
}

/// P in the place of S.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads)
    MaskedSoftmax(Shape shape, MaskTensor mask, Matrix scores) {
  SIMT_SHARED(of_warp, float[Team::kWarps]);
  const auto [b, h, query, lane, real] = Here<Team>(shape);
  const int keys = query < shape.seqlen_q ? shape.seqlen_k : 0;  // beyond: helps to reduce
  float* s_row = scores.Row(b, h, query);
  const auto score = [&](int key) {
    const float added = real ? mask.Added<T>(b, h, query, key) : -INFINITY;
    return added == -INFINITY ? -INFINITY : s_row[key] + added;
  };

  float row_max = -INFINITY, row_sum = 0.f;
  for (int key = lane; key < keys; key += Team::kLanes) row_max = fmaxf(row_max, score(key));
  row_max = OverRow<Team>(row_max, Max{}, of_warp);
  if (shape.sink != nullptr) row_max = fmaxf(row_max, shape.sink[h]);
  const float shift = row_max == -INFINITY ? 0.f : row_max;  // nothing seen: no -inf - -inf
  for (int key = lane; key < keys; key += Team::kLanes) row_sum += expf(score(key) - shift);
  row_sum = OverRow<Team>(row_sum, Sum{}, of_warp);
  if (shape.sink != nullptr) row_sum += expf(shape.sink[h] - shift);
  for (int key = lane; key < keys; key += Team::kLanes) {
    const float s = score(key);
    s_row[key] = s == -INFINITY ? 0.f : expf(s - shift) / row_sum;
  }
}

/// dS in the place of dP, and dBias unless it is null.
template <class T, class Team>
__global__ void __launch_bounds__(Team::kThreads)
    MaskedSoftmaxBackward(Shape shape, MaskTensor mask, Matrix p, Matrix dp, View<T> dbias) {
  SIMT_SHARED(of_warp, float[Team::kWarps]);
  const auto [b, h, query, lane, real] = Here<Team>(shape);
  const int keys = query < shape.seqlen_q ? shape.seqlen_k : 0;
  const float* p_row = p.Row(b, h, query);
  float* dp_row = dp.Row(b, h, query);
  const auto seen = [&](int key) { return real && !mask.Hides<T>(b, h, query, key); };

  float dot = 0.f;
  for (int key = lane; key < keys; key += Team::kLanes) {
    if (seen(key)) dot += p_row[key] * dp_row[key];
  }
  dot = OverRow<Team>(dot, Sum{}, of_warp);
  for (int key = lane; key < keys; key += Team::kLanes) {
    const float ds = seen(key) ? p_row[key] * (dp_row[key] - dot) : 0.f;
    dp_row[key] = ds;
    if (dbias.data != nullptr) Store(dbias.Tokens(b, h, 0).At(query, key), ds);
  }
}

// ---- on the host --------------------------------------------------------------------------------

/// The order of the rows of S in memory, and which of them count as long.
struct Variant {
  bool queries_first;  // [sq, b, h, sk], else [b, h, sq, sk]
  int short_row;
};

int64_t Pitch(const AttentionArgs& args) {
  return (int64_t{args.seqlen_k} + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
}

int64_t MatrixFloats(const AttentionArgs& args) {
  return int64_t{args.batch} * args.heads * args.seqlen_q * Pitch(args);
}

Matrix MatrixAt(const AttentionArgs& args, const Variant& variant, int index) {
  const int64_t pitch = Pitch(args), heads = args.heads, queries = args.seqlen_q;
  float* data = static_cast<float*>(args.workspace) + index * MatrixFloats(args);
  if (variant.queries_first) return {data, heads * pitch, pitch, args.batch * heads * pitch};
  return {data, heads * queries * pitch, queries * pitch, pitch};
}

/// Forward: S, then P. Backward: P, and dP, then dS. Behind them the bytes of a mask.
int MatricesOf(const AttentionArgs& args) { return args.d_o.data != nullptr ? 2 : 1; }
int MaskRows(const AttentionArgs& args) { return args.mask == Mask::none ? 1 : args.seqlen_q; }

size_t WorkspaceBytes(const AttentionArgs& args) {
  const bool by_lengths = args.mask_form == MaskForm::lengths;
  const int64_t bytes = by_lengths ? int64_t{args.batch} * MaskRows(args) * args.seqlen_k : 0;
  const int64_t floats = MatricesOf(args) * MatrixFloats(args);
  return static_cast<size_t>(floats) * sizeof(float) + static_cast<size_t>(bytes);
}

MaskTensor MaskOf(const AttentionArgs& args) {
  if (args.mask_form != MaskForm::lengths) {
    const int64_t* stride = args.attn_mask.stride;
    return {.data = args.attn_mask.data,
            .additive = args.mask_form == MaskForm::additive,
            .stride_b = stride[0],
            .stride_h = stride[1],
            .stride_q = stride[2],
            .stride_k = stride[3]};
  }
  const int64_t rows = MaskRows(args), keys = args.seqlen_k;
  void* bytes = static_cast<float*>(args.workspace) + MatricesOf(args) * MatrixFloats(args);
  return {.data = bytes,
          .additive = false,
          .stride_b = rows * keys,
          .stride_h = 0,
          .stride_q = args.mask == Mask::none ? 0 : keys,
          .stride_k = 1};
}

const char* RefusalOfSoftmax(const AttentionArgs& args, bool backward) {
  if (const char* reason = Refusal(args, backward, {})) return reason;
  if (args.cu_seqlens_q != nullptr) return "padded layouts only: no cu_seqlens";
  if (args.softcap > 0) return "takes no softcap";
  return WorkspaceBytes(args) > 0 && args.workspace == nullptr ? "the workspace is null" : nullptr;
}

/// Calls f with the team that a row of these is shared by.
template <class F>
void WithTeam(const AttentionArgs& args, const Variant& variant, F f) {
  args.seqlen_k <= variant.short_row ? f(ShortRows{}) : f(LongRow{});
}

/// The mask, then P in matrix 0.
template <class T>
void RunSoftmax(const AttentionArgs& args, const Variant& variant, Steps& steps) {
  const Shape shape = ShapeOf(args);
  const MaskTensor mask = MaskOf(args);
  const Matrix scores = MatrixAt(args, variant, 0);
  const int queries = args.seqlen_q, heads = args.heads;
  if (args.mask_form == MaskForm::lengths) {
    steps.Run<Warp>(TellMask, MaskRows(args), 1, shape, mask);
  }
  steps.Run<Warp>(RowProducts<T, true>, queries, heads, shape, mask, ViewOf<const T>(args.q),
                  ViewOf<const T>(args.k), args.dim, scores);
  WithTeam(args, variant, [&](auto team) {
    using Team = decltype(team);
    steps.Run<Team>(MaskedSoftmax<T, Team>, queries, heads, shape, mask, scores);
  });
}

template <class T>
void RunForward(const AttentionArgs& args, const Variant& variant, Steps& steps) {
  RunSoftmax<T>(args, variant, steps);
  steps.Run<Warp>(SumOverKeys<T>, args.seqlen_q, args.heads, ShapeOf(args), MaskOf(args),
                  MatrixAt(args, variant, 0), ViewOf<const T>(args.v), args.dim_v, 1.f,
                  ViewOf<T>(args.o));
}

template <class T>
void RunBackward(const AttentionArgs& args, const Variant& variant, Steps& steps) {
  const Shape shape = ShapeOf(args);
  const MaskTensor mask = MaskOf(args);
  const Matrix p = MatrixAt(args, variant, 0), ds = MatrixAt(args, variant, 1);
  const auto q = ViewOf<const T>(args.q), k = ViewOf<const T>(args.k);
  const auto v = ViewOf<const T>(args.v), d_o = ViewOf<const T>(args.d_o);
  const int queries = args.seqlen_q, keys = args.seqlen_k, heads = args.heads;
  RunSoftmax<T>(args, variant, steps);
  steps.Run<Warp>(RowProducts<T, false>, queries, heads, shape, mask, d_o, v, args.dim_v, ds);
  WithTeam(args, variant, [&](auto team) {
    using Team = decltype(team);
    steps.Run<Team>(MaskedSoftmaxBackward<T, Team>, queries, heads, shape, mask, p, ds,
                    ViewOf<T>(args.dbias));
  });
  steps.Run<Warp>(SumOverKeys<T>, queries, heads, shape, mask, ds, k, args.dim, args.softmax_scale,
                  ViewOf<T>(args.dq));
  steps.Run<Warp>(SumOverQueries<T>, keys, args.heads_kv, shape, mask, ds, q, args.dim,
                  args.softmax_scale, ViewOf<T>(args.dk));
  steps.Run<Warp>(SumOverQueries<T>, keys, args.heads_kv, shape, mask, p, d_o, args.dim_v, 1.f,
                  ViewOf<T>(args.dv));
}

template <bool queries_first, int short_row, bool backward>
Status Launch(const AttentionArgs& args) {
  constexpr Variant kVariant{queries_first, short_row};
  if (const char* reason = RefusalOfSoftmax(args, backward)) return {StatusCode::rejected, reason};
  simt::ApplySchedule(args);
  return WithStorage(args.dtype, [&](auto storage) {
    using T = decltype(storage);
    Steps steps(args);
    backward ? RunBackward<T>(args, kVariant, steps) : RunForward<T>(args, kVariant, steps);
    return steps.status();
  });
}

constexpr KernelTraits SoftmaxTraits(int tile_q, int tile_k) {
  KernelTraits traits = TraitsOf(tile_q, tile_k, /*returns_lse=*/false);
  traits.features =
      SetOf(Feature::gqa, Feature::dim_v, Feature::scale, Feature::sink, Feature::dbias);
  traits.numerics.tile_keys = 1 << 20;  // the maximum is known before the first exponential
  traits.numerics.in_order_keys = 1;    // O adds one key after another, a score one dim
  return traits;
}

PADPROOF_KERNEL({
    .name = "masked_softmax",
    .backend = kBackendOfCudaSource,
    .file = "kernels/masked_softmax.cu",
    .summary = "masked softmax of rows in memory: short by lanes, long by blocks",
    .source = "",
    .traits = SoftmaxTraits(ShortRows::kRows, kShortRow),
    .forward = Launch<false, kShortRow, false>,
    .backward = Launch<false, kShortRow, true>,
    .workspace_bytes = WorkspaceBytes,
});

PADPROOF_KERNEL({
    .name = "masked_softmax.permuted",
    .backend = kBackendOfCudaSource,
    .file = "kernels/masked_softmax.cu",
    .summary = "the same of scores in the order [sq, b, h, sk], every row by a block",
    .source = "",
    .traits = SoftmaxTraits(LongRow::kRows, LongRow::kThreads),
    .forward = Launch<true, 0, false>,
    .backward = Launch<true, 0, true>,
    .workspace_bytes = WorkspaceBytes,
});

}  // namespace
}  // namespace padproof::flash
