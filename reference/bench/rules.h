// The rules by which attention outputs are accepted, ours and those of others, on the same
// evidence: which leaks each sees, and which correct kernels each accuses.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "reference/attention.h"

namespace padproof::reference {

/// One run of a kernel on a head, with all that any rule wants to know.
struct Evidence {
  Head head;                        // the visible keys: what the kernel was to compute
  NumericsProfile profile;          // that it declares
  std::vector<uint32_t> out;        // stored O, [len_q][dim]
  std::vector<uint32_t> lse;        // stored LSE, fp32, [len_q]
  std::vector<uint32_t> other_pad;  // O of the same run with another pad content
  std::vector<double> reference;    // O in fp64
  std::vector<double> eager;        // O of eager 16-bit attention; empty for fp32
};

/// True if the rule rejects the run.
struct Rule {
  const char* name;
  const char* source;
  bool (*rejects)(const Evidence& evidence);
  bool fails_kernels = false;  // ours, and what it rejects fails; T2 only reports
  bool needs_pads = false;     // compares two pad contents: nothing to say of a single run
  bool only_16_bit = false;
};
inline constexpr size_t kRules = 11;
std::span<const Rule, kRules> Rules();

}  // namespace padproof::reference
