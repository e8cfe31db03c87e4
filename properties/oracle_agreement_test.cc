// Kernels that round P: a usual tiling is explained, another one holds but is reported as
// unexplained, and so is a leak that the generic bound cannot see.

#include <gtest/gtest.h>

#include "harness/judge/problem.h"
#include "harness/judge/property.h"
#include "reference/emulation/kernel.h"
#include "reference/emulation/kernels.h"

namespace padproof {
namespace {

using reference::Emulation;

/// Visible keys of query i, as the case's geometry has them, plus `more`.
reference::Head HeadOf(const AttentionArgs& args, int b, int h, int more) {
  reference::Head head{.len_q = args.seqused_q[b],
                       .len_k = args.seqused_k[b] + more,
                       .dim = args.dim,
                       .dim_v = args.dim,
                       .dtype = args.dtype,
                       .scale = static_cast<double>(args.softmax_scale)};
  const auto read = [&](const Tensor& t, int rows, int first) {
    std::vector<double> values;
    for (int i = 0; i < rows; ++i) {
      for (int d = 0; d < args.dim; ++d) {
        const int64_t at = b * t.stride[0] + h * t.stride[1] + (first + i) * t.stride[2] + d;
        values.push_back(Decode(args.dtype, static_cast<const uint16_t*>(t.data)[at]));
      }
    }
    return values;
  };
  head.visible.assign(static_cast<size_t>(head.len_q), {0, head.len_k});
  head.q = read(args.q, head.len_q, args.leftpad_q[b]);
  head.k = read(args.k, head.len_k, args.leftpad_k[b]);
  head.v = read(args.v, head.len_k, args.leftpad_k[b]);
  return head;
}

/// A kernel for bf16 and unmasked cases that computes as `e` and reads `kLeak` pads as keys.
template <int kTile, int kLeak>
Status Launch(const AttentionArgs& args) {
  const Emulation e{.name = "rounded", .tile = kTile, .round_p = true};
  for (int b = 0; b < args.batch; ++b) {
    for (int h = 0; h < args.heads; ++h) {
      const reference::Head head = HeadOf(args, b, h, kLeak);
      reference::EmulatedKernel kernel(e, head, 1);
      for (int i = 0; i < head.len_q; ++i) {
        const auto row = kernel.Forward(i);
        for (int d = 0; d < args.dim; ++d) {
          const int64_t at = b * args.o.stride[0] + h * args.o.stride[1] +
                             (args.leftpad_q[b] + i) * args.o.stride[2] + d;
          static_cast<uint16_t*>(args.o.data)[at] =
              static_cast<uint16_t>(row.out[static_cast<size_t>(d)]);
        }
      }
    }
  }
  return kOk;
}

Verdict VerdictOf(LaunchFunction forward, const char* line) {
  const Emulation e{.name = "rounded", .tile = 16, .round_p = true};
  KernelRow row{
      .name = "emulated",
      .backend = "cpu",
      .file = __FILE__,
      .summary = "",
      .source = "",
      .traits = {.dtypes = SetOf(Dtype::bf16), .numerics = reference::ProfileOf(e, Dtype::bf16)},
      .forward = forward};
  const auto c = Parse(line);
  EXPECT_TRUE(c) << line;
  return Judge(*FindProperty("oracle_agreement"), row, *c);
}

TEST(OracleAgreement, SaysWhatNoUsualTilingExplains) {
  const char* line = "lens_q=8 lens_k=128 pad_k=1 dim=64 dtype=bf16";
  EXPECT_EQ(VerdictOf(Launch<64, 0>, line).outcome, Outcome::holds);
  EXPECT_EQ(VerdictOf(Launch<16, 0>, line).outcome, Outcome::holds);
  const Verdict tiling = VerdictOf(Launch<23, 0>, line);
  EXPECT_EQ(tiling.outcome, Outcome::unexplained);
  EXPECT_NE(tiling.reason.find("times off the nearest tiling"), std::string::npos) << tiling.reason;
  ASSERT_EQ(tiling.closeness.size(), 1u);
  EXPECT_EQ(tiling.closeness[0].region, "out");
  EXPECT_LE(tiling.closeness[0].worst, 1);
  EXPECT_EQ(tiling.closeness[0].elements, 8 * 64);
  // One zero key of 129: the generic bound allows for it.
  EXPECT_EQ(VerdictOf(Launch<64, 1>, line).outcome, Outcome::unexplained);
}

}  // namespace
}  // namespace padproof
