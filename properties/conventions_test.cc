// Kernels that are right by other conventions than ours, and say so in their row, are accused by no
// law; and what the row says matters.

#include <gtest/gtest.h>

#include <string>

#include "harness/case/generate.h"
#include "harness/drivers/kernel_info.h"
#include "harness/judge/property.h"
#include "properties/testing/eager_kernel.h"

namespace padproof {
namespace {

/// The first of some cases drawn for the law in which it accuses the row, or "".
std::string Accusation(const KernelRow& row, const Property& law, uint64_t cases) {
  KernelInfo info;
  info.traits = row.traits;
  info.backend = row.backend;
  info.has_forward = info.has_backward = true;
  const Domain domain = DomainOf(info);
  for (uint64_t n = 0; n < cases; ++n) {
    Random random(HashOf({HashOf(law.name), n}));
    Case c = Generate(domain, random, 40);
    PrepareFor(law, c, row.traits, random);
    c = Fit(domain, c);
    if (Judge(law, row, c).outcome == Outcome::fails) return std::string(law.name) + " " + Print(c);
  }
  return {};
}

bool IsAccusedBy(const KernelRow& row, const char* law) {
  return !Accusation(row, *FindProperty(law), 2000).empty();
}

/// By all laws, a line each.
std::string Accusations(const KernelRow& row) {
  std::string text;
  for (const Property* law : Properties()) {
    if (WhyInapplicable(*law, row.backend, row.traits, {true, true}, false) != nullptr) continue;
    const std::string line = Accusation(row, *law, 200);
    if (!line.empty()) text += line + "\n";
  }
  return text;
}

TEST(Conventions, AnEmptyRowMayBeAMeanOverAllSlots) {
  KernelRow row = EagerRow(false);
  row.traits.promises.empty_row = EmptyRow::unspecified;
  row.traits.promises.pad_outputs = PadOutputs::written;
  EXPECT_EQ(Accusations(row), "");
  row.traits.promises.empty_row = EmptyRow::zero;
  for (const char* law : {"empty_row", "pad_content_invariance", "value_symmetry"}) {
    EXPECT_TRUE(IsAccusedBy(row, law)) << law;
  }
}

TEST(Conventions, LseOfAnEmptyRowMayBePlusInfinityAndABackwardMayComputeItAgain) {
  KernelRow row = EagerRow(true);
  row.traits.returns_lse = 1;
  row.traits.recomputes_forward = 1;
  row.traits.promises.empty_lse = EmptyLse::plus_infinity;
  EXPECT_EQ(Accusations(row), "");
  row.traits.recomputes_forward = 0;
  EXPECT_TRUE(IsAccusedBy(row, "gradient_agreement"));
  row.traits.promises.empty_lse = EmptyLse::minus_infinity;
  EXPECT_TRUE(IsAccusedBy(row, "empty_row"));
}

}  // namespace
}  // namespace padproof
