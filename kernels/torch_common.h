// What the LibTorch kernels share: tensors over the harness's buffers, the mask that says who sees
// whom, and the public door scaled_dot_product_attention with one backend forced, its gradients by
// autograd. Only kernels/torch_*.cc include it, since it includes LibTorch.

#pragma once

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <limits>
#include <vector>

#include "harness/judge/kernel.h"

namespace padproof::torch_sdpa {

inline at::ScalarType ScalarTypeOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::f16:
      return at::kHalf;
    case Dtype::bf16:
      return at::kBFloat16;
    default:
      return at::kFloat;
  }
}

/// A view of [b, h, s, d] under its own strides: no copy is made.
inline at::Tensor View(const Tensor& t, Dtype dtype) {
  return at::from_blob(t.data, at::IntArrayRef(t.size, 4), at::IntArrayRef(t.stride, 4),
                       at::TensorOptions(ScalarTypeOf(dtype)));
}

inline void Store(const at::Tensor& result, const Tensor& to, Dtype dtype) {
  View(to, dtype).copy_(result);
}

/// [s, b, h d] of a [b, h, s, d] view, as modules of the C++ frontend take it, and back.
inline at::Tensor TimeFirst(const at::Tensor& t) {
  return t.permute({2, 0, 1, 3}).reshape({t.size(2), t.size(0), t.size(1) * t.size(3)});
}
inline at::Tensor HeadsFirst(const at::Tensor& t, const AttentionArgs& args) {
  return t.view({t.size(0), args.batch, args.heads, args.dim}).permute({1, 2, 0, 3});
}

/// dQ, dK, dV, each [b, h, s, d], and dBias if it is there.
inline void StoreGradients(const std::vector<at::Tensor>& gradients, const AttentionArgs& args) {
  Store(gradients[0], args.dq, args.dtype);
  Store(gradients[1], args.dk, args.dtype);
  Store(gradients[2], args.dv, args.dtype);
  if (gradients.size() > 3) Store(gradients[3], args.dbias, args.dtype);
}

/// [b, 1, q, k] of bool: the slots hold a real query and a real key, and that query sees that key.
inline at::Tensor Keep(const AttentionArgs& args) {
  at::Tensor keep = at::zeros({args.batch, 1, args.seqlen_q, args.seqlen_k}, at::kBool);
  bool* row = keep.data_ptr<bool>();
  for (int32_t b = 0; b < args.batch; ++b) {
    const int32_t len_q = args.seqused_q[b], len_k = args.seqused_k[b];
    for (int32_t slot = 0; slot < args.seqlen_q; ++slot, row += args.seqlen_k) {
      const int32_t i = slot - args.leftpad_q[b];
      if (i < 0 || i >= len_q) continue;
      const int32_t at = IsBottomRight(args.mask) ? i + len_k - len_q : i;
      int32_t first = 0, end = len_k;
      if (IsCausal(args.mask)) end = at + 1;
      if (IsWindow(args.mask) && args.window_left >= 0) first = at - args.window_left;
      if (IsWindow(args.mask) && args.window_right >= 0) end = at + args.window_right + 1;
      end = std::clamp(end, 0, len_k);
      first = std::clamp(first, 0, end);
      std::fill(row + args.leftpad_k[b] + first, row + args.leftpad_k[b] + end, true);
    }
  }
  return keep;
}

/// The mask tensor of the case, under its own strides: what repeats over heads has stride 0.
inline at::Tensor MaskTensor(const AttentionArgs& args) {
  const bool boolean = args.mask_form == MaskForm::boolean;
  return at::from_blob(args.attn_mask.data, at::IntArrayRef(args.attn_mask.size, 4),
                       at::IntArrayRef(args.attn_mask.stride, 4),
                       boolean ? at::kBool : ScalarTypeOf(args.dtype));
}

/// The dense bias in its storage type, undefined without one.
inline at::Tensor DenseBias(const AttentionArgs& args) {
  return args.attn_bias.data != nullptr ? View(args.attn_bias, args.dtype) : at::Tensor();
}

/// bool, True keeps: the case's mask tensor, or what its lengths and mask say.
inline at::Tensor BoolMask(const AttentionArgs& args) {
  return args.mask_form == MaskForm::boolean ? MaskTensor(args) : Keep(args);
}

/// What is added to the scores: the case's mask tensor, or `bias` where `Keep` says True, 0 without
/// one, and -inf elsewhere, in fp32.
inline at::Tensor AdditiveMask(const AttentionArgs& args, const at::Tensor& bias) {
  if (args.mask_form == MaskForm::additive) return MaskTensor(args);
  const at::Tensor hidden = Keep(args).logical_not();
  const at::Tensor added =
      bias.defined() ? bias.to(at::kFloat) : at::zeros(hidden.sizes(), at::kFloat);
  return added.masked_fill(hidden, -std::numeric_limits<float>::infinity());
}

