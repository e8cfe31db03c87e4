// Attention in eager steps around LibTorch's softmaxes, as code without a fused kernel writes it:
// Q K^T in fp32, times the scale, a dense bias, the softmax of masked scores, P V. `masked_fill`
// puts -inf where a key is hidden and calls softmax, gradients by autograd. The others call
// _masked_softmax, whose loop skips hidden keys (so a masked score may be anything), and its
// backward:
//   src_mask      mask type 0: one [L, L] for all sequences
//   key_padding   mask type 1: [B, L], whose kernel says L and means the keys
//   generic       mask type 2: of the shape of the scores
// Types 0 and 1 want as many query slots as key slots, so the shorter side is padded; autograd
// refuses them (its backward takes a mask of the scores' shape alone), so the backward is called by
// hand.
//
// Padded queries are not told: they see every real key, and the loss sends them a zero gradient.

#include <ATen/ops/_masked_softmax.h>
#include <ATen/ops/_masked_softmax_backward.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include "harness/judge/numerics_profiles.h"
#include "kernels/torch_common.h"

namespace padproof {
namespace {

using torch_sdpa::DenseBias;
using torch_sdpa::EmptiesPaddedQuery;
using torch_sdpa::Guarded;
using torch_sdpa::Hidden;
using torch_sdpa::LossGradient;
using torch_sdpa::MaskType;
using torch_sdpa::SharedMask;
using torch_sdpa::SquareMaskOf;
using torch_sdpa::SquareSlots;
using torch_sdpa::Store;
using torch_sdpa::StoreGradients;
using torch_sdpa::View;
using torch_sdpa::WithSlots;

at::Tensor Widened(const Tensor& t, Dtype dtype) { return View(t, dtype).to(at::kFloat); }

/// `bias`: undefined for none.
at::Tensor ScoresOf(const AttentionArgs& args, const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& bias) {
  const at::Tensor scores = at::matmul(q, k.transpose(2, 3)).mul(args.softmax_scale);
  return bias.defined() ? scores.add(bias.to(at::kFloat)) : scores;
}

// ---- softmax of masked_fill(-inf) ---------------------------------------------------------------

at::Tensor AttendFilled(const AttentionArgs& args, const std::vector<at::Tensor>& inputs,
                        const at::Tensor& bias) {
  const at::Tensor scores = ScoresOf(args, inputs[0], inputs[1], bias)
                                .masked_fill(Hidden(args), -std::numeric_limits<float>::infinity());
  return at::matmul(at::softmax(scores, -1), inputs[2]);
}

std::vector<at::Tensor> WidenedInputs(const AttentionArgs& args) {
  return {Widened(args.q, args.dtype), Widened(args.k, args.dtype), Widened(args.v, args.dtype)};
}

Status ForwardFilled(const AttentionArgs& args) {
  return Guarded([&]() -> Status {
    const at::NoGradGuard no_grad;
    Store(AttendFilled(args, WidenedInputs(args), DenseBias(args)), args.o, args.dtype);
    return kOk;
  });
}

Status BackwardFilled(const AttentionArgs& args) {
  return Guarded([&]() -> Status {
    std::vector<at::Tensor> leaves = WidenedInputs(args);
    if (args.dbias.data != nullptr) leaves.push_back(Widened(args.attn_bias, args.dtype));
    for (at::Tensor& leaf : leaves) leaf.detach_().set_requires_grad(true);
    const at::Tensor bias = leaves.size() > 3 ? leaves[3] : at::Tensor();
    const auto gradients = torch::autograd::grad({AttendFilled(args, leaves, bias)}, leaves,
                                                 {LossGradient(args).to(at::kFloat)});
    const at::NoGradGuard no_grad;
    StoreGradients(gradients, args);
    return kOk;
  });
}

// ---- _masked_softmax ----------------------------------------------------------------------------

constexpr Status kNotShared{StatusCode::rejected,
                            "mask type 0 is one [L, L] for all sequences; these need several"};
constexpr Status kEmptyPad{StatusCode::rejected,
                           "the shared mask hides every key from a padded query, whose NaN reaches "
                           "dK and dV (pytorch/pytorch#41508)"};

struct MaskedSoftmax {
  MaskType type;

