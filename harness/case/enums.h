// The closed vocabularies of a case. They are shared by the case line, the kernel row and the C
// ABI, so their numeric values are fixed; new values are appended.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace padproof {

enum class Dtype : int32_t { f32 = 0, f16 = 1, bf16 = 2 };

/// Order of the dimensions in memory, outermost first. Strides are contiguous in that order. thd is
/// packed: the sequences one after another in one buffer of tokens, each from its cu_seqlens.
/// paged is bshd for what has queries; K and V are a pool of pages [page, slot, h, d], in which a
/// block table finds those of a sequence (PagedAttention; Kwon et al. 2023).
enum class Layout : int32_t { bhsd = 0, bshd = 1, thd = 2, paged = 3 };

/// How the elements of a tensor lie within its layout.
///   contiguous  one after another
///   row_padded  a gap that belongs to nobody behind every row, as in a slice of a fused QKV;
///               rows begin at multiples of 8 elements
///   offset      contiguous from one element beyond an aligned address
///   transposed  the elements of a row are as far apart as there are rows: [b, h, d, s]; of LSE
///               the heads lie inside: [b, s, h]
///   expanded    of inputs: one head in memory for all, a stride of 0 (torch.Tensor.expand)
///   sliced      a part of a larger tensor, as cache[:, :heads, :seqlen]: a head and two slots more
///               than there are lie behind the last ones, and belong to nobody
enum class Strides : int32_t {
  contiguous = 0,
  row_padded = 1,
  offset = 2,
  transposed = 3,
  expanded = 4,
  sliced = 5
};

/// Who sees whom among the real tokens of one sequence. Query i sees key j when
///   causal_tl:  j <= i                     (top-left alignment)
///   causal_br:  j <= i + len_k - len_q     (bottom-right alignment)
///   window_tl:  i - left <= j <= i + right, where a bound of -1 is none (flash-attention's window)
///   window_br:  the same around i + len_k - len_q
enum class Mask : int32_t { none = 0, causal_tl = 1, causal_br = 2, window_tl = 3, window_br = 4 };

constexpr bool IsWindow(Mask mask) { return mask == Mask::window_tl || mask == Mask::window_br; }
constexpr bool IsCausal(Mask mask) { return mask == Mask::causal_tl || mask == Mask::causal_br; }
constexpr bool IsBottomRight(Mask mask) {
  return mask == Mask::causal_br || mask == Mask::window_br;
}

/// How a kernel is told who sees whom, pads and Mask included.
///   lengths   real lengths and left pads of each sequence, and the mask by name
///   boolean   a tensor [b, h, sq, sk] of bytes, 1 keeps the pair: nothing else tells of pads
///   additive  the same in the storage type, added to the scores after softcap: -inf removes, any
///             other number keeps; it is the bias of the pair, 0 without one
enum class MaskForm : int32_t { lengths = 0, boolean = 1, additive = 2 };

/// What is added to the scores, after scale and softcap.
///   alibi    -slope_h |i + len_k - len_q - j|, or -slope_h |i - j| under a top-left mask
///   dense    a tensor [b, h, sq, sk] in the storage type, which has pads of its own
///   masking  the same, with a large negative number at some keys and in whole rows, as models
///            write a mask: -1e4, -1e9 or far below; in f16 as low as it goes. It hides nothing:
///            a row of such numbers alone is a softmax like any other
enum class Bias : int32_t { none = 0, alibi = 1, dense = 2, masking = 3 };

constexpr bool IsDense(Bias bias) { return bias == Bias::dense || bias == Bias::masking; }

/// What a kernel can do beyond plain attention.
///   gqa      several query heads share one head of K and V (GQA, MQA)
///   dim_v    V and O have a head dimension of their own
///   softcap  s = softcap tanh(s / softcap)
///   sink     one more term exp(sink_h) in the row sum, without a value
///   dbias    its backward writes the gradient of a dense bias
///   dropout  each weight is 0 with a probability, and scaled where it is not
///   splits   the caller says among how many blocks the keys of a query are split
///   scale    scores are multiplied by softmax_scale, be it 1/sqrt(dim) or not
enum class Feature : int32_t {
  gqa = 0,
  dim_v = 1,
  softcap = 2,
  sink = 3,
  dbias = 4,
  dropout = 5,
  splits = 6,
  scale = 7
};

/// Where padded slots lie: after or before the real tokens of each sequence. In a packed buffer
/// after its last or before its first sequence, or, told by seqused, in gaps after each of them.
/// around: on both sides, the odd one before.
enum class PadSide : int32_t { right = 0, left = 1, between = 2, around = 3 };

/// Order in which the SIMT layer runs blocks and threads.
///   forward   the next higher thread that can run, and the next higher block
///   reverse   the next lower ones
///   random    any, drawn from the schedule's seed
///   warp_lag  forward, but one warp, chosen by the seed, runs only when no other thread can
enum class Order : int32_t { forward = 0, reverse = 1, random = 2, warp_lag = 3 };

