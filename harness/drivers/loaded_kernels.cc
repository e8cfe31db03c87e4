#include "harness/drivers/loaded_kernels.h"

#include <dlfcn.h>

#include <map>
#include <string_view>

#include "harness/base/printable.h"
#include "harness/judge/kernel_registry.h"
#include "harness/judge/plugin.h"
#include "harness/judge/property.h"
#include "harness/judge/row_check.h"

namespace padproof {
namespace {

using Rows = std::vector<const KernelRow*>;

std::string WhyNoTable(const PluginTable* table) {
  if (table == nullptr) return "padproof_plugin() returns null instead of a table of rows";
  if (table->version != kPluginVersion || table->row_size != sizeof(KernelRow)) {
    const auto spoken = [](uint32_t version, size_t row_size) {
      return "version " + std::to_string(version) + " with rows of " + std::to_string(row_size) +
             " bytes";
    };
    return "a plugin of " + spoken(table->version, table->row_size) + ", this padproof speaks " +
           spoken(kPluginVersion, sizeof(KernelRow)) + "; rebuild it";
  }
  if (table->count == 0) {
    return "no kernel is in it; link a file that says PADPROOF_KERNEL, see harness/README.md";
  }
  if (table->rows == nullptr) return "padproof_plugin() returns a count of rows and no rows";
  return {};
}

std::string WhyRefused(const KernelRow& row) {
  if (std::string wrong = WhyWrong(row); !wrong.empty()) return wrong;
  if (std::string_view(row.backend) != "cuda" || row.device != nullptr) return {};
  return IdOf(row) +
         " expects device memory and brings no device; compile kernel_registry.cc with "
         "-DPADPROOF_DEVICE_PLUGIN and link harness/device/cuda_device.cc";
}

/// The rows, unless one is wrong: the first such by its name, or by its number where its name is
/// what is wrong.
Result<Rows> Checked(const std::string& library, Rows rows) {
  size_t number = 0;
  for (const KernelRow* row : rows) {
    ++number;
    const std::string wrong = row != nullptr ? WhyRefused(*row) : "null; it must be a row";
    if (wrong.empty()) continue;
    const bool named = row != nullptr && wrong.rfind("name ", 0) != 0;
    return Error{library + ": row " + (named ? Printable(row->name) : std::to_string(number)) +
                 ": " + wrong};
  }
  return rows;
}

Result<Rows> Load(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const bool comma = path.find(',') != std::string::npos;
    return Error{path + ": cannot be loaded: " + dlerror() +
                 (comma ? "; ':' separates libraries, ',' does not" : "")};
  }
  auto* entry = reinterpret_cast<const PluginTable* (*)()>(dlsym(library, kPluginSymbol));
  if (entry == nullptr) {
    return Error{path +
                 ": no function padproof_plugin(); compile harness/judge/plugin.cc into it, see "
                 "harness/README.md"};
  }
  const PluginTable* table = entry();
  if (const std::string wrong = WhyNoTable(table); !wrong.empty()) {
    return Error{path + ": " + wrong};
  }
  return Checked(path, Rows(table->rows, table->rows + table->count));
}

}  // namespace

Result<std::vector<const KernelRow*>> RowsOf(const std::string& plugin) {
  static std::map<std::string, Rows> loaded;
  if (const auto found = loaded.find(plugin); found != loaded.end()) return found->second;
  auto rows = plugin.empty() ? Checked("built-in kernels", RegisteredKernels()) : Load(plugin);
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