/// [b, s] of bool: the slot holds no real token.
inline at::Tensor PaddedSlots(int32_t batch, int32_t seqlen, const int32_t* leftpad,
                              const int32_t* seqused) {
  at::Tensor padded = at::ones({batch, seqlen}, at::kBool);
  for (int32_t b = 0; b < batch; ++b) padded[b].narrow(0, leftpad[b], seqused[b]).fill_(false);
  return padded;
}
inline at::Tensor PaddedKeys(const AttentionArgs& args) {
  return PaddedSlots(args.batch, args.seqlen_k, args.leftpad_k, args.seqused_k);
}
inline at::Tensor PaddedQueries(const AttentionArgs& args) {
  return PaddedSlots(args.batch, args.seqlen_q, args.leftpad_q, args.seqused_q);
}

/// What a loss that skips padded queries sends back: d_o with zeros there. For modules that are
/// told of padded keys alone: what they compute at a padded query is the caller's to drop.
inline at::Tensor LossGradient(const AttentionArgs& args) {
  return View(args.d_o, args.dtype)
      .masked_fill(PaddedQueries(args).view({args.batch, 1, -1, 1}), 0.0);
}

/// [b, 1, q, k] of bool, True hides: as Keep says for real queries; padded ones see every real key,
/// so that their weights, which meet a zero gradient, are numbers.
inline at::Tensor Hidden(const AttentionArgs& args) {
  const at::Tensor padded_q = PaddedQueries(args).view({args.batch, 1, -1, 1});
  const at::Tensor padded_k = PaddedKeys(args).view({args.batch, 1, 1, -1});
  return at::where(padded_q, padded_k, Keep(args).logical_not());
}

/// [q, k] of bool, True hides: one mask for all sequences; undefined where they need different
/// ones. With `padding_told` it need not hide padded keys. Queries that are padded everywhere see
/// all.
inline at::Tensor SharedMask(const AttentionArgs& args, bool padding_told) {
  const at::Tensor keep = Keep(args), padded_q = PaddedQueries(args), padded_k = PaddedKeys(args);
  at::Tensor hidden = at::zeros({args.seqlen_q, args.seqlen_k}, at::kBool);
  at::Tensor known = at::zeros({args.seqlen_q, args.seqlen_k}, at::kBool);
  for (int32_t b = 0; b < args.batch; ++b) {
    at::Tensor matters = padded_q[b].logical_not().unsqueeze(1).expand_as(known);
    if (padding_told) matters = matters.logical_and(padded_k[b].logical_not().unsqueeze(0));
    const at::Tensor wanted = keep[b][0].logical_not();
    if (matters.logical_and(known).logical_and(wanted.ne(hidden)).any().item<bool>()) return {};
    hidden = at::where(matters, wanted, hidden);
    known = known.logical_or(matters);
  }
  return hidden;
}

/// Slots of Q and of K for what wants as many of both: a caller pads the shorter side.
inline int64_t SquareSlots(const AttentionArgs& args) {
  return std::max(args.seqlen_q, args.seqlen_k);
}

/// [b, h, s, d] with zeros in slots from its own to `slots`.
inline at::Tensor WithSlots(const at::Tensor& t, int64_t slots) {
  return at::constant_pad_nd(t, {0, 0, 0, slots - t.size(2)}, 0);
}

/// [.., q, k] or, without `queries`, [.., k], True hides: added keys are hidden, and added queries
/// see every key that is not.
inline at::Tensor SquareMask(const AttentionArgs& args, const at::Tensor& hidden, bool queries) {
  const int64_t slots = SquareSlots(args);
  const at::Tensor wide = at::constant_pad_nd(hidden, {0, slots - args.seqlen_k}, 1);
  if (!queries) return wide;
  return at::constant_pad_nd(wide, {0, 0, 0, slots - args.seqlen_q}, 0);
}

/// The mask types of _masked_softmax, by their numbers: one [L, L] for all sequences, [B, L], and
/// of the shape of the scores.
enum class MaskType : int64_t { src_mask = 0, key_padding = 1, generic = 2 };

/// What the first two types are told, of a square; undefined where one mask does not serve all.
inline at::Tensor SquareMaskOf(const AttentionArgs& args, MaskType type) {
  if (type == MaskType::key_padding) return SquareMask(args, PaddedKeys(args), /*queries=*/false);
  const at::Tensor shared = SharedMask(args, /*padding_told=*/false);
  return shared.defined() ? SquareMask(args, shared, /*queries=*/true) : shared;
}

