#include "fuzz/support/callable.h"

#include <cstdio>
#include <cstdlib>

#include "harness/drivers/catalogue.h"
#include "harness/drivers/loaded_kernels.h"

namespace padproof {

void Refuse(const std::string& message) {
  std::fprintf(stderr, "padproof: %s\n", message.c_str());
  std::exit(2);
}

std::vector<Callable> CallableKernels(std::string_view by_default,
                                      bool (*keep)(const KernelRow& row)) {
  const char* chosen = std::getenv("PADPROOF_FUZZ_KERNELS");
  const std::string patterns = chosen != nullptr ? chosen : std::string(by_default);
  std::vector<Callable> kernels;
  for (const std::string& library : LibrariesFor(patterns)) {
    const auto rows = RowsOf(library);
    if (!rows) Refuse(rows.error().message);
    for (const KernelRow* row : *rows) {
      KernelInfo info = Describe(*row, library);
      if (!info.missing.empty() || (keep != nullptr && !keep(*row))) continue;
      if (MatchesAny(patterns, info)) kernels.push_back({row, std::move(info)});
    }
    if (!kernels.empty()) break;  // one library a campaign: LibTorch is not loaded for nothing
  }
  if (kernels.empty()) {
    Refuse("PADPROOF_FUZZ_KERNELS: this target takes no kernel that matches '" + patterns + "'");
  }
  return kernels;
}

const Callable* FindCallable(const std::vector<Callable>& kernels, std::string_view id) {
  for (const Callable& kernel : kernels) {
    if (kernel.info.id == id) return &kernel;
  }
  return nullptr;
}

}  // namespace padproof
