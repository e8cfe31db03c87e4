// LibTorch's CPU flash attention: tiles of 512 keys, online softmax, fp32 accumulation. Through two
// doors: scaled_dot_product_attention with a bool mask, as users call it (no LSE, gradients by
// autograd), and the operator behind it with an additive mask, which returns and reads the LSE. The
// mask carries a dense bias; a mask that wants a gradient is not this backend's.
//
// fp32 and 16-bit inputs are rows of their own, for their arithmetic differs. In 16 bits P is
// rounded to storage and exp is a cubic with a relative error of 1.1e-4; and the backward adds up
// dQ, dK and dV in storage precision, one rounding per block of 32 queries or 512 keys.

#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>

#include "harness/judge/numerics_profiles.h"
#include "kernels/torch_common.h"

namespace padproof {
namespace {

using torch_sdpa::AdditiveMask;
using torch_sdpa::DenseBias;
using torch_sdpa::Guarded;
using torch_sdpa::PublicDoor;
using torch_sdpa::Store;
using torch_sdpa::View;

// ---- the public door ----------------------------------------------------------------------------

constexpr PublicDoor kPublic{at::SDPBackend::flash_attention, MaskForm::boolean};

Status ForwardPublic(const AttentionArgs& args) { return kPublic.Forward(args); }
Status BackwardPublic(const AttentionArgs& args) { return kPublic.Backward(args); }

// ---- the operator -------------------------------------------------------------------------------

// The operator divides by the number of slots: with none the process dies of SIGFPE, where the
// public door answers before it gets there.
constexpr Status kNoSlots{StatusCode::rejected,
                          "the operator does not take empty tensors (the public door does)"};

bool HasNoSlots(const AttentionArgs& args) { return args.seqlen_q == 0 || args.seqlen_k == 0; }

Status ForwardOperator(const AttentionArgs& args) {
  if (HasNoSlots(args)) return kNoSlots;
  return Guarded([&]() -> Status {
    const at::NoGradGuard no_grad;
    const auto [out, lse] = at::_scaled_dot_product_flash_attention_for_cpu(
        View(args.q, args.dtype), View(args.k, args.dtype), View(args.v, args.dtype),
        /*dropout_p=*/0.0, /*is_causal=*/false, AdditiveMask(args, DenseBias(args)),
        args.softmax_scale);
    Store(out, args.o, args.dtype);
    View(args.lse, Dtype::f32).squeeze(-1).copy_(lse);
    return kOk;
  });
}

Status BackwardOperator(const AttentionArgs& args) {
  if (HasNoSlots(args)) return kNoSlots;
  return Guarded([&]() -> Status {
    const at::NoGradGuard no_grad;
    const auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        View(args.d_o, args.dtype), View(args.q, args.dtype), View(args.k, args.dtype),
        View(args.v, args.dtype), View(args.o, args.dtype), View(args.lse, Dtype::f32).squeeze(-1),
        /*dropout_p=*/0.0,
        /*is_causal=*/false, AdditiveMask(args, DenseBias(args)), args.softmax_scale);
    Store(dq, args.dq, args.dtype);
    Store(dk, args.dk, args.dtype);
    Store(dv, args.dv, args.dtype);
    return kOk;
  });
}

// ---- rows ---------------------------------------------------------------------------------------

constexpr const char* kFile = "kernels/torch_sdpa_flash.cc";
constexpr const char* kSource =
    "pytorch/pytorch#101967: a NaN in a masked key or value reaches the output, since the mask is "
    "added to the score and its zero weight multiplied";

// P rounds to f16 or bf16: the larger error of the two and the larger underflow. exp is fexp_u20
// (#151441), off by at most 1.13e-4 over all floats in [-87, 0].
constexpr NumericsProfile kHalf{
    .p_rounding = 0x1p-8, .p_underflow = 0x1p-25, .exp_error = 0x1p-13, .tile_keys = 512};

// The 16-bit backward is not registered: it accumulates dQ, dK and dV in storage precision, with
// one rounding a block of slots, and no field of the profile states where those blocks lie.

constexpr KernelTraits TraitsOf(Set<Dtype> dtypes, const NumericsProfile& numerics, MaskForm form) {
  const bool additive = form == MaskForm::additive;  // the operator, which returns an LSE
  return {
      .dtypes = dtypes,
      .layouts = SetOf(Layout::bhsd, Layout::bshd),
      .strides = SetOf(Strides::contiguous, Strides::row_padded, Strides::offset, Strides::sliced),
      .masks = Set<Mask>::All(),
      .pad_sides = SetOf(PadSide::right, PadSide::left, PadSide::around),
      .mask_forms = SetOf(MaskForm::lengths, form),
      .biases = additive ? SetOf(Bias::none, Bias::dense) : SetOf(Bias::none),
      .features = SetOf(Feature::scale),
      .seqlen_k_min = 1,  // an empty K and V: see torch_sdpa_math.cc
      .tile_q = 32,
      .tile_k = 512,
      .returns_lse = additive ? 1 : 0,
      // An empty row is zero by intent: pytorch/pytorch#133882. Its LSE is the log of a sum
      // that is set to 1 lest it be 0.
      .promises = {.pad_content = PadContent::finite_scores, .empty_lse = EmptyLse::zero},
      .numerics = numerics};
}

PADPROOF_KERNEL({.name = "torch_sdpa_flash.bool",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch SDPA, CPU flash backend, bool mask, fp32",
                 .source = kSource,
                 .traits = TraitsOf(SetOf(Dtype::f32), TorchCpu(), MaskForm::boolean),
                 .forward = ForwardPublic,
                 .backward = BackwardPublic,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_sdpa_flash.additive",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch CPU flash operator, additive mask, fp32",
                 .source = kSource,
                 .traits = TraitsOf(SetOf(Dtype::f32), TorchCpu(), MaskForm::additive),
                 .forward = ForwardOperator,
                 .backward = BackwardOperator,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_sdpa_flash.bool16",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch SDPA, CPU flash backend, bool mask, f16 and bf16",
                 .source = kSource,
                 .traits = TraitsOf(SetOf(Dtype::f16, Dtype::bf16), kHalf, MaskForm::boolean),
                 .forward = ForwardPublic,
                 .backward = nullptr,
                 .workspace_bytes = nullptr});

PADPROOF_KERNEL({.name = "torch_sdpa_flash.additive16",
                 .backend = "cpu",
                 .file = kFile,
                 .summary = "LibTorch CPU flash operator, additive mask, f16 and bf16",
                 .source = kSource,
                 .traits = TraitsOf(SetOf(Dtype::f16, Dtype::bf16), kHalf, MaskForm::additive),
                 .forward = ForwardOperator,
                 .backward = nullptr,
                 .workspace_bytes = nullptr});

}  // namespace
}  // namespace padproof
