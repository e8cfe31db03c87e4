// LibTorch's multi-head attention made into attention alone: in_proj and out_proj are identities,
// their biases zero, so that every projection returns its input (its products are x * 1 and x * 0,
// its sums exact).
//
// nn::MultiheadAttention of the C++ frontend (layout [L, N, E], no batch_first): one eager path,
// whatever need_weights says, with plain softmax. Of the masks that Python's module takes it knows
// two, and rows exist for those:
//   key_padding_mask  bool, masked_fill(-inf); in fp32 and fp64 alone, and no float one
//   attn_mask         2-D, added to the scores: one for all sequences and heads; a 3-D one throws,
//                     and a bool one is added as 0 and 1, so that it masks nothing
//                     (pytorch/pytorch#80494)
// Equal contents of K and V are taken for one tensor (torch::equal, pytorch/pytorch#47979; Python
// compares identities since #56674): by autograd K then has the gradients of both and V none.
//
// _native_multi_head_attention: the fast path of Python's module and TransformerEncoder, forward
// only, around _masked_softmax with its mask types 0 [L, L], 1 [B, L] and 2 (scores' shape).
// It takes as many query slots as key slots: the shorter side is padded.
//
// Neither is told of padded queries: the loss sends them a zero gradient.

#include <ATen/ops/_native_multi_head_attention.h>
#include <ATen/ops/eye.h>
#include <torch/nn/modules/activation.h>

#include <cmath>

#include "harness/judge/numerics_profiles.h"
#include "kernels/torch_common.h"

namespace padproof {
namespace {

using torch_sdpa::EmptiesPaddedQuery;
using torch_sdpa::Guarded;
using torch_sdpa::HeadsFirst;
using torch_sdpa::Hidden;
using torch_sdpa::LossGradient;
using torch_sdpa::MaskType;
using torch_sdpa::PaddedKeys;
using torch_sdpa::ScalarTypeOf;
using torch_sdpa::SharedMask;
using torch_sdpa::SquareMask;
using torch_sdpa::SquareMaskOf;
using torch_sdpa::SquareSlots;
using torch_sdpa::Store;
using torch_sdpa::StoreGradients;
using torch_sdpa::TimeFirst;
using torch_sdpa::View;
using torch_sdpa::WithSlots;

constexpr Status kNotShared{StatusCode::rejected,
                            "one [L, S] mask serves all sequences; these need several"};
constexpr Status kOtherScale{StatusCode::rejected, "multi-head attention scales by 1/sqrt(dim)"};

// ---- nn::MultiheadAttention ---------------------------------------------------------------------

constexpr Status kEqualKeyValue{
    StatusCode::rejected,
    "K equals V in content: the module takes them for one tensor and gives V no gradient"};

constexpr Status kEmptyPad{StatusCode::rejected,
                           "the masks hide every key from a padded query, whose NaN reaches dK and "
                           "dV (pytorch/pytorch#41508)"};

constexpr Status kMayOverflow{
    StatusCode::rejected,
    "a product may overflow of a hidden pair or of another head: inf * 0 reaches all others"};

/// False if nothing that is stored can leave the dtype where no law looks, since it is hidden or of
/// another head: scores and dP of all pairs and, of several heads, dQ before its scale, dK and dV,
/// each by the largest factors it can have (|dS| <= 2 max |dP|). A NaN passes.
bool MayOverflow(const AttentionArgs& args, bool backward) {
  const double limit = args.dtype == Dtype::f16 ? 65000 : 1e38;
  const auto magnitude = [&](const at::Tensor& t) { return t.to(at::kFloat).abs(); };
  const auto exceeds = [&](const at::Tensor& t) {
    return t.numel() > 0 && t.max().item<double>() > limit;
  };
  const at::Tensor q = magnitude(View(args.q, args.dtype)), k = magnitude(View(args.k, args.dtype));
  if (exceeds(at::matmul(q, k.transpose(2, 3)))) return true;
  if (!backward) return false;
  const at::Tensor d_o = magnitude(LossGradient(args)), v = magnitude(View(args.v, args.dtype));
  const at::Tensor d_score = at::matmul(d_o, v.transpose(2, 3)).amax(-1, /*keepdim=*/true).mul(2);
  if (args.heads == 1) return exceeds(d_score);
  return exceeds(d_score) || exceeds(d_score.mul(k.amax({2, 3}, /*keepdim=*/true))) ||
         exceeds(d_score.mul(q).mul(args.softmax_scale).sum(2)) || exceeds(d_o.sum(2));
}

/// The identity module of these sizes; the one before it is kept, since laws call many times.
torch::nn::MultiheadAttention& ModuleFor(const AttentionArgs& args) {
  static thread_local torch::nn::MultiheadAttention module{nullptr};
  const int64_t embed = static_cast<int64_t>(args.heads) * args.dim;
  const at::ScalarType type = ScalarTypeOf(args.dtype);
  if (!module || module->options.embed_dim() != embed ||
      module->options.num_heads() != args.heads || module->in_proj_weight.scalar_type() != type) {
    const at::NoGradGuard no_grad;
    module = torch::nn::MultiheadAttention(torch::nn::MultiheadAttentionOptions(embed, args.heads));
    module->to(type);
    module->eval();
    module->in_proj_weight.copy_(at::eye(embed).repeat({3, 1}));
    module->out_proj->weight.copy_(at::eye(embed));
    for (at::Tensor& parameter : module->parameters()) parameter.set_requires_grad(false);
  }
  return module;
}

struct Module {
  bool key_padding;   // pads are told by key_padding_mask, else by attn_mask
  bool attn_mask;     // the mask of the case is told by attn_mask
  bool need_weights;  // the averaged weights are formed too, and dropped

