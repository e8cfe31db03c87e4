// The C ABI through which a kernel that was built elsewhere comes in: a shared library exports one
// function that returns its rows. Any file of kernels/ linked with the target padproof_plugin is
// one.

#pragma once

#include <cstdint>

#include "harness/judge/kernel.h"

namespace padproof {

/// Raised when KernelRow or AttentionArgs changes layout; a plugin of another version is refused.
inline constexpr uint32_t kPluginVersion = 9;

/// At least one row, each as kernel.h says (row_check.h); else the library is refused. `file`,
/// `summary` and `source` of a row may be null.
struct PluginTable {
  uint32_t version;   // kPluginVersion
  uint32_t row_size;  // sizeof(KernelRow)
  uint32_t count;
  const KernelRow* const* rows;
};

inline constexpr const char* kPluginSymbol = "padproof_plugin";

}  // namespace padproof

extern "C" __attribute__((visibility("default"))) const padproof::PluginTable* padproof_plugin();