struct Schedule {
  Order order = Order::forward;
  uint32_t seed = 0;  // of all that the schedule draws; 0 where it draws nothing
  // N >= 1: in a build whose kernels carry the race checker's hooks, a thread is stopped at a
  // memory access with probability 1/N. 0: threads change at collectives only, as in every other
  // build.
  uint32_t preempt = 0;

  constexpr bool Draws() const {
    return order == Order::random || order == Order::warp_lag || preempt != 0;
  }
  bool operator==(const Schedule&) const = default;
};

/// What real tokens hold.
///   normal      independent, roughly N(0, 1)
///   large       normal times 16: some logits in the hundreds
///   tied        every Q and K element equal: all logits of a row tie
///   one_hot     Q and K rows are unit vectors times 8
///   increasing  logits grow with the key index: the row maximum moves in every tile
///   outlier     normal, one channel of Q and K times 32
///   deep        every logit near -120: exp of an unshifted logit underflows and exp(0 - lse)
///               overflows
///   near_max    normal Q and K; V as large as a correct kernel must take: a quarter to half of the
///               largest finite f16; in f32 and bf16, where the unnormalised sum has no more range
///               than V, 2^-19 to 2^-18 of the largest finite value
///   subnormal   normal Q and K; V subnormal in the storage type
///   sunken      every logit near -70000: below the finite sentinels (-1e4, -5e4) that some kernels
///               take for minus infinity
enum class Values : int32_t {
  normal = 0,
  large,
  tied,
  one_hot,
  increasing,
  outlier,
  deep,
  near_max,
  subnormal,
  sunken,
};

/// What padded slots hold.
///   zero   all bits 0
///   noise  like real tokens, with bits of their own
///   copy   a copy of a real token of the same sequence and head
///   hot    K parallel to a real query with a logit far above the row maximum; V, Q, dO large
///   huge   the largest finite value, either sign
///   inf    infinity, either sign
///   nan    quiet NaN, either sign, with payloads
///   bits   any bit pattern
enum class Fill : int32_t { zero = 0, noise, copy, hot, huge, inf, nan, bits };

/// True for fills whose every element is finite.
constexpr bool IsFinite(Fill fill) { return fill < Fill::inf; }

template <class E>
struct EnumText;  // `names`: one spelling a value, in numeric order

template <>
struct EnumText<Dtype> {
  static constexpr std::array<std::string_view, 3> names{"f32", "f16", "bf16"};
};
template <>
struct EnumText<Layout> {
  static constexpr std::array<std::string_view, 4> names{"bhsd", "bshd", "thd", "paged"};
};
template <>
struct EnumText<Strides> {
  static constexpr std::array<std::string_view, 6> names{"contiguous", "row_padded", "offset",
                                                         "transposed", "expanded",   "sliced"};
};
template <>
struct EnumText<Mask> {
  static constexpr std::array<std::string_view, 5> names{"none", "causal:tl", "causal:br",
                                                         "window:tl", "window:br"};
};
template <>
struct EnumText<MaskForm> {
  static constexpr std::array<std::string_view, 3> names{"lengths", "boolean", "additive"};
};
template <>
struct EnumText<Bias> {
  static constexpr std::array<std::string_view, 4> names{"none", "alibi", "dense", "masking"};
};
template <>
struct EnumText<Feature> {
  static constexpr std::array<std::string_view, 8> names{"gqa",   "dim_v",   "softcap", "sink",
                                                         "dbias", "dropout", "splits",  "scale"};
};
template <>
struct EnumText<PadSide> {
  static constexpr std::array<std::string_view, 4> names{"right", "left", "between", "around"};
};
template <>
struct EnumText<Order> {
  static constexpr std::array<std::string_view, 4> names{"forward", "reverse", "random",
                                                         "warp_lag"};
};
template <>
struct EnumText<Values> {
  static constexpr std::array<std::string_view, 10> names{
      "normal",  "large", "tied",     "one_hot",   "increasing",
      "outlier", "deep",  "near_max", "subnormal", "sunken"};
};
template <>
struct EnumText<Fill> {
  static constexpr std::array<std::string_view, 8> names{"zero", "noise", "copy", "hot",
                                                         "huge", "inf",   "nan",  "bits"};
};

template <class E>
constexpr std::string_view NameOf(E value) {
  return EnumText<E>::names[static_cast<size_t>(value)];
}

/// A bit set over one enum: what a kernel can do.
template <class E>
struct Set {
  uint32_t bits = 0;

  constexpr bool Has(E value) const { return (bits >> static_cast<uint32_t>(value)) & 1u; }
  static constexpr Set All() { return {(1u << EnumText<E>::names.size()) - 1u}; }
  bool operator==(const Set&) const = default;
};

template <class E, class... Rest>
constexpr Set<E> SetOf(E first, Rest... rest) {
  return {((1u << static_cast<uint32_t>(first)) | ... | (1u << static_cast<uint32_t>(rest)))};
}

}  // namespace padproof