  Status Forward(const AttentionArgs& args) const {
    return Guarded([&]() -> Status {
      const at::NoGradGuard no_grad;
      if (MayOverflow(args, /*backward=*/false)) return kMayOverflow;
      at::Tensor padded, mask;
      if (const Status status = Masks(args, padded, mask); status.code != StatusCode::ok) {
        return status;
      }
      const at::Tensor out =
          Attend(args, TimeFirst(View(args.q, args.dtype)), TimeFirst(View(args.k, args.dtype)),
                 TimeFirst(View(args.v, args.dtype)), padded, mask);
      Store(HeadsFirst(out, args), args.o, args.dtype);
      return kOk;
    });
  }

  Status Backward(const AttentionArgs& args) const {
    return Guarded([&]() -> Status {
      if (MayOverflow(args, /*backward=*/true)) return kMayOverflow;
      at::Tensor padded, mask;
      if (const Status status = Masks(args, padded, mask); status.code != StatusCode::ok) {
        return status;
      }
      if (EmptiesPads(args, padded, mask)) return kEmptyPad;
      at::Tensor q = TimeFirst(View(args.q, args.dtype)), k = TimeFirst(View(args.k, args.dtype)),
                 v = TimeFirst(View(args.v, args.dtype));
      if (at::equal(k, v)) return kEqualKeyValue;
      for (at::Tensor* leaf : {&q, &k, &v}) leaf->set_requires_grad(true);
      const auto gradients = torch::autograd::grad({Attend(args, q, k, v, padded, mask)}, {q, k, v},
                                                   {TimeFirst(LossGradient(args))});
      const at::NoGradGuard no_grad;
      StoreGradients({HeadsFirst(gradients[0], args), HeadsFirst(gradients[1], args),
                      HeadsFirst(gradients[2], args)},
                     args);
      return kOk;
    });
  }