  Status Forward(const AttentionArgs& args) const {
    return Guarded([&]() -> Status {
      const at::NoGradGuard no_grad;
      const at::Tensor mask = MaskOf(args);
      if (!mask.defined()) return kNotShared;
      const at::Tensor p = Weights(args, Queries(args, args.q), Keys(args, args.k), mask);
      StoreSlots(at::matmul(p, Keys(args, args.v)), args.o, args.dtype);
      return kOk;
    });
  }

  Status Backward(const AttentionArgs& args) const {
    return Guarded([&]() -> Status {
      const at::NoGradGuard no_grad;
      const at::Tensor mask = MaskOf(args);
      if (!mask.defined()) return kNotShared;
      if (type == MaskType::src_mask && EmptiesPaddedQuery(args, SharedMask(args, false))) {
        return kEmptyPad;
      }
      const at::Tensor q = Queries(args, args.q), k = Keys(args, args.k), v = Keys(args, args.v);
      at::Tensor d_o = LossGradient(args).to(at::kFloat);
      if (IsSquare()) d_o = WithSlots(d_o, SquareSlots(args));
      const at::Tensor p = Weights(args, q, k, mask), dp = at::matmul(d_o, v.transpose(2, 3));
      const at::Tensor d_score = at::_masked_softmax_backward(dp, p, Spread(mask, p), -1);
      const at::Tensor ds = d_score.mul(args.softmax_scale);
      StoreSlots(at::matmul(ds, k), args.dq, args.dtype);
      StoreSlots(at::matmul(ds.transpose(2, 3), q), args.dk, args.dtype);
      StoreSlots(at::matmul(p.transpose(2, 3), d_o), args.dv, args.dtype);
      if (args.dbias.data != nullptr) {
        StoreSlots(d_score.narrow(3, 0, args.seqlen_k), args.dbias, args.dtype);
      }
      return kOk;
    });
  }

