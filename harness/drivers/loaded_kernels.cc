#include "harness/drivers/loaded_kernels.h"

#include <dlfcn.h>

#include <map>
#include <string_view>

#include "harness/judge/kernel_registry.h"
#include "harness/judge/plugin.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

Result<std::vector<const KernelRow*>> Load(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Error{path + ": cannot be loaded: " + dlerror()};
  }
  auto* entry = reinterpret_cast<const PluginTable* (*)()>(dlsym(library, kPluginSymbol));
  if (entry == nullptr) {
    return Error{path +
                 ": no function padproof_plugin(); compile harness/judge/plugin.cc into it, see "
                 "harness/README.md"};
  }
  const PluginTable* table = entry();
  if (table->version != kPluginVersion || table->row_size != sizeof(KernelRow)) {
    const auto spoken = [](uint32_t version, size_t row_size) {
      return "version " + std::to_string(version) + " with rows of " + std::to_string(row_size) +
             " bytes";
    };
    return Error{path + ": a plugin of " + spoken(table->version, table->row_size) +
                 ", this padproof speaks " + spoken(kPluginVersion, sizeof(KernelRow)) +
                 "; rebuild it"};
  }
  std::vector<const KernelRow*> rows(table->rows, table->rows + table->count);
  for (const KernelRow* row : rows) {
    if (std::string_view(row->backend) != "cuda" || row->device != nullptr) continue;
    return Error{path + ": " + IdOf(*row) +
                 " expects device memory and brings no device; compile kernel_registry.cc with "
                 "-DPADPROOF_DEVICE_PLUGIN and link harness/device/cuda_device.cc"};
  }
  return rows;
}

}  // namespace

Result<std::vector<const KernelRow*>> RowsOf(const std::string& plugin) {
  if (plugin.empty()) return RegisteredKernels();
  static std::map<std::string, std::vector<const KernelRow*>> loaded;
  if (const auto found = loaded.find(plugin); found != loaded.end()) return found->second;
  auto rows = Load(plugin);
  if (rows) loaded.emplace(plugin, *rows);
  return rows;
}

KernelInfo Describe(const KernelRow& row, const std::string& plugin) {
  KernelInfo info;
  info.id = IdOf(row);
  info.name = row.name;
  info.backend = row.backend;
  info.file = row.file != nullptr ? row.file : "";
  info.summary = row.summary != nullptr ? row.summary : "";
  info.source = row.source != nullptr ? row.source : "";
  info.plugin = plugin;
  info.traits = row.traits;
  info.has_forward = row.forward != nullptr;
  info.has_backward = row.backward != nullptr;
  info.has_host_twin = HostTwin(row) != nullptr;
  return info;
}

}  // namespace padproof