 private:
  Status Masks(const AttentionArgs& args, at::Tensor& padded, at::Tensor& mask) const {
    if (static_cast<float>(1 / std::sqrt(static_cast<int64_t>(args.dim))) != args.softmax_scale) {
      return kOtherScale;
    }
    if (key_padding) padded = PaddedKeys(args);
    if (!attn_mask) return kOk;
    const at::Tensor hidden = SharedMask(args, key_padding);
    if (!hidden.defined()) return kNotShared;
    mask = at::zeros(hidden.sizes(), ScalarTypeOf(args.dtype))
               .masked_fill_(hidden, -std::numeric_limits<float>::infinity());
    return kOk;
  }
  bool EmptiesPads(const AttentionArgs& args, const at::Tensor& padded,
                   const at::Tensor& mask) const {
    if (!mask.defined()) return false;
    at::Tensor hidden = mask.isinf().unsqueeze(0);
    if (padded.defined()) hidden = hidden.logical_or(padded.unsqueeze(1));
    return EmptiesPaddedQuery(args, hidden);
  }
  at::Tensor Attend(const AttentionArgs& args, const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& v, const at::Tensor& padded, const at::Tensor& mask) const {
    return std::get<0>(ModuleFor(args)->forward(q, k, v, padded, need_weights, mask));
  }
};

constexpr Module kKeyPadding{.key_padding = true, .attn_mask = false, .need_weights = false};
constexpr Module kNeedWeights{.key_padding = true, .attn_mask = false, .need_weights = true};
constexpr Module kBothMasks{.key_padding = true, .attn_mask = true, .need_weights = false};
constexpr Module kAttnMask{.key_padding = false, .attn_mask = true, .need_weights = true};

Status ForwardKeyPadding(const AttentionArgs& args) { return kKeyPadding.Forward(args); }
Status BackwardKeyPadding(const AttentionArgs& args) { return kKeyPadding.Backward(args); }
Status ForwardNeedWeights(const AttentionArgs& args) { return kNeedWeights.Forward(args); }
Status BackwardNeedWeights(const AttentionArgs& args) { return kNeedWeights.Backward(args); }
Status ForwardBothMasks(const AttentionArgs& args) { return kBothMasks.Forward(args); }
Status BackwardBothMasks(const AttentionArgs& args) { return kBothMasks.Backward(args); }
Status ForwardAttnMask(const AttentionArgs& args) { return kAttnMask.Forward(args); }
Status BackwardAttnMask(const AttentionArgs& args) { return kAttnMask.Backward(args); }

// ---- the fast path ------------------------------------------------------------------------------

struct FastPath {
  MaskType type;
  bool need_weights;

  Status Forward(const AttentionArgs& args) const {
    return Guarded([&]() -> Status {
      const at::NoGradGuard no_grad;
      const at::Tensor mask = MaskOf(args);
      if (!mask.defined()) return kNotShared;
      const int64_t embed = static_cast<int64_t>(args.heads) * args.dim;
      const at::Tensor eye = at::eye(embed), zero = at::zeros({3 * embed});
      const auto [out, weights] = at::_native_multi_head_attention(
          BatchFirst(args.q, args), BatchFirst(args.k, args), BatchFirst(args.v, args), embed,
          args.heads, eye.repeat({3, 1}), zero, eye, zero.narrow(0, 0, embed), mask, need_weights,
          /*average_attn_weights=*/true, static_cast<int64_t>(type));
      const at::Tensor heads = out.view({args.batch, SquareSlots(args), args.heads, args.dim});
      Store(heads.transpose(1, 2).narrow(2, 0, args.seqlen_q), args.o, args.dtype);
      return kOk;
    });
  }

