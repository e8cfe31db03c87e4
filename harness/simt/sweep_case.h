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

/// Calls function(real token?, address of the row, bytes) for each token of each head.
template <class Function>
void ForEachToken(const Problem& problem, const NamedTensor& named, Function function) {
  const Tensor& t = named.tensor;
  const size_t element = SizeOf(problem.DtypeOf(named.op));
  const size_t bytes = static_cast<size_t>(t.size[3]) * element;
  for (int b = 0; b < t.size[0]; ++b) {
    for (int64_t h = 0; h < t.size[1]; ++h) {
      for (int s = 0; s < t.size[2]; ++s) {
        const int64_t at = b * t.stride[0] + h * t.stride[1] + s * t.stride[2];
        function(problem.IsReal(named.op, b, s),
                 static_cast<const char*>(t.data) + at * static_cast<int64_t>(element), bytes);
      }
    }
  }
}

inline std::vector<NamedTensor> InputsOf(const AttentionArgs& a, bool backward) {
  if (!backward) return {{Operand::q, a.q}, {Operand::k, a.k}, {Operand::v, a.v}};
  return {{Operand::q, a.q}, {Operand::k, a.k},     {Operand::v, a.v},
          {Operand::o, a.o}, {Operand::lse, a.lse}, {Operand::d_o, a.d_o}};
}

inline std::vector<NamedTensor> OutputsOf(const KernelRow& row, const AttentionArgs& a,
                                          bool backward) {
  if (backward) return {{Operand::dq, a.dq}, {Operand::dk, a.dk}, {Operand::dv, a.dv}};
  if (row.traits.returns_lse == 0) return {{Operand::o, a.o}};
  return {{Operand::o, a.o}, {Operand::lse, a.lse}};
}

inline void MarkBeforeLaunch(const KernelRow& row, const Problem& problem,
                             const AttentionArgs& args, bool backward) {
  for (const int32_t* lengths : {args.seqused_q, args.seqused_k, args.leftpad_q, args.leftpad_k}) {
    simt::MarkWritten(lengths, static_cast<size_t>(args.batch) * sizeof(int32_t));
  }
  const bool pads_matter = row.traits.promises.pad_content != PadContent::any_bits;
  for (const NamedTensor& input : InputsOf(args, backward)) {
    ForEachToken(problem, input, [&](bool real, const char* data, size_t bytes) {
      real || pads_matter ? simt::MarkWritten(data, bytes) : simt::MarkUnwritten(data, bytes);
    });
  }
  for (const NamedTensor& output : OutputsOf(row, args, backward)) {
    ForEachToken(problem, output, [](bool /*real*/, const char* data, size_t bytes) {
      simt::MarkUnwritten(data, bytes);
    });
  }
}

/// Ends the process with a report if a result was not written, or depends on what was not.
inline void CheckAfterLaunch(const KernelRow& row, const Problem& problem,
                             const AttentionArgs& args, bool backward) {
  const bool pads_written = row.traits.promises.pad_outputs != PadOutputs::untouched;
  for (const NamedTensor& output : OutputsOf(row, args, backward)) {
    ForEachToken(problem, output, [&](bool real, const char* data, size_t bytes) {
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
