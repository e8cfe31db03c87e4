#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/protocol.h"

namespace padproof {
namespace {

struct ListFlags {
  std::string kernels = "*";
  bool mutants = false;
  bool json = false;
};

template <class E>
std::string Words(Set<E> set) {
  std::string text;
  for (size_t v = 0; v < EnumText<E>::names.size(); ++v) {
    if (!set.Has(static_cast<E>(v))) continue;
    text += (text.empty() ? "" : ",") + std::string(EnumText<E>::names[v]);
  }
  return text;
}

void PrintKernel(const KernelInfo& kernel) {
  const KernelTraits& t = kernel.traits;
  fmt::print("{}\n  {}\n", kernel.id, kernel.summary);
  fmt::print("  takes     {}  layout {}  mask {}  pads {}  dim <= {}{}\n", Words(t.dtypes),
             Words(t.layouts), Words(t.masks), Words(t.pad_sides), t.dim_max,
             t.dim_multiple > 1 ? fmt::format(", multiple of {}", t.dim_multiple) : "");
  const bool plain = t.mask_forms == SetOf(MaskForm::lengths) && t.biases == SetOf(Bias::none) &&
                     t.features.bits == 0;
  if (t.strides != SetOf(Strides::contiguous)) {
    fmt::print("            strides {}\n", Words(t.strides));
  }
  if (t.page_multiple > 1) fmt::print("            pages of a multiple of {}\n", t.page_multiple);
  if (!plain) {
    fmt::print("            mask told by {}  bias {}{}{}\n", Words(t.mask_forms), Words(t.biases),
               t.features.bits != 0 ? "  with " : "", Words(t.features));
  }
  fmt::print("  does      {}{}{}; tiles {}x{}\n", kernel.has_forward ? "forward" : "",
             kernel.has_forward && kernel.has_backward ? " and " : "",
             kernel.has_backward ? "backward" : "", t.tile_q, t.tile_k);
  fmt::print("  promises  {}\n", PromisesInWords(t));
  if (!kernel.source.empty()) fmt::print("  because   {}\n", kernel.source);
  fmt::print("  source    {}\n", kernel.file);
}

int List(const ListFlags& flags) {
  Worker worker;
  auto kernels = FindKernels(flags.mutants ? "*~*" : flags.kernels, worker);
  if (!kernels) return Complain(kernels.error().message, kExitUsage);
  if (flags.mutants) {
    std::erase_if(*kernels, [&](const KernelInfo& kernel) {
      return !MatchesAny(flags.kernels, WithoutMutant(kernel));
    });
    if (kernels->empty()) {
      return Complain("no planted bug is in a kernel that matches '" + flags.kernels + "'",
                      kExitUsage);
    }
  }
  if (flags.json) {
    for (const KernelInfo& kernel : *kernels) fmt::print("{}\n", ToJson(kernel));
    return ReportMissing(TakeMissing(*kernels), kExitHolds, true);
  }
  const std::vector<KernelInfo> missing = TakeMissing(*kernels);
  for (const KernelInfo& kernel : *kernels) PrintKernel(kernel);
  for (const KernelInfo& kernel : missing) {
    fmt::print("{}\n  skipped   {}\n  source    {}\n", kernel.id, kernel.missing, kernel.file);
  }
  if (flags.mutants) return kExitHolds;
  fmt::print("\nlaws\n");
  for (const Property* law : Properties()) fmt::print("  {:<24}{}\n", law->name, law->statement);
  return RequiredExitCode(missing, kExitHolds);
}

}  // namespace

void AddList(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App* command = app.add_subcommand("list", "kernels with their promises, and laws");
  command->add_option("--kernel", flags->kernels, "kernels: globs, comma separated");
  command->add_flag("--mutants", flags->mutants, "list the bugs planted into them instead");
  command->add_flag("--json", flags->json, "one JSON object a kernel");
  command->callback([flags, &exit_code] { exit_code = List(*flags); });
}

}  // namespace padproof