/// Whether a padded query of a sequence that has keys sees none under `hidden`, of a shape that
/// broadcasts to [b, q, k]. Its weights are NaN then, and reach every key of the sequence although
/// its gradient is zero.
inline bool EmptiesPaddedQuery(const AttentionArgs& args, const at::Tensor& hidden) {
  const at::Tensor has_keys = PaddedKeys(args).logical_not().any(-1, /*keepdim=*/true);
  return hidden.all(-1).logical_and(PaddedQueries(args)).logical_and(has_keys).any().item<bool>();
}

/// Lets scaled_dot_product_attention choose one backend only, until the end of the scope.
class ForcedBackend {
 public:
  explicit ForcedBackend(at::SDPBackend backend)
      : flash_(at::globalContext().userEnabledFlashSDP()),
        math_(at::globalContext().userEnabledMathSDP()) {
    at::globalContext().setSDPUseFlash(backend == at::SDPBackend::flash_attention);
    at::globalContext().setSDPUseMath(backend == at::SDPBackend::math);
  }
  ~ForcedBackend() {
    at::globalContext().setSDPUseFlash(flash_);
    at::globalContext().setSDPUseMath(math_);
  }
  ForcedBackend(const ForcedBackend&) = delete;
  ForcedBackend& operator=(const ForcedBackend&) = delete;

 private:
  const bool flash_, math_;
};

/// Runs `body` on one thread. LibTorch says no by throwing; no call within the traits of these rows
/// is one that it may refuse, so an exception is a finding and its first line the reason.
template <class Body>
Status Guarded(Body body) {
  static const bool one_thread = (at::set_num_threads(1), true);
  static_cast<void>(one_thread);
  static thread_local char reason[256];
  try {
    return body();
  } catch (const c10::Error& error) {
    std::snprintf(reason, sizeof(reason), "%s", error.what_without_backtrace());
  } catch (const std::exception& error) {
    std::snprintf(reason, sizeof(reason), "%s", error.what());
  }
  *std::find(reason, reason + sizeof(reason) - 1, '\n') = '\0';
  return {StatusCode::failed, reason};
}

/// The door that users come through: scaled_dot_product_attention with one backend enabled. It
/// turns a bool mask into an additive one and answers empty tensors itself (zeros).
struct PublicDoor {
  at::SDPBackend backend;
  MaskForm form;  // boolean or additive

  Status Forward(const AttentionArgs& args) const {
    return Guarded([&]() -> Status {
      const ForcedBackend forced(backend);
      const at::NoGradGuard no_grad;
      const auto [q, k, v] = Inputs(args);
      const at::Tensor mask = AttentionMask(args, DenseBias(args));
      Store(Attend(args, q, k, v, mask), args.o, args.dtype);
      return kOk;
    });
  }

  /// By autograd: LibTorch runs its own forward again, and args.o and args.lse stay unread.
  Status Backward(const AttentionArgs& args) const {
    return Guarded([&]() -> Status {
      const ForcedBackend forced(backend);
      auto [q, k, v] = Inputs(args);
      at::Tensor bias = DenseBias(args);
      std::vector<at::Tensor> leaves{q, k, v};
      // Without a query the answer is made without the mask.
      if (args.dbias.data != nullptr && bias.numel() > 0) leaves.push_back(bias);
      for (at::Tensor& leaf : leaves) leaf.set_requires_grad(true);
      const auto gradients = torch::autograd::grad(
          {Attend(args, q, k, v, AttentionMask(args, bias))}, leaves, {View(args.d_o, args.dtype)});
      const at::NoGradGuard no_grad;
      StoreGradients(gradients, args);
      return kOk;
    });
  }

 private:
  static std::tuple<at::Tensor, at::Tensor, at::Tensor> Inputs(const AttentionArgs& args) {
    return {View(args.q, args.dtype), View(args.k, args.dtype), View(args.v, args.dtype)};
  }
  at::Tensor AttentionMask(const AttentionArgs& args, const at::Tensor& bias) const {
    return form == MaskForm::boolean ? BoolMask(args) : AdditiveMask(args, bias);
  }
  static at::Tensor Attend(const AttentionArgs& args, const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v, const at::Tensor& mask) {
    // The generator takes 32 bits of a seed, the lower ones.
    if (args.dropout_p > 0) at::manual_seed(args.dropout_seed ^ (args.dropout_seed >> 32));
    return at::scaled_dot_product_attention(q, k, v, mask, static_cast<double>(args.dropout_p),
                                            false, args.softmax_scale, args.heads_kv != args.heads);
  }
};

}  // namespace padproof::torch_sdpa
