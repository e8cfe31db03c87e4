// The door of the kernels of this folder: what a call is refused for, how a grid is launched, and
// what the rows take and promise in common.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "harness/judge/kernel.h"
#include "kernels/flash_common.cuh"

namespace padproof::flash {
namespace {  // as in flash_common.cuh

inline bool HasShape(const Tensor& t, int64_t b, int64_t h, int64_t s, int64_t d) {
  const bool same = t.size[0] == b && t.size[1] == h && t.size[2] == s && t.size[3] == d;
  return same && (t.data != nullptr || b * h * s * d == 0);
}

/// Lengths may live on the device; a checked entry point reads them all the same.
inline bool ReadLengths(int32_t* to, const int32_t* from, int32_t count) {
  if (from == nullptr) return false;
  const size_t bytes = static_cast<size_t>(count) * sizeof(int32_t);
#if defined(__CUDACC__)
  return cudaMemcpy(to, from, bytes, cudaMemcpyDefault) == cudaSuccess;
#else
  std::memcpy(to, from, bytes);
  return true;
#endif
}

/// Packed: sequences lie in order inside the buffer, and each fits before the next one.
inline bool OffsetsFit(const int32_t* used, const int32_t* cu_seqlens, int32_t batch,
                       int32_t longest, int64_t slots) {
  int32_t at = 0, next = 0, len = 0;
  if (!ReadLengths(&at, cu_seqlens, 1) || at < 0 || at > slots) return false;
  for (int32_t b = 0; b < batch; ++b) {
    if (!ReadLengths(&next, cu_seqlens + b + 1, 1) || !ReadLengths(&len, used + b, 1)) return false;
    if (next < at || next > slots || len < 0 || len > longest || len > next - at) return false;
    at = next;
  }
  return true;
}

inline bool LengthsFit(const int32_t* used, const int32_t* leftpad, int32_t batch, int32_t seqlen) {
  constexpr int32_t kChunk = 64;
  int32_t lens[kChunk], lefts[kChunk];
  for (int32_t b = 0; b < batch; b += kChunk) {
    const int32_t count = batch - b < kChunk ? batch - b : kChunk;
    if (!ReadLengths(lens, used + b, count) || !ReadLengths(lefts, leftpad + b, count))
      return false;
    for (int32_t n = 0; n < count; ++n) {
      if (lens[n] < 0 || lefts[n] < 0 || lens[n] > seqlen || lefts[n] > seqlen - lens[n]) {
        return false;
      }
    }
  }
  return true;
}

/// What only some kernels take.
struct Takes {
  bool dropout = false;
  bool pages = false;  // K and V are pages, whose table the caller checks
};

// Each of these is null, or why a call is refused.

inline const char* RefusalOfSizes(const AttentionArgs& a) {
  if (a.batch < 0 || a.heads < 0 || a.seqlen_q < 0 || a.seqlen_k < 0) return "a size is negative";
  if (a.batch > 65535 || a.heads > 65535) return "batch and heads must be at most 65535";
  if (a.dim < 1 || a.dim > kMaxDim || a.dim_v < 1 || a.dim_v > kMaxDim) {
    return "the head dims must be from 1 to 256";
  }
  if (a.heads > 0 && (a.heads_kv < 1 || a.heads % a.heads_kv != 0)) {
    return "heads_kv must divide heads";
  }
  return nullptr;
}

inline const char* RefusalOfOptions(const AttentionArgs& a, Takes takes) {
  if (static_cast<uint32_t>(a.dtype) > 2u) return "the dtype must be f32, f16 or bf16";
  if (static_cast<uint32_t>(a.mask) > 4u) return "the mask must be none, causal or a window";
  if (IsWindow(a.mask) && (a.window_left < -1 || a.window_right < -1)) {
    return "a window reaches -1 (no bound), 0 or more keys";
  }
  if (!(a.softcap >= 0)) return "softcap must be 0 (none) or positive";
  if (!(a.dropout_p >= 0 && a.dropout_p < 1)) return "dropout_p must be 0 (none) or below 1";
  if (a.dropout_p > 0 && !takes.dropout) return "takes no dropout";
  if (static_cast<uint32_t>(a.mask_form) > 2u) return "mask_form is unknown";
  if (takes.pages != (a.page_size != 0)) {
    return takes.pages ? "page_size must be 1 or more"
                       : "K and V in pages need a kernel that takes them";
  }
  if ((a.cu_seqlens_q != nullptr) != (a.cu_seqlens_k != nullptr)) {
    return "cu_seqlens_q and cu_seqlens_k go together";
  }
  return nullptr;
}

inline const char* RefusalOfMasks(const AttentionArgs& a) {
  const bool has_mask = a.mask_form != MaskForm::lengths;
  if (has_mask && (a.mask != Mask::none || a.alibi_slopes != nullptr)) {
    return "a mask tensor tells of all pairs: no causal mask, window or ALiBi beside it";
  }
  if (has_mask && !HasShape(a.attn_mask, a.batch, a.heads, a.seqlen_q, a.seqlen_k)) {
    return "attn_mask is null or has another shape";
  }
  const bool packed = a.cu_seqlens_q != nullptr;
  if (packed && has_mask) return "a mask tensor is for padded layouts";
  const bool has_bias = a.attn_bias.data != nullptr;
  if (has_bias && (packed || has_mask)) {
    return "attn_bias is for padded layouts, and a mask tensor holds its own";
  }
  if (has_bias && !HasShape(a.attn_bias, a.batch, a.heads, a.seqlen_q, a.seqlen_k)) {
    return "attn_bias has another shape";
  }
  if (a.dbias.data != nullptr &&
      (!has_bias || !HasShape(a.dbias, a.batch, a.heads, a.seqlen_q, a.seqlen_k))) {
    return "dbias has another shape than attn_bias";
  }
  return nullptr;
}

inline const char* RefusalOfTensors(const AttentionArgs& a, bool backward, bool pages) {
  const bool packed = a.cu_seqlens_q != nullptr;
  const int64_t batch = packed ? 1 : a.batch;
  const int64_t entries_k = pages ? a.k.size[0] : batch;
  const int64_t slots_q = packed ? a.q.size[2] : a.seqlen_q;
  const int64_t slots_k = packed ? a.k.size[2] : pages ? a.page_size : a.seqlen_k;
  const auto is_q = [&](const Tensor& t, int32_t dim) {
    return HasShape(t, batch, a.heads, slots_q, dim);
  };
  const auto is_k = [&](const Tensor& t, int32_t dim) {
    return HasShape(t, entries_k, a.heads_kv, slots_k, dim);
  };
  if (!is_q(a.q, a.dim) || !is_k(a.k, a.dim) || !is_k(a.v, a.dim_v)) {
    return "q, k or v is null or has another shape";
  }
  if (!is_q(a.o, a.dim_v) || !is_q(a.lse, 1)) {
    return "o or lse is null or has another shape";
  }
  if (backward &&
      (!is_q(a.d_o, a.dim_v) || !is_q(a.dq, a.dim) || !is_k(a.dk, a.dim) || !is_k(a.dv, a.dim_v))) {
    return "d_o, dq, dk or dv is null or has another shape";
  }
  if (backward && a.workspace == nullptr && a.batch > 0 && a.heads > 0 && a.seqlen_q > 0) {
    return "the workspace is null";
  }
  return nullptr;
}

inline const char* RefusalOfLengths(const AttentionArgs& a) {
  if (a.cu_seqlens_q != nullptr) {
    const bool fit = OffsetsFit(a.seqused_q, a.cu_seqlens_q, a.batch, a.seqlen_q, a.q.size[2]) &&
                     OffsetsFit(a.seqused_k, a.cu_seqlens_k, a.batch, a.seqlen_k, a.k.size[2]);
    return fit ? nullptr : "cu_seqlens must not decrease, leave the buffer or overlap seqused";
  }
  if (!LengthsFit(a.seqused_q, a.leftpad_q, a.batch, a.seqlen_q)) {
    return "seqused_q and leftpad_q must be given, not negative, and fit into seqlen_q";
  }
  if (!LengthsFit(a.seqused_k, a.leftpad_k, a.batch, a.seqlen_k)) {
    return "seqused_k and leftpad_k must be given, not negative, and fit into seqlen_k";
  }
  return nullptr;
}

inline const char* Refusal(const AttentionArgs& a, bool backward, Takes takes) {
  if (a.struct_size != sizeof(AttentionArgs)) return "struct_size is not that of AttentionArgs";
  const char* why = RefusalOfSizes(a);
  if (why == nullptr) why = RefusalOfOptions(a, takes);
  if (why == nullptr) why = RefusalOfMasks(a);
  if (why == nullptr) why = RefusalOfTensors(a, backward, takes.pages);
  if (why == nullptr) why = RefusalOfLengths(a);
  return why;
}

/// Calls f with a value of the storage type.
template <class F>
Status WithStorage(Dtype dtype, F f) {
  if (dtype == Dtype::f16) return f(__half{});
  if (dtype == Dtype::bf16) return f(__nv_bfloat16{});
  return f(0.f);
}

/// A grid of one block per tile, head and sequence; an empty grid is no launch.
template <class Tile, class... P, class... A>
Status LaunchTiles(void (*kernel)(P...), const AttentionArgs& args, int seqlen, int heads,
                   size_t floats, A... a) {
  const int tiles = seqlen / Tile::kRows + (seqlen % Tile::kRows != 0 ? 1 : 0);
  if (tiles == 0 || heads == 0 || args.batch == 0) return kOk;
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(heads),
                  static_cast<unsigned>(args.batch));
  constexpr size_t kAlwaysAllowed = 48 * 1024;
  const size_t bytes = floats * sizeof(float);
  cudaError_t error =
      bytes > kAlwaysAllowed ? simt::AllowDynamicShared(kernel, bytes) : cudaSuccess;
  if (error == cudaSuccess) {
    error = simt::launch(kernel, grid, dim3(Tile::kThreads), bytes, nullptr, a...);
  }
  return error == cudaSuccess ? kOk : Status{StatusCode::failed, simt::ErrorText(error)};
}

constexpr const char* kPackedSource =
    "flash_attn_varlen_func: slots that no sequence uses are not written "
    "(Dao-AILab/flash-attention)";

/// A packed buffer: what lies between sequences and beyond the last one stays untouched.
constexpr KernelTraits Packed(KernelTraits traits) {
  traits.layouts = SetOf(Layout::thd);
  traits.pad_sides = Set<PadSide>::All();
  traits.mask_forms = SetOf(MaskForm::lengths);
  traits.biases = SetOf(Bias::none, Bias::alibi);
  traits.promises.pad_outputs = PadOutputs::untouched;
  return traits;
}

constexpr KernelTraits TraitsOf(int tile_q, int tile_k, bool returns_lse) {
  KernelTraits traits;
  traits.dtypes = Set<Dtype>::All();
  traits.layouts = SetOf(Layout::bhsd, Layout::bshd);
  traits.strides = Set<Strides>::All();
  traits.masks = Set<Mask>::All();
  traits.mask_forms = Set<MaskForm>::All();
  traits.biases = Set<Bias>::All();
  traits.features = SetOf(Feature::gqa, Feature::dim_v, Feature::scale, Feature::softcap,
                          Feature::sink, Feature::dbias);
  traits.pad_sides = SetOf(PadSide::right, PadSide::left, PadSide::around);
  traits.dim_max = kMaxDim;
  traits.tile_q = tile_q;
  traits.tile_k = tile_k;
  traits.returns_lse = returns_lse ? 1 : 0;
  traits.promises.refusals = Refusals::none;
  traits.promises.bad_input = BadInput::refused;
  // One rescale a tile; scores and O are sums in the order of dims and keys; expf(score - shift).
  traits.numerics.tile_keys = tile_k;
  traits.numerics.in_order_keys = tile_k;
  traits.numerics.stored_scores = 1;
  return traits;
}

/// And what only some of the kernels have.
constexpr KernelTraits With(Feature feature, KernelTraits traits) {
  traits.features.bits |= SetOf(feature).bits;
  return traits;
}

}  // namespace
}  // namespace padproof::flash
