#include "harness/judge/plugin.h"

#include "harness/judge/kernel_registry.h"

const padproof::PluginTable* padproof_plugin() {
  static const padproof::PluginTable table{
      padproof::kPluginVersion, sizeof(padproof::KernelRow),
      static_cast<uint32_t>(padproof::RegisteredKernels().size()),
      padproof::RegisteredKernels().data()};
  return &table;
}
