// One case of a sweep: how it is drawn, which launches it makes, and what is asked of them. Knows
// no reference: results are judged by the laws; here the tools inside the kernel are the judges.
//
// For MemorySanitizer the promises of a kernel's row become marks on memory. Outputs and workspace
// are unwritten before a launch and written after it; pads of inputs that may hold any bits are
// unwritten too, so that no pad may decide a branch, an address or a bit of the result, whatever it
// holds. Included by sweep_main.cc only.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/random.h"
#include "harness/case/case.h"
#include "harness/case/generate.h"
#include "harness/drivers/loaded_kernels.h"
#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"
#include "harness/simt/runtime/sanitizer.h"

namespace padproof {
namespace {

inline Domain DomainOf(const KernelRow& row) { return DomainOf(Describe(row, "")); }

/// Case `index` of the stream `seed` for `row`: any size, a random schedule.
inline Case DrawSweepCase(const KernelRow& row, uint64_t seed, uint64_t index) {
  Random random(HashOf({seed, HashOf(std::string_view(row.name)), index}));
  Case c = Generate(DomainOf(row), random, static_cast<int>(index % 101));
  c.schedule.order = Order::random;
  c.schedule.seed = static_cast<uint32_t>(random.Next());
  return c;
}

struct NamedTensor {
  Operand op;
  const Tensor& tensor;
};

/// Whether an element is of real tokens; packed, one entry holds all sequences, paged, a page of K
/// and V.
inline bool IsRealElement(const Problem& problem, Operand op, int entry, int slot, int d) {
  const Case& c = problem.c();
  if (c.paged() && !HasQueryRows(op)) return problem.IsRealInPage(entry, slot);
  if (!c.packed()) return problem.IsReal(op, entry, slot, d);
  for (int b = 0; b < c.batch(); ++b) {
    const Region region = HasQueryRows(op) ? RegionQ(c, b) : RegionK(c, b);
    const int at = slot - region.begin;
    if (at >= 0 && at < region.slots && problem.IsReal(op, b, at)) return true;
  }
  return false;
}

/// Calls function(real?, address, bytes) for each element.
template <class Function>
void ForEachElement(const Problem& problem, const NamedTensor& named, Function function) {
  const Tensor& t = named.tensor;
  const size_t element = SizeOf(problem.DtypeOf(named.op));
  for (int b = 0; b < t.size[0]; ++b) {
    for (int64_t h = 0; h < t.size[1]; ++h) {
      for (int s = 0; s < t.size[2]; ++s) {
        for (int d = 0; d < t.size[3]; ++d) {
          const int64_t at = b * t.stride[0] + h * t.stride[1] + s * t.stride[2] + d * t.stride[3];
          function(IsRealElement(problem, named.op, b, s, d),
                   static_cast<const char*>(t.data) + at * static_cast<int64_t>(element), element);
        }
      }
    }
  }
}

inline std::vector<NamedTensor> InputsOf(const AttentionArgs& a, bool backward) {
  std::vector<NamedTensor> inputs{{Operand::q, a.q}, {Operand::k, a.k}, {Operand::v, a.v}};
  if (a.attn_bias.data != nullptr) inputs.push_back({Operand::bias, a.attn_bias});
  if (!backward) return inputs;
  for (const NamedTensor& stored : {NamedTensor{Operand::o, a.o}, NamedTensor{Operand::lse, a.lse},
                                    NamedTensor{Operand::d_o, a.d_o}}) {
    inputs.push_back(stored);
  }
  return inputs;
}

inline std::vector<NamedTensor> OutputsOf(const KernelRow& row, const AttentionArgs& a,
                                          bool backward) {
  if (backward) {
    std::vector<NamedTensor> gradients{
        {Operand::dq, a.dq}, {Operand::dk, a.dk}, {Operand::dv, a.dv}};
    const bool has_dbias = a.dbias.data != nullptr && row.traits.features.Has(Feature::dbias);
    if (has_dbias) gradients.push_back({Operand::dbias, a.dbias});
    return gradients;
  }
  if (row.traits.returns_lse == 0) return {{Operand::o, a.o}};
  return {{Operand::o, a.o}, {Operand::lse, a.lse}};
}

/// What tells a kernel of lengths, masks and biases: written, all of it.
inline void MarkTables(const AttentionArgs& args) {
  for (int b = 0; b < args.batch; ++b) {
    for (int n = 0; n < args.max_pages; ++n) {  // what leads nowhere may decide nothing
      const int32_t* entry = args.block_table + b * args.max_pages + n;
      n* args.page_size < args.seqused_k[b] ? simt::MarkWritten(entry, sizeof *entry)
                                            : simt::MarkUnwritten(entry, sizeof *entry);
    }
  }
  const auto mark = [](const auto* table, int32_t count) {
    if (table != nullptr) simt::MarkWritten(table, static_cast<size_t>(count) * sizeof *table);
  };
  for (const int32_t* lengths : {args.seqused_q, args.seqused_k, args.leftpad_q, args.leftpad_k}) {
    mark(lengths, args.batch);
  }
  for (const int32_t* offsets : {args.cu_seqlens_q, args.cu_seqlens_k}) {
    mark(offsets, args.batch + 1);
  }
  for (const float* of_heads : {args.alibi_slopes, args.sink}) mark(of_heads, args.heads);
  if (args.mask_form == MaskForm::lengths) return;
  const Tensor& mask = args.attn_mask;
  const size_t element = args.mask_form == MaskForm::boolean ? 1 : SizeOf(args.dtype);
  for (int64_t b = 0; b < mask.size[0]; ++b) {
    for (int64_t h = 0; h < mask.size[1]; ++h) {
      for (int64_t i = 0; i < mask.size[2]; ++i) {
        const int64_t at = b * mask.stride[0] + h * mask.stride[1] + i * mask.stride[2];
        simt::MarkWritten(static_cast<const char*>(mask.data) + at * static_cast<int64_t>(element),
                          static_cast<size_t>(mask.size[3]) * element);
      }
    }
  }
}

inline void MarkBeforeLaunch(const KernelRow& row, const Problem& problem,
                             const AttentionArgs& args, bool backward) {
  MarkTables(args);
  const bool pads_matter = row.traits.promises.pad_content != PadContent::any_bits;
  // A mask tensor tells of a pad by hiding all its pairs. What a block computes from a row of its
  // own and drops again (conversions and exponentials branch) is no leak: its rows are queries in a
  // forward, keys too in a backward.
  const bool told = args.mask_form == MaskForm::lengths;
  for (const NamedTensor& input : InputsOf(args, backward)) {
    const bool may_be_read = pads_matter || (!told && (backward || HasQueryRows(input.op)));
    ForEachElement(problem, input, [&](bool real, const char* data, size_t bytes) {
      real || may_be_read ? simt::MarkWritten(data, bytes) : simt::MarkUnwritten(data, bytes);
    });
  }
  for (const NamedTensor& output : OutputsOf(row, args, backward)) {
    ForEachElement(problem, output, [](bool /*real*/, const char* data, size_t bytes) {
      simt::MarkUnwritten(data, bytes);
    });
  }
}

/// Ends the process with a report if a result was not written, or depends on what was not.
inline void CheckAfterLaunch(const KernelRow& row, const Problem& problem,
                             const AttentionArgs& args, bool backward) {
  const bool pads_written = row.traits.promises.pad_outputs != PadOutputs::untouched;
  for (const NamedTensor& output : OutputsOf(row, args, backward)) {
    ForEachElement(problem, output, [&](bool real, const char* data, size_t bytes) {
      if (real || pads_written) simt::RequireWritten(data, bytes);
    });
  }
}

/// Empty, or what went wrong that no tool sees.
inline std::string LaunchOnce(const KernelRow& row, Problem& problem, bool backward) {
  AttentionArgs args = problem.Args(backward);
  simt::MarkWritten(&args, sizeof args);
  if (row.workspace_bytes != nullptr) {
    const size_t bytes = row.workspace_bytes(args);
    args.workspace = problem.PrepareWorkspace(bytes);
    simt::MarkUnwritten(args.workspace, bytes);
  }
  MarkBeforeLaunch(row, problem, args, backward);
  const Status status = (backward ? row.backward : row.forward)(args);
  if (status.code != StatusCode::ok) return status.reason;
  CheckAfterLaunch(row, problem, args, backward);
  return problem.BrokenGuard();
}

/// Whose O and LSE a backward reads: its own forward's, else that of a row that can run the case.
inline const KernelRow* ForwardOf(const KernelRow& row, const std::vector<const KernelRow*>& rows,
                                  Case c) {
  if (row.forward != nullptr) return &row;
  c.backward = false;
  for (const KernelRow* other : rows) {
    if (other->forward == nullptr || other->traits.returns_lse == 0) continue;
    if (IsWithin(DomainOf(*other), c)) return other;
  }
  return nullptr;
}

/// Runs `row` once on `c`; empty, or what went wrong.
inline std::string RunSweepCase(const KernelRow& row, const std::vector<const KernelRow*>& rows,
                                const Case& c) {
  const KernelRow* forward = ForwardOf(row, rows, c);
  if (forward == nullptr) return "no kernel here computes the O and LSE that this one reads";
  Problem problem(c);
  std::string wrong = LaunchOnce(*forward, problem, false);
  if (wrong.empty() && c.backward) wrong = LaunchOnce(row, problem, true);
  return wrong;
}

}  // namespace
}  // namespace padproof
