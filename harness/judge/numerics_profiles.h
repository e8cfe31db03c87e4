// What families of real kernels declare: named numerics profiles, so that a row says `V100(dtype)`
// and not nine numbers. Each is the weakest statement that is true of its family; a kernel that
// knows better about itself states its own fields.

#pragma once

#include "harness/judge/kernel.h"

namespace padproof {

/// How a tensor core adds: `block` exact products aligned to the largest with `extra_bits` beyond
/// fp32, cut off, accumulated and cut off again. Measured bit by bit by Fasi, Higham, Mikaitis and
/// Pranesh (PeerJ CS 2021) and Khattak and Mikaitis (arXiv 2512.07004).
struct TensorCore {
  int32_t block = 0;
  int32_t extra_bits = 0;
};
inline constexpr TensorCore kV100Core{4, 0};
inline constexpr TensorCore kA100Core{8, 1};
inline constexpr TensorCore kH100Core{16, 2};
inline constexpr TensorCore kA100Tf32Core{4, 1};
inline constexpr TensorCore kH100Tf32Core{8, 2};

constexpr double UnitRoundoffOf(Dtype dtype) {
  return dtype == Dtype::f32 ? 0x1p-24 : dtype == Dtype::f16 ? 0x1p-11 : 0x1p-8;
}
/// Half the smallest subnormal.
constexpr double UnderflowOf(Dtype dtype) {
  return dtype == Dtype::f32 ? 0x1p-150 : dtype == Dtype::f16 ? 0x1p-25 : 0x1p-134;
}

/// fp32 between load and store, any tiling, order and split of the keys; no TF32.
constexpr NumericsProfile Generic32() { return {.split = 1, .expanded_gradients = 1}; }

/// f16 or bf16 with P rounded once to storage, fp32 sums by SIMT lanes or tensor cores of sm_80 and
/// later (A100's bound is the larger), any tiling, order and split.
constexpr NumericsProfile Generic16(Dtype dtype) {
  return {.p_rounding = UnitRoundoffOf(dtype),
          .p_underflow = UnderflowOf(dtype),
          .split = 1,
          .row_sum_of_rounded_p = 1,
          .tensor_block = kA100Core.block,
          .tensor_extra_bits = kA100Core.extra_bits,
          .expanded_gradients = 1};
}

/// The same on V100, whose tensor cores keep no extra bits.
constexpr NumericsProfile V100(Dtype dtype) {
  NumericsProfile profile = Generic16(dtype);
  profile.tensor_block = kV100Core.block;
  profile.tensor_extra_bits = kV100Core.extra_bits;
  return profile;
}

/// fp32 whose matrix products run through TF32, both factors rounded to nearest (2^-11 each) or cut
/// off (2^-10 each). A weight below 2^-126 loses up to a TF32 subnormal, 2^-136.
constexpr NumericsProfile Tf32(bool truncated = false) {
  return {.p_underflow = 0x1p-136,
          .split = 1,
          .tensor_block = kA100Tf32Core.block,
          .tensor_extra_bits = kA100Tf32Core.extra_bits,
          .operand_rounding = truncated ? 0x1p-9 : 0x1p-10};
}

/// Eager PyTorch in 16 bit: Q scaled in storage, scores and P stored between the steps.
constexpr NumericsProfile Eager16(Dtype dtype) {
  return {.p_rounding = UnitRoundoffOf(dtype),
          .p_underflow = UnderflowOf(dtype),
          .score_rounding = UnitRoundoffOf(dtype),
          .qk_scale_rounding = UnitRoundoffOf(dtype),
          .tile_keys = 1 << 20,
          .tensor_block = kA100Core.block,
          .tensor_extra_bits = kA100Core.extra_bits};
}

/// FlashAttention-4: part of the exponentials by a cubic (8.8e-5), the maximum lagging by up to
/// 2^8.
constexpr NumericsProfile Fa4(Dtype dtype) {
  NumericsProfile profile = Generic16(dtype);
  profile.exp_error = 9e-5;
  profile.tile_keys = 64;
  profile.max_lag = 8;
  return profile;
}

/// The relative error of PyTorch's vector exponential on a CPU, exp_u20 of SLEEF: 20 ulp and the
/// half of a rounding (pytorch/pytorch#115151).
inline constexpr double kExpU20 = 41 * 0x1p-24;

/// PyTorch's flash kernel on the CPU, fp32.
constexpr NumericsProfile TorchCpu() { return {.exp_error = kExpU20, .tile_keys = 512}; }

}  // namespace padproof
