// A library that is wrong in the way that PADPROOF_BAD_LIBRARY names.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "harness/judge/plugin.h"

namespace padproof {
namespace {

Status Nothing(const AttentionArgs&) { return kOk; }

KernelRow first{.name = "good",
                .backend = "cpu",
                .file = "bad_library.cc",
                .summary = "does nothing",
                .source = "",
                .traits = {},
                .forward = Nothing,
                .backward = nullptr,
                .workspace_bytes = nullptr,
                .device = nullptr};
KernelRow second = first;
const KernelRow* rows[2] = {&first, &second};
PluginTable table{kPluginVersion, sizeof(KernelRow), 2, rows};

}  // namespace
}  // namespace padproof

const padproof::PluginTable* padproof_plugin() {
  using namespace padproof;
  const char* named = std::getenv("PADPROOF_BAD_LIBRARY");
  const std::string_view wrong = named != nullptr ? named : "";
  if (wrong == "no table") return nullptr;
  if (wrong == "no list") table.rows = nullptr;
  if (wrong == "no rows") table.count = 0;
  if (wrong == "version") ++table.version;
  if (wrong == "no row") rows[1] = nullptr;
  second.name = wrong != "no name" ? "second" : nullptr;
  if (wrong == "no head dim") second.traits.dim_max = 0;
  if (wrong == "dies") {
    std::fputs("last words\n", stderr);
    std::_Exit(1);
  }
  return &table;
}