 private:
  bool IsSquare() const { return type != MaskType::generic; }
  at::Tensor Queries(const AttentionArgs& args, const Tensor& t) const {
    return WithSlots(Widened(t, args.dtype), IsSquare() ? SquareSlots(args) : args.seqlen_q);
  }
  at::Tensor Keys(const AttentionArgs& args, const Tensor& t) const {
    return WithSlots(Widened(t, args.dtype), IsSquare() ? SquareSlots(args) : args.seqlen_k);
  }
  static void StoreSlots(const at::Tensor& result, const Tensor& to, Dtype dtype) {
    Store(result.narrow(2, 0, to.size[2]), to, dtype);
  }
  at::Tensor MaskOf(const AttentionArgs& args) const {
    if (IsSquare()) return SquareMaskOf(args, type);
    return Hidden(args).expand({args.batch, args.heads, args.seqlen_q, args.seqlen_k});
  }
  static at::Tensor BiasOf(const AttentionArgs& args, const at::Tensor& q, const at::Tensor& k) {
    const at::Tensor bias = DenseBias(args);
    if (!bias.defined()) return bias;
    return at::constant_pad_nd(bias, {0, k.size(2) - bias.size(3), 0, q.size(2) - bias.size(2)}, 0);
  }
  at::Tensor Weights(const AttentionArgs& args, const at::Tensor& q, const at::Tensor& k,
                     const at::Tensor& mask) const {
    // The last dimension by its index: -1 would take types 0 and 1 through the generic one.
    return at::_masked_softmax(ScoresOf(args, q, k, BiasOf(args, q, k)), mask, /*dim=*/3,
                               static_cast<int64_t>(type));
  }
  at::Tensor Spread(const at::Tensor& mask, const at::Tensor& p) const {
    const at::Tensor wide =
        type == MaskType::key_padding ? mask.view({p.size(0), 1, 1, p.size(3)}) : mask;
    return wide.expand_as(p);
  }
};

constexpr MaskedSoftmax kSrcMask{MaskType::src_mask};
constexpr MaskedSoftmax kKeyPadding{MaskType::key_padding};
constexpr MaskedSoftmax kGeneric{MaskType::generic};

Status ForwardSrcMask(const AttentionArgs& args) { return kSrcMask.Forward(args); }
Status BackwardSrcMask(const AttentionArgs& args) { return kSrcMask.Backward(args); }
Status ForwardKeyPadding(const AttentionArgs& args) { return kKeyPadding.Forward(args); }
Status BackwardKeyPadding(const AttentionArgs& args) { return kKeyPadding.Backward(args); }
Status ForwardGeneric(const AttentionArgs& args) { return kGeneric.Forward(args); }
Status BackwardGeneric(const AttentionArgs& args) { return kGeneric.Backward(args); }

// ---- rows ---------------------------------------------------------------------------------------

constexpr const char* kFile = "kernels/torch_softmax.cc";
constexpr const char* kSource =
    "pytorch/pytorch#24816: softmax over nothing but masked keys is NaN; #75493: so is "
    "_masked_softmax; #101967: a zero weight times a masked NaN reaches the output";

// fp32 from load to store, the softmax in one piece. exp_u20 in softmax; libm in _masked_softmax,
// whose row sum is a double.
constexpr NumericsProfile kVectorExp{.exp_error = kExpU20, .tile_keys = 1 << 20};
constexpr NumericsProfile kLibmExp{.tile_keys = 1 << 20};

constexpr KernelTraits TraitsOf(const NumericsProfile& numerics, Set<Mask> masks) {
  return {.dtypes = Set<Dtype>::All(),
          .layouts = SetOf(Layout::bhsd, Layout::bshd),
          .strides = Set<Strides>::All(),
          .masks = masks,
          .pad_sides = SetOf(PadSide::right, PadSide::left, PadSide::around),
          .biases = SetOf(Bias::none, Bias::dense),
          .features = SetOf(Feature::dim_v, Feature::scale, Feature::dbias),
          .seqlen_k_min = 1,  // softmax over no slot is no row at all
          .promises = {.pad_content = PadContent::finite_scores,
                       .empty_row = EmptyRow::nan,
                       .pad_outputs = PadOutputs::written},
          .numerics = numerics};
}

PADPROOF_KERNEL({.name = "torch_softmax.masked_fill",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch softmax of masked_fill(-inf) scores, eager attention in fp32",
                 .source = kSource,
                 .traits = TraitsOf(kVectorExp, Set<Mask>::All()),
                 .forward = ForwardFilled,
                 .backward = BackwardFilled,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_softmax.src_mask",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch _masked_softmax, mask type 0 [L, L], eager attention in fp32",
                 .source = kSource,
                 .traits = TraitsOf(kLibmExp, Set<Mask>::All()),
                 .forward = ForwardSrcMask,
                 .backward = BackwardSrcMask,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_softmax.key_padding",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch _masked_softmax, mask type 1 [B, L], eager attention in fp32",
                 .source = kSource,
                 .traits = TraitsOf(kLibmExp, SetOf(Mask::none)),
                 .forward = ForwardKeyPadding,
                 .backward = BackwardKeyPadding,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_softmax.generic",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch _masked_softmax, mask type 2, eager attention in fp32",
                 .source = kSource,
                 .traits = TraitsOf(kLibmExp, Set<Mask>::All()),
                 .forward = ForwardGeneric,
                 .backward = BackwardGeneric,
                 .workspace_bytes = nullptr});

}  // namespace
}  // namespace padproof
