// What laws make of drawn cases is a case still, and costs no more than one that was drawn.

#include <gtest/gtest.h>

#include "harness/case/generate.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/kernel_info.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

constexpr int kCases = 300;

void ExpectCases(const Property& law, const KernelInfo& kernel) {
  const Domain domain = DomainOf(kernel);
  for (int i = 0; i < kCases; ++i) {
    Random random(HashOf({HashOf(law.name), HashOf(kernel.id), static_cast<uint64_t>(i)}));
    Case c = Generate(domain, random, i * 100 / kCases);
    PrepareFor(law, c, kernel.traits, random);
    ASSERT_EQ(Validate(c), "") << law.name << " " << kernel.id << " " << Print(c);
    ASSERT_LE(Work(c), kMaxWork) << law.name << " " << kernel.id << " " << Print(c);
  }
}

void ExpectCasesOfEveryLaw(const KernelInfo& kernel) {
  for (const Property* law : Properties()) {
    const char* why = WhyInapplicable(*law, kernel.backend, kernel.traits,
                                      {kernel.has_forward, kernel.has_backward}, true);
    if (why == nullptr) ExpectCases(*law, kernel);
  }
}

TEST(PrepareFor, OfEveryRowGivesCases) {
  Worker worker;
  const auto kernels = FindKernels("*", worker);
  ASSERT_TRUE(kernels) << kernels.error().message;
  for (const KernelInfo& kernel : *kernels) ExpectCasesOfEveryLaw(kernel);
}

// An empty row in a sequence that is longer than a long tile once asked for 63 million scores.
TEST(PrepareFor, OfRowsWithTilesOfEverySizeGivesCases) {
  for (const int tile : {1, 16, 128, 512, 4096}) {
    KernelInfo kernel;
    kernel.id = "tile " + std::to_string(tile);
    kernel.has_forward = kernel.has_backward = true;
    KernelTraits& traits = kernel.traits;
    traits.layouts = Set<Layout>::All();
    traits.masks = Set<Mask>::All();
    traits.mask_forms = Set<MaskForm>::All();
    traits.biases = Set<Bias>::All();
    traits.features = Set<Feature>::All();
    traits.strides = Set<Strides>::All();
    traits.pad_sides = Set<PadSide>::All();
    traits.tile_q = traits.tile_k = tile;
    ExpectCasesOfEveryLaw(kernel);
  }
}

}  // namespace
}  // namespace padproof
