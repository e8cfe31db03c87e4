// Being there is being registered: each file registered exactly its own name.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "harness/drivers/catalogue.h"
#include "harness/drivers/kernel_info.h"
#include "harness/drivers/paths.h"
#include "harness/judge/property.h"
#include "harness/mutants/mutant_file.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

std::set<std::string> Stems(const std::string& folder, const std::set<std::string>& extensions) {
  std::set<std::string> stems;
  for (const auto& entry : fs::directory_iterator(fs::path(PADPROOF_SOURCE_DIRECTORY) / folder)) {
    const std::string stem = entry.path().stem().string();
    const bool test = stem.size() > 5 && stem.substr(stem.size() - 5) == "_test";
    if (extensions.count(entry.path().extension().string()) == 1 && !test) stems.insert(stem);
  }
  return stems;
}

TEST(Registry, EveryLawFileIsOneLaw) {
  std::set<std::string> names;
  for (const Property* law : Properties()) {
    EXPECT_TRUE(names.insert(law->name).second) << law->name << " is registered twice";
  }
  EXPECT_EQ(names, Stems("properties", {".cc"}));
}

TEST(Registry, EveryKernelFileIsItsRows) {
  Worker worker;
  const auto kernels = FindKernels("*", worker);
  ASSERT_TRUE(kernels) << kernels.error().message;
  std::set<std::string> families;
  for (const KernelInfo& kernel : *kernels) {
    families.insert(FamilyOf(kernel.name));
    EXPECT_EQ(Stem(kernel.file), FamilyOf(kernel.name))
        << kernel.id << " is not named after its file";
    EXPECT_TRUE(fs::exists(fs::path(PADPROOF_SOURCE_DIRECTORY) / kernel.file)) << kernel.file;
    EXPECT_FALSE(kernel.summary.empty()) << kernel.id;
    EXPECT_TRUE(kernel.has_forward || kernel.has_backward) << kernel.id;
  }
  for (const std::string& stem : Stems("kernels", {".cu", ".cc"})) {
    if (stem.rfind("torch_", 0) == 0 && PluginFiles().empty()) continue;  // built without LibTorch
    EXPECT_EQ(families.count(stem), 1u) << "kernels/" << stem << " registered no row";
  }
}

TEST(Registry, WeakerPromisesNameTheirSource) {
  Worker worker;
  const auto kernels = FindKernels("*", worker);
  ASSERT_TRUE(kernels);
  for (const KernelInfo& kernel : *kernels) {
    const Promises& p = kernel.traits.promises;
    const bool weaker = p.pad_content != PadContent::any_bits || p.empty_row != EmptyRow::zero ||
                        p.pad_outputs != PadOutputs::zero || p.determinism != Determinism::both ||
                        p.empty_lse != EmptyLse::minus_infinity ||
                        p.head_content != PadContent::any_bits;
    EXPECT_EQ(weaker, !kernel.source.empty()) << kernel.id;
  }
}

TEST(Registry, EveryMutantFileIsOneLibrary) {
  std::set<std::string> libraries;
  for (const std::string& file : MutantFiles()) libraries.insert(Stem(file));
  EXPECT_EQ(libraries, Stems("kernels/mutants", {".mutant"}));
}

// A law that no planted bug falls to first may be one that cannot fail. That each bug does fall to
// the law which its file names is what `padproof mutants` checks.
TEST(Registry, EveryLawKillsAMutant) {
  std::set<std::string> killers, laws;
  for (const std::string& name : Stems("kernels/mutants", {".mutant"})) {
    const fs::path path =
        fs::path(PADPROOF_SOURCE_DIRECTORY) / "kernels/mutants" / (name + ".mutant");
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    const auto mutant = ParseMutant(path.string(), text.str());
    ASSERT_TRUE(mutant) << mutant.error().message;
    if (mutant->equivalent.empty()) killers.insert(mutant->killed_by);
  }
  // Mutants are of CUDA sources and run on the host: neither of modules nor on a device.
  for (const Property* law : Properties()) {
    if (!law->with_host_twin_only && law->name != std::string_view("causal_order")) {
      laws.insert(law->name);
    }
  }
  EXPECT_EQ(killers, laws);
}

}  // namespace
}  // namespace padproof
