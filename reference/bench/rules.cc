#include "reference/bench/rules.h"

#include <algorithm>
#include <cmath>

#include "harness/base/dtype.h"
#include "reference/rounding_model.h"

namespace padproof::reference {
namespace {

// ---- ours ---------------------------------------------------------------------------------------

bool DiffersWithPads(const Evidence& e) { return e.out != e.other_pad; }

bool OutsideBound(const Evidence& e) {
  const auto dim = static_cast<size_t>(e.head.dim);
  for (int i = 0; i < e.head.len_q; ++i) {
    const ForwardRow row = Forward(e.head, e.profile, i);
    if (!row.out_of_domain.empty()) continue;
    for (size_t c = 0; c < row.out.size(); ++c) {
      const uint32_t bits = e.out[static_cast<size_t>(i) * dim + c];
      if (Ratio(e.head.dtype, bits, row.out[c]) > 1) return true;
    }
  }
  return false;
}

bool Unexplained(const Evidence& e) {
  const Explanation best = ExplainForward(e.head, e.profile, e.out, /*first_slot=*/0);
  return best.judged && best.ratio > 1;
}

bool LseOutsideBound(const Evidence& e) {
  for (int i = 0; i < e.head.len_q; ++i) {
    const ForwardRow row = Forward(e.head, e.profile, i);
    if (!row.out_of_domain.empty()) continue;
    if (Ratio(Dtype::f32, e.lse[static_cast<size_t>(i)], row.lse) > 1) return true;
  }
  return false;
}

// ---- theirs -------------------------------------------------------------------------------------

struct Tolerance {
  double absolute, relative;
};

/// |out - reference| <= absolute + relative |reference| for all elements; NaN never is.
bool OutsideTolerance(const Evidence& e, const Tolerance (&of_dtype)[3]) {
  const Tolerance t = of_dtype[static_cast<size_t>(e.head.dtype)];
  for (size_t at = 0; at < e.out.size(); ++at) {
    const double error = std::fabs(Decode(e.head.dtype, e.out[at]) - e.reference[at]);
    if (!(error <= t.absolute + t.relative * std::fabs(e.reference[at]))) return true;
  }
  return false;
}

/// By Dtype: f32, f16, bf16.
constexpr Tolerance kAssertClose[] = {{1e-5, 1.3e-6}, {1e-5, 1e-3}, {1e-5, 1.6e-2}};
constexpr Tolerance kSdpa[] = {{1e-5, 1.3e-6}, {1e-3, 1e-3}, {1e-3, 1.6e-2}};
constexpr Tolerance kXformers[] = {{3e-4, 2e-5}, {4e-3, 4e-4}, {2e-2, 5e-3}};
constexpr Tolerance kTransformerEngine[] = {{1e-3, 1e-3}, {1e-3, 1e-3}, {1.5e-2, 1.5e-2}};
constexpr Tolerance kKernelBench[] = {{1e-4, 1e-4}, {1e-2, 1e-2}, {1e-2, 1e-2}};
constexpr Tolerance kGpucheck[] = {{1e-4, 1e-4}, {1e-2, 1e-2}, {5e-2, 5e-2}};

bool AssertClose(const Evidence& e) { return OutsideTolerance(e, kAssertClose); }
bool Sdpa(const Evidence& e) { return OutsideTolerance(e, kSdpa); }
bool Xformers(const Evidence& e) { return OutsideTolerance(e, kXformers); }
bool TransformerEngine(const Evidence& e) { return OutsideTolerance(e, kTransformerEngine); }
bool KernelBench(const Evidence& e) { return OutsideTolerance(e, kKernelBench); }
bool Gpucheck(const Evidence& e) { return OutsideTolerance(e, kGpucheck); }

/// The largest error is more than twice that of eager attention in the same type.
bool TwiceEager(const Evidence& e) {
  double mine = 0, eager = 0;
  for (size_t at = 0; at < e.out.size(); ++at) {
    const double error = std::fabs(Decode(e.head.dtype, e.out[at]) - e.reference[at]);
    if (std::isnan(error)) return true;
    mine = std::max(mine, error);
    eager = std::max(eager, std::fabs(e.eager[at] - e.reference[at]));
  }
  return mine > 2 * eager;
}

constexpr Rule kAll[kRules] = {
    {.name = "T0 pads",
     .source = "two pad contents, bitwise",
     .rejects = DiffersWithPads,
     .fails_kernels = true,
     .needs_pads = true},
    {.name = "T2",
     .source = "reference/rounding_model.h",
     .rejects = Unexplained,
     .only_16_bit = true},
    {.name = "T1",
     .source = "reference/derivations.md",
     .rejects = OutsideBound,
     .fails_kernels = true},
    {.name = "LSE",
     .source = "reference/derivations.md",
     .rejects = LseOutsideBound,
     .fails_kernels = true},
    {"close", "torch.testing.assert_close, defaults", AssertClose},
    {"SDPA", "pytorch test/test_transformers.py, defaults", Sdpa},
    {.name = "FA 2x",
     .source = "flash-attention tests/test_flash_attn.py",
     .rejects = TwiceEager,
     .only_16_bit = true},
    {"xformers", "AttentionFwOpBase.ERROR_ATOL, ERROR_RTOL", Xformers},
    {"TE", "TransformerEngine tests/pytorch/utils.py", TransformerEngine},
    {"KBench", "KernelBench src/kernelbench/eval.py", KernelBench},
    {"gpucheck", "Akasxh/gpucheck", Gpucheck},
};

}  // namespace

std::span<const Rule, kRules> Rules() { return kAll; }

}  // namespace padproof::reference