 private:
  /// [b, s, h d]
  static at::Tensor BatchFirst(const Tensor& t, const AttentionArgs& args) {
    const at::Tensor view = WithSlots(View(t, args.dtype), SquareSlots(args));
    return view.transpose(1, 2).reshape({view.size(0), view.size(2), view.size(1) * view.size(3)});
  }
  at::Tensor MaskOf(const AttentionArgs& args) const {
    if (type != MaskType::generic) return SquareMaskOf(args, type);
    const at::Tensor mask = SquareMask(args, Hidden(args), /*queries=*/true);
    return mask.expand({args.batch, args.heads, mask.size(2), mask.size(3)});
  }
};

Status ForwardFastSrcMask(const AttentionArgs& args) {
  return FastPath{MaskType::src_mask, /*need_weights=*/false}.Forward(args);
}
Status ForwardFastKeyPadding(const AttentionArgs& args) {
  return FastPath{MaskType::key_padding, /*need_weights=*/false}.Forward(args);
}
Status ForwardFastGeneric(const AttentionArgs& args) {
  return FastPath{MaskType::generic, /*need_weights=*/true}.Forward(args);
}

// ---- rows ---------------------------------------------------------------------------------------

constexpr const char* kFile = "kernels/torch_mha.cc";
constexpr const char* kSource =
    "pytorch/pytorch#41508, #160064: a query whose keys are all masked gives NaN, forward and "
    "backward; #101967: a zero weight times a masked NaN reaches the output";
constexpr const char* kSourceFast =
    "pytorch/pytorch#75493, #190486: a query whose keys are all masked gives NaN; #101967: a zero "
    "weight times a masked NaN reaches the output";

constexpr NumericsProfile kModule32{.exp_error = kExpU20, .tile_keys = 1 << 20};
// Every step is stored; softmax widens to fp32 and rounds its weights once.
constexpr NumericsProfile Module16(Dtype dtype) {
  NumericsProfile profile = Eager16(dtype);
  profile.exp_error = kModule32.exp_error;
  return profile;
}
// Scaled by 1.0 / sqrt(dim) with a root in fp32: off by two roundings from the scale.
constexpr NumericsProfile kFast32{.qk_scale_rounding = 2 * 0x1p-24, .tile_keys = 1 << 20};

constexpr KernelTraits TraitsOf(Dtype dtype, Set<Mask> masks, PadContent pad_content,
                                const NumericsProfile& numerics) {
  return {.dtypes = SetOf(dtype),
          .layouts = SetOf(Layout::bhsd, Layout::bshd),
          .strides = Set<Strides>::All(),
          .masks = masks,
          .pad_sides = SetOf(PadSide::right, PadSide::left, PadSide::around),
          .dim_max = 128,
          .seqlen_k_min = 1,
          // A masked weight is 0, so a result of nothing but zeros takes the sign of pads; and
          // 0 + -0 in the projections loses it.
          .promises = {.pad_content = pad_content,
                       .empty_row = EmptyRow::nan,
                       .pad_outputs = PadOutputs::written,
                       .head_content = pad_content == PadContent::finite ? PadContent::finite_scores
                                                                         : pad_content},
          .numerics = numerics};
}

PADPROOF_KERNEL({.name = "torch_mha.key_padding",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch nn::MultiheadAttention, bool key_padding_mask",
                 .source = kSource,
                 .traits = TraitsOf(Dtype::f32, SetOf(Mask::none), PadContent::finite_scores,
                                    kModule32),
                 .forward = ForwardKeyPadding,
                 .backward = BackwardKeyPadding,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_mha.need_weights",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch nn::MultiheadAttention, bool key_padding_mask, need_weights",
                 .source = kSource,
                 .traits = TraitsOf(Dtype::f32, SetOf(Mask::none), PadContent::finite_scores,
                                    kModule32),
                 .forward = ForwardNeedWeights,
                 .backward = BackwardNeedWeights,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_mha.both_masks",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch nn::MultiheadAttention, key_padding_mask and 2-D attn_mask",
                 .source = kSource,
                 .traits = TraitsOf(Dtype::f32, Set<Mask>::All(), PadContent::finite_scores,
                                    kModule32),
                 .forward = ForwardBothMasks,
                 .backward = BackwardBothMasks,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_mha.attn_mask",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch nn::MultiheadAttention, 2-D attn_mask alone, fp32",
                 .source = kSource,
                 .traits = TraitsOf(Dtype::f32, Set<Mask>::All(), PadContent::finite_scores,
                                    kModule32),
                 .forward = ForwardAttnMask,
                 .backward = BackwardAttnMask,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_mha.attn_mask_bf16",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch nn::MultiheadAttention, 2-D attn_mask alone, bf16",
                 .source = kSource,
                 .traits = TraitsOf(Dtype::bf16, Set<Mask>::All(), PadContent::finite_scores,
                                    Module16(Dtype::bf16)),
                 .forward = ForwardAttnMask,
                 .backward = BackwardAttnMask,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_mha.attn_mask_f16",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch nn::MultiheadAttention, 2-D attn_mask alone, f16",
                 .source = kSource,
                 .traits = TraitsOf(Dtype::f16, Set<Mask>::All(), PadContent::zero,
                                    Module16(Dtype::f16)),
                 .forward = ForwardAttnMask,
                 .backward = BackwardAttnMask,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_mha.fast_src_mask",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch _native_multi_head_attention, mask type 0 [L, L]",
                 .source = kSourceFast,
                 .traits = TraitsOf(Dtype::f32, Set<Mask>::All(), PadContent::finite, kFast32),
                 .forward = ForwardFastSrcMask,
                 .backward = nullptr,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_mha.fast_key_padding",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch _native_multi_head_attention, mask type 1 [B, L]",
                 .source = kSourceFast,
                 .traits = TraitsOf(Dtype::f32, SetOf(Mask::none), PadContent::finite, kFast32),
                 .forward = ForwardFastKeyPadding,
                 .backward = nullptr,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_mha.fast_generic",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch _native_multi_head_attention, mask type 2, need_weights",
                 .source = kSourceFast,
                 .traits = TraitsOf(Dtype::f32, Set<Mask>::All(), PadContent::finite, kFast32),
                 .forward = ForwardFastGeneric,
                 .backward = nullptr,
                 .workspace_bytes = nullptr});

}  // namespace
}  // namespace padproof
