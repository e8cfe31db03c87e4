// The kernel row: what a kernel can do and what it promises. One file under kernels/ states one row
// and two host functions; being compiled in is being registered.
//
// Everything that crosses to a kernel is plain C data (fixed-width fields, no C++ types), so the
// same row also crosses the C ABI of a plugin: see plugin.h. This header compiles with g++, clang
// and nvcc.

#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/case/enums.h"

namespace padproof {

// ---- one call -----------------------------------------------------------------------------------

/// A strided view. Index order is always b, h, s, d, whatever the memory layout; strides count
/// elements. `data` is null for a tensor that this call does not use.
struct Tensor {
  void* data;
  int64_t size[4];
  int64_t stride[4];
};

/// Arguments of one forward or backward call. Buffers are guarded and filled by the harness;
/// outputs arrive filled with a pattern, not with zeros.
struct AttentionArgs {
  uint32_t struct_size;  // sizeof(AttentionArgs) of the caller
  Dtype dtype;           // of q, k, v, o and their gradients
  int32_t batch;
  int32_t heads;
  int32_t seqlen_q;  // padded lengths: slots a sequence
  int32_t seqlen_k;
  int32_t dim;  // of q, k, dq, dk
  Mask mask;
  float softmax_scale;       // factor of the scores: 1/sqrt(dim) to nearest, or the case's own
  const int32_t* seqused_q;  // [batch] real queries of each sequence
  const int32_t* seqused_k;  // [batch] real keys of each sequence
  const int32_t* leftpad_q;  // [batch] padded slots before the first real query
  const int32_t* leftpad_k;  // [batch] padded slots before the first real key
  Tensor q, k, v;            // forward and backward: in
  Tensor o;                  // forward: out; backward: in
  Tensor lse;                // fp32, size [b, h, s, 1], natural log. forward: out; backward: in
  Tensor d_o;                // backward: in
  Tensor dq, dk, dv;         // backward: out
  void* workspace;           // of workspace_bytes(args) bytes, filled with a pattern
  Order schedule_order;      // SIMT schedule; other backends ignore it
  uint32_t schedule_seed;
  uint32_t schedule_preempt;  // N: at a memory access, preempted one time in N; 0: never
  uint32_t fresh_memory;      // each byte of fresh shared and device memory on the SIMT layer
  int32_t heads_kv;     // of k, v, dk, dv; divides heads: query head h reads h / (heads / heads_kv)
  int32_t dim_v;        // of v, o, d_o, dv
  int32_t window_left;  // of Mask::window_*; -1: no bound
  int32_t window_right;
  MaskForm mask_form;  // other than lengths: attn_mask tells all, seqused are whole, mask is none
  // [b, h, sq, sk] of bytes (boolean) or of dtype (additive); else null. What sequences, heads or
  // queries share has a stride of 0, as in [b, 1, 1, sk]; rows may have gaps between them.
  Tensor attn_mask;
  float softcap;              // 0: none; else scores are softcap tanh(score / softcap)
  const float* alibi_slopes;  // [heads], positive; null: no bias
  const float* sink;          // [heads]; null: none
  // Packed (Layout::thd): tensors are [1, h, slots, d], sequence b is the slots cu_seqlens[b] ..
  // cu_seqlens[b] + seqused[b] - 1, and seqlen_q, seqlen_k are the longest. Null: not packed.
  const int32_t* cu_seqlens_q;  // [batch + 1]
  const int32_t* cu_seqlens_k;
  Tensor attn_bias;  // [b, h, sq, sk] of dtype, added to the scores after softcap; null: none
  Tensor dbias;      // backward: out, its gradient; null where attn_bias is
  // Paged (Layout::paged, page_size >= 1): k and v are pools [page, h, slot of the page, d], of at
  // least as many pages as the tables name. Key j of sequence b is slot j % page_size of page
  // block_table[b, j / page_size]; entries from ceil(seqused_k[b] / page_size) on are INT32_MAX and
  // must not be followed. seqlen_k is max_pages * page_size. page_size 0: not paged, table null.
  const int32_t* block_table;  // [batch, max_pages]
  int32_t page_size;
  int32_t max_pages;
  // Dropout: the weight of a pair of tokens is 0 with this probability, else P / (1 - dropout_p);
  // row sum and LSE are those without it. Which pairs is a function of the seed, the batch entry,
  // the query head and the pair, real tokens being counted from the first one; the same in forward
  // and backward. 0: none.
  float dropout_p;
  int32_t num_splits;  // split-KV: blocks that share the keys of a query; 0: the kernel's choice
  uint64_t dropout_seed;
};

enum class StatusCode : int32_t {
  ok = 0,
  rejected = 1,  // the checked entry point refuses this input: a failure only of Refusals::none
  failed = 2,    // the launch itself failed: a finding
};

/// `reason` is static text, or null when ok.
struct Status {
  StatusCode code;
  const char* reason;
};

inline constexpr Status kOk{StatusCode::ok, nullptr};

using LaunchFunction = Status (*)(const AttentionArgs&);
/// Of sizes alone: it reads through no pointer of the arguments.
using WorkspaceFunction = size_t (*)(const AttentionArgs&);

struct DeviceTable;  // harness/device/device.h

// ---- what it can do and what it promises -------------------------------------------------------

/// What padded slots of Q, K, V, dO (and of O and LSE read by a backward) may hold while real
/// results stay the same bits.
enum class PadContent : int32_t {
  any_bits = 0,  // NaN and infinities included
  finite = 1,    // any finite value
  // Finite values whose scores q.k stay finite in fp32, or in f16 where scores are stored in it
  // (`score_rounding`): for additive -inf masks.
  finite_scores = 2,
  zero = 3,
};

/// Result of a real query that sees no key.
enum class EmptyRow : int32_t {
  zero = 0,  // O = 0, LSE = -inf, gradients 0
  // O = NaN, and nothing of it in dK, dV and dBias of what other queries see. A mask tensor does
  // not tell a padded query from such a row: where its NaN reaches dK then, the row is
  // `unspecified`.
  nan = 1,
  // Anything, as the mean over all slots, pads too, that eager code makes of a row of finfo.min:
  // neither its O, LSE and dQ nor dK, dV and dBias of its sequence are judged by any law. With a
  // mask tensor alone a padded query is such a row.
  unspecified = 2,
};

/// O and LSE at padded queries, dQ, dK, dV at padded slots.
enum class PadOutputs : int32_t {
  zero = 0,       // O = 0, LSE = -inf, gradients 0
  written = 1,    // some value, the same whatever was in the buffer before
  untouched = 2,  // where lengths tell of pads: by a mask tensor a padded query is an empty row
};

/// LSE of a real query that sees no key, where O is 0, and of pads, where those are promised zeros.
/// FlashAttention-2 stores +inf. With a sink LSE is the sink's own there, also in a sequence
/// without a key; that a kernel leaves the sink out for such a query cannot be declared.
enum class EmptyLse : int32_t { minus_infinity = 0, zero = 1, plus_infinity = 2 };

/// Whether repeating a call gives the same bits, in whatever order blocks and threads run. Sums by
/// atomicAdd on floats do not: such a row says `none`, or `forward_only` if only its backward sums
/// so.
enum class Determinism : int32_t { both = 0, forward_only = 1, none = 2 };

/// Whether the entry point may refuse a case that the row's traits take.
enum class Refusals : int32_t { some = 0, none = 1 };

/// What becomes of arguments that are wrong: a null tensor, no workspace where one is asked for,
/// lengths beyond their slots, another dtype.
enum class BadInput : int32_t { unspecified = 0, refused = 1 };

/// What a real key may hold that a query does not see: what tokens hold, or more.
enum class HiddenContent : int32_t { tokens = 0, any_bits = 1 };

/// What O is: attention over the visible keys, or what a module makes of it, with projections,
/// residual sums, norms and feed-forward layers around. Laws about attention's formula do not speak
/// about such a module, nor does what is promised of empty rows and of heads.
enum class OutputOf : int32_t { attention = 0, module = 1 };

/// What else decides which weights dropout drops. A mask drawn one number after another over a
/// padded tensor, as by a generator with a state, is another one for other sizes.
enum class DropoutMask : int32_t { of_position = 0, of_sizes = 1 };

/// Rounding facts that the oracle's bound assumes (reference/derivations.md). All are relative
/// errors except `eta_p`. Defaults are those of a kernel that stays in fp32 between load and store.
struct NumericsProfile {
  double p_rounding = 0;           // u_p: relative error of P rounded before P*V; 0 = kept in fp32
  double p_underflow = 0;          // eta_p: half the smallest subnormal of the type P is rounded to
  double score_rounding = 0;       // u_s: scores stored below fp32
  double qk_scale_rounding = 0;    // u_qs: Q or K pre-scaled in storage precision
  double exp_error = 5 * 0x1p-24;  // relative error of one exponential
  double accumulation_factor = 1;  // roundings a product: 1 = SIMT fp32 in any order
  int32_t tile_keys = 1;           // fewest keys between two rescales; 1 covers every tiling
  int32_t split = 0;               // 1: split-KV merge possible
  int32_t row_sum_of_rounded_p = 0;  // 1: the row sum adds the rounded P
  // Tensor cores add `tensor_block` exact products at once, aligned to the largest with
  // `tensor_extra_bits` bits beyond fp32 and cut off; 0: no tensor core. The larger of this and
  // accumulation_factor counts.
  int32_t tensor_block = 0;
  int32_t tensor_extra_bits = 0;
  double operand_rounding = 0;  // of a product whose factors are both cut to TF32 on their way in
  double max_lag = 0;           // the running maximum may lag by this many powers of two (FA4: 8)
  // Sums run over the keys in order, up or down, but for blocks of at most so many keys, and over
  // the products of a score but for blocks of 16, as in every loop over matrix instructions and in
  // pairwise trees; not so where lanes stride. 0: in any order.
  int32_t in_order_keys = 0;
  // 1: dK and dV of a head that several query heads read are stored for each of those, in the
  // storage type, and summed afterwards, as FlashAttention-2's backward does.
  int32_t expanded_gradients = 0;
  double tanh_error = 5 * 0x1p-24;  // relative error of the tanh of a softcap; tanh.approx: 2^-11
  // 1: some step rounds towards one infinity, as the matrix cores of AMD's CDNA3 do (arXiv
  // 2511.10909), or in two's complement, so that f(-x) need not be -f(x). Rounding to nearest and
  // cutting magnitudes off are odd.
  int32_t directed_rounding = 0;
  // 1: a rescale by a maximum that has not moved may be off by 1 like any other, as where a
  // compiler contracts exp2(m c - m' c) to exp2(fma(m, c, -(m' c))) (nvcc and g++ do, unless told
  // not to); then each tile rescales, one without a visible key too. exp2((m - m') c) is 1 exactly.
  int32_t inexact_unit_rescale = 0;
  // 1: a weight is exp(s - shift) of two stored scores, of which the shift is not the smaller one,
  // so that none is above 1 however large scores are. Not so where the difference is folded into a
  // product: exp2(fma(s, c, -shift c)) is off by u shift.
  int32_t stored_scores = 0;
};

struct Promises {
  PadContent pad_content = PadContent::any_bits;
  EmptyRow empty_row = EmptyRow::zero;
  PadOutputs pad_outputs = PadOutputs::zero;
  Determinism determinism = Determinism::both;
  EmptyLse empty_lse = EmptyLse::minus_infinity;
  // What the other heads of a token may hold while the results of a head stay the same bits: less
  // than any bits where a projection multiplies the whole token, and so takes 0 * NaN across heads.
  PadContent head_content = PadContent::any_bits;
  // What other sequences of the batch may hold while the results of a sequence stay the same bits:
  // less than any bits where what the whole batch holds decides how it is computed.
  PadContent batch_content = PadContent::any_bits;
  DropoutMask dropout_mask = DropoutMask::of_position;
  // What a real key may hold while results of a query that does not see it stay the same bits: any
  // bits, or, in kernels that multiply a tile by weights of 0 or add -inf, what tokens hold.
  HiddenContent hidden_content = HiddenContent::tokens;
  Refusals refusals = Refusals::some;
  BadInput bad_input = BadInput::unspecified;
  OutputOf output = OutputOf::attention;
};

/// Capabilities and promises; plain data without pointers.
struct KernelTraits {
  Set<Dtype> dtypes = SetOf(Dtype::f32);
  Set<Layout> layouts = SetOf(Layout::bhsd);
  Set<Strides> strides = SetOf(Strides::contiguous);
  Set<Mask> masks = SetOf(Mask::none);
  Set<PadSide> pad_sides = SetOf(PadSide::right);
  Set<MaskForm> mask_forms = SetOf(MaskForm::lengths);
  Set<Bias> biases = SetOf(Bias::none);
  Set<Feature> features;
  int32_t dim_max = 256;
  int32_t dim_multiple = 1;   // head dims must be multiples of it
  int32_t page_multiple = 1;  // and page sizes of this
  int32_t seqlen_k_min = 0;   // fewest key slots it takes; 1: no empty K and V
  int32_t tile_q = 16;        // tile sizes: the generator crowds lengths around their multiples
  int32_t tile_k = 16;
  // 1: forward writes LSE, the natural logarithm of sum exp(score) with the scores of enums.h. One
  // of another convention is the row's own affair, 0: base 2, or causal ALiBi as slope_h j, which
  // FlashAttention-2 has and which moves LSE by slope_h (i + len_k - len_q).
  int32_t returns_lse = 0;
  // 1: the backward computes LSE, and the sum of dO O, again instead of reading what the forward
  // stored, given which gradients are judged else.
  int32_t recomputes_forward = 0;
  Promises promises;
  NumericsProfile numerics;
};

struct KernelRow {
  const char* name;     // file name without extension, then ".variant" if the file has several rows
  const char* backend;  // "simt", "cuda" or "cpu"
  const char* file;     // source, relative to the repository
  const char* summary;  // one line: what it is
  const char*
      source;  // where a weaker promise is documented (thread, manual); "" if none is weaker
  KernelTraits traits;
  LaunchFunction forward;             // null: backward only (O and LSE come from the oracle)
  LaunchFunction backward;            // null: forward only
  WorkspaceFunction workspace_bytes;  // null: no workspace
  // Where the functions expect what the arguments point to; null: in host memory. A file of kernels
  // leaves it out: a device plugin sets it for all its rows.
  const DeviceTable* device;
};

/// Registers a row; rows live until the process ends. `edit` is the name of what was edited in its
/// source, which ends the row's name, or "". Returns true, for a static initialiser.
bool RegisterKernel(const KernelRow& row, const char* edit);

#if defined(__CUDACC__)
inline constexpr const char* kBackendOfCudaSource = "cuda";
#else
inline constexpr const char* kBackendOfCudaSource = "simt";
#endif

}  // namespace padproof

#define PADPROOF_CONCAT_INNER(a, b) a##b
#define PADPROOF_CONCAT(a, b) PADPROOF_CONCAT_INNER(a, b)

#if !defined(PADPROOF_EDIT)
#define PADPROOF_EDIT ""
#endif

/// PADPROOF_KERNEL({.name = "flash_fwd", ...}): one row, at namespace scope of a file in kernels/.
#define PADPROOF_KERNEL(...)                                                            \
  [[maybe_unused]] static const bool PADPROOF_CONCAT(kernel_registered_, __COUNTER__) = \
      ::padproof::RegisterKernel(::padproof::KernelRow __VA_ARGS__, PADPROOF_EDIT)
