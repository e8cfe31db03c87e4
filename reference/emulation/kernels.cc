#include "reference/emulation/kernels.h"

#include <algorithm>

namespace padproof::reference {
namespace {

constexpr Set<Dtype> k32 = SetOf(Dtype::f32), k16 = SetOf(Dtype::f16, Dtype::bf16);
constexpr Set<Dtype> kAll = Set<Dtype>::All();

constexpr double kUlp = 0x1p-24, kTanhApprox = 0x1p-11 - 2 * kUlp;

// Three passes: scores of the row, their softmax, P V.
constexpr NamedKernel kThreePass[] = {
    {{.name = "three_pass"}, kAll},
    {{.name = "three_pass_fma",
      .sum = Sum::fma,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .bias_first = true,
      .sink_first = true},
     kAll},
    {{.name = "three_pass_pairwise", .sum = Sum::pairwise, .exp_ulps = 2}, kAll},
    {{.name = "three_pass_lanes8", .sum = Sum::lanes8, .exp_ulps = 2, .log_ulps = 3}, kAll},
    {{.name = "three_pass_fast_exp", .exponential = Exponential::fast, .log_ulps = 3}, kAll},
    {{.name = "three_pass_normalised",
      .sum = Sum::fma,
      .exp_ulps = 2,
      .round_p = true,
      .normalise_p = true},
     kAll},
    {{.name = "three_pass_normalised_a100",
      .sum = Sum::tensor_core,
      .core = kA100Core,
      .exponential = Exponential::fast,
      .round_p = true,
      .normalise_p = true,
      .autograd = true},
     k16},
    {{.name = "autograd", .exp_ulps = 2, .autograd = true}, kAll},
    {{.name = "autograd_rounded_p",
      .sum = Sum::fma,
      .scaling = Scaling::folded,
      .round_p = true,
      .autograd = true},
     kAll},
};

// Online softmax on SIMT lanes.
constexpr NamedKernel kOnline[] = {
    {{.name = "online_scalar", .tile = 1, .exp_ulps = 2}, kAll},
    {{.name = "online_scalar_worst",
      .tile = 1,
      .exp_ulps = 2,
      .noise = Noise::by_value,
      .tanh_error = 4 * kUlp,
      .sink_shifts = false},
     kAll},
    {{.name = "online_4_fma_ftz",
      .tile = 4,
      .sum = Sum::fma,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .flush = true,
      .bias_first = true,
      .sink_first = true},
     kAll},
    {{.name = "online_16_ftz", .tile = 16, .flush = true}, kAll},
    {{.name = "online_1_reverse_fma",
      .tile = 1,
      .reverse = true,
      .sum = Sum::fma,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .fused_rescale = true,
      .bias_first = true,
      .sink_shifts = false,
      .drop_late = true},
     kAll},
    {{.name = "flash_16", .tile = 16, .exp_ulps = 2, .round_p = true, .drop_late = true}, kAll},
    {{.name = "flash_32_up",
      .tile = 32,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .noise = Noise::up,
      .round_p = true},
     kAll},
    {{.name = "flash_64_worst",
      .tile = 64,
      .sum = Sum::fma,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .log_ulps = 3,
      .noise = Noise::by_value,
      .flush = true,
      .round_p = true,
      .scattered = true,
      .tanh_error = 4 * kUlp,
      .bias_first = true,
      .sink_first = true,
      .drop_late = true},
     kAll},
    {{.name = "flash_128_lanes8", .tile = 128, .sum = Sum::lanes8, .exp_ulps = 2, .round_p = true},
     kAll},
    {{.name = "flash_32_reverse_fast",
      .tile = 32,
      .reverse = true,
      .exponential = Exponential::fast,
      .round_p = true},
     kAll},
    {{.name = "flash_4_rounded_sum",
      .tile = 4,
      .exp_ulps = 2,
      .round_p = true,
      .sum_rounded = true},
     k16},
    {{.name = "flash_64_rounded_sum",
      .tile = 64,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .noise = Noise::by_value,
      .round_p = true,
      .sum_rounded = true},
     k16},
    {{.name = "flash_64_scaled_q",
      .tile = 64,
      .sum = Sum::fma,
      .scaling = Scaling::q_in_fp32,
      .exp_ulps = 2,
      .round_p = true,
      .bias_first = true,
      .sink_first = true},
     kAll},
    {{.name = "flash_64_fp32_p", .tile = 64, .sum = Sum::fma, .exp_ulps = 2}, k16},
    {{.name = "flash_16_lag",
      .tile = 16,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .log_ulps = 3,
      .round_p = true,
      .lag = 8,
      .sink_shifts = false},
     kAll},
    {{.name = "online_1_lag_worst",
      .tile = 1,
      .exp_ulps = 2,
      .log_ulps = 3,
      .noise = Noise::by_value,
      .lag = 8},
     kAll},
    {{.name = "torch_cpu", .tile = 32, .exp_ulps = 20, .noise = Noise::by_value}, k32},
};

// Several softmaxes merged.
constexpr NamedKernel kSplit[] = {
    {{.name = "lanes_3", .tile = 1, .lanes = 3, .exp_ulps = 2}, kAll},
    {{.name = "lanes_8_fma",
      .tile = 1,
      .lanes = 8,
      .sum = Sum::fma,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .noise = Noise::by_value,
      .tanh_error = 4 * kUlp,
      .sink_first = true},
     kAll},
    {{.name = "split_3",
      .tile = 16,
      .splits = 3,
      .sum = Sum::fma,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .round_p = true},
     kAll},
    {{.name = "split_3_by_lse",
      .tile = 16,
      .splits = 3,
      .combine = Combine::by_lse,
      .sum = Sum::fma,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .log_ulps = 3,
      .round_p = true},
     kAll},
    {{.name = "split_3_by_lse_worst",
      .tile = 1,
      .splits = 3,
      .combine = Combine::by_lse,
      .exp_ulps = 2,
      .log_ulps = 3,
      .noise = Noise::up},
     kAll},
};

// 16-bit tensor cores, and fp32 through TF32.
constexpr NamedKernel kTensor[] = {
    {{.name = "flash_64_a100",
      .tile = 64,
      .sum = Sum::tensor_core,
      .core = kA100Core,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .log_ulps = 3,
      .flush = true,
      .round_p = true,
      .scattered = true,
      .tanh_error = kTanhApprox,
      .sink_shifts = false,
      .drop_late = true},
     k16},
    {{.name = "flash_16_a100_worst",
      .tile = 16,
      .sum = Sum::tensor_core,
      .core = kA100Core,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .noise = Noise::by_value,
      .round_p = true,
      .tanh_error = kTanhApprox,
      .sink_first = true},
     k16},
    {{.name = "flash_128_h100",
      .tile = 128,
      .sum = Sum::tensor_core,
      .core = kH100Core,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .log_ulps = 3,
      .round_p = true,
      .expand_gradients = true,
      .tanh_error = kTanhApprox,
      .bias_first = true},
     k16},
    {{.name = "flash_64_h100_split",
      .tile = 64,
      .splits = 3,
      .combine = Combine::by_lse,
      .sum = Sum::tensor_core,
      .core = kH100Core,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .log_ulps = 3,
      .round_p = true},
     k16},
    {{.name = "flash_32_v100",
      .tile = 32,
      .sum = Sum::tensor_core,
      .core = kV100Core,
      .exponential = Exponential::fast,
      .round_p = true},
     k16},
    {{.name = "fa4",
      .tile = 64,
      .sum = Sum::tensor_core,
      .core = kH100Core,
      .scaling = Scaling::folded,
      .exponential = Exponential::cubic,
      .exp_ulps = 2,
      .log_ulps = 3,
      .round_p = true,
      .lag = 8,
      .sink_first = true,
      .drop_late = true},
     k16},
    {{.name = "cubic_exp",
      .tile = 16,
      .sum = Sum::fma,
      .exponential = Exponential::cubic,
      .exp_ulps = 2},
     kAll},
    {{.name = "scaled_q16",
      .tile = 16,
      .scaling = Scaling::q_in_storage,
      .exp_ulps = 2,
      .round_p = true},
     k16},
    {{.name = "eager16",
      .scaling = Scaling::q_in_storage,
      .exp_ulps = 2,
      .round_p = true,
      .normalise_p = true,
      .store_scores = true,
      .autograd = true},
     k16},
    {{.name = "eager16_a100",
      .sum = Sum::tensor_core,
      .core = kA100Core,
      .scaling = Scaling::q_in_storage,
      .exponential = Exponential::fast,
      .round_p = true,
      .normalise_p = true,
      .store_scores = true,
      .autograd = true},
     k16},
    {{.name = "tf32_nearest",
      .tile = 64,
      .sum = Sum::tensor_core,
      .core = kA100Tf32Core,
      .tf32 = Tf32Rounding::nearest,
      .scaling = Scaling::folded,
      .exp_ulps = 2},
     k32},
    {{.name = "tf32_nearest_simt",
      .tile = 1,
      .tf32 = Tf32Rounding::nearest,
      .exp_ulps = 2,
      .noise = Noise::by_value},
     k32},
    {{.name = "tf32_truncated",
      .tile = 64,
      .sum = Sum::tensor_core,
      .core = kH100Tf32Core,
      .tf32 = Tf32Rounding::truncated,
      .scaling = Scaling::folded,
      .exp_ulps = 2,
      .scattered = true},
     k32},
};

constexpr size_t kKernels =
    std::size(kThreePass) + std::size(kOnline) + std::size(kSplit) + std::size(kTensor);

std::array<NamedKernel, kKernels> Joined() {
  std::array<NamedKernel, kKernels> all;
  auto at = all.begin();
  at = std::copy(std::begin(kThreePass), std::end(kThreePass), at);
  at = std::copy(std::begin(kOnline), std::end(kOnline), at);
  at = std::copy(std::begin(kSplit), std::end(kSplit), at);
  std::copy(std::begin(kTensor), std::end(kTensor), at);
  return all;
}

}  // namespace

std::span<const NamedKernel> EmulatedKernels() {
  static const auto all = Joined();
  return all;
}

const NamedKernel* FindEmulatedKernel(std::string_view name) {
  for (const NamedKernel& kernel : EmulatedKernels()) {
    if (name == kernel.emulation.name) return &kernel;
  }
  return nullptr;
}

NumericsProfile ProfileOf(const Emulation& e, Dtype dtype) {
  NumericsProfile profile;
  profile.tile_keys = e.tile > 0 ? e.tile : 1 << 20;
  profile.split = e.lanes > 1 || e.splits > 1 ? 1 : 0;
  profile.max_lag = e.lag;
  if (e.round_p && dtype != Dtype::f32) {
    profile.p_rounding = UnitRoundoffOf(dtype);
    profile.p_underflow = UnderflowOf(dtype);
    profile.row_sum_of_rounded_p = e.sum_rounded ? 1 : 0;
  }
  if (e.sum == Sum::tensor_core) {
    profile.tensor_block = e.core.block;
    profile.tensor_extra_bits = e.core.extra_bits;
  }
  if (e.tf32 != Tf32Rounding::none) {
    const NumericsProfile tf32 = Tf32(e.tf32 == Tf32Rounding::truncated);
    profile.operand_rounding = tf32.operand_rounding;
    profile.p_underflow = tf32.p_underflow;
  }
  if (e.scaling == Scaling::q_in_storage) profile.qk_scale_rounding = UnitRoundoffOf(dtype);
  if (e.store_scores) profile.score_rounding = UnitRoundoffOf(dtype);
  if (e.exponential == Exponential::cubic) profile.exp_error = Fa4(dtype).exp_error;
  profile.tanh_error = std::max(profile.tanh_error, e.tanh_error + 2 * kUlp);
  profile.expanded_gradients = e.expand_gradients ? 1 : 0;
  if (e.exp_ulps > 2) profile.exp_error = (2 * e.exp_ulps + 1) * 0x1p-24;
  return profile;
}

NumericsProfile ProfileInOrder(const Emulation& e, Dtype dtype) {
  NumericsProfile profile = ProfileOf(e, dtype);
  const bool strides = e.lanes > 1 || e.sum == Sum::lanes8;
  if (!strides) profile.in_order_keys = e.tile > 0 ? e.tile : 16;
  return profile;
}

}  // namespace padproof::reference
