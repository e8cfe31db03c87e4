// Which rows a law is asked about: the law's own answer, and schedules only where a backend has
// them.

#include "harness/judge/property.h"

#include <gtest/gtest.h>

namespace padproof {
namespace {

const char* NoNan(const KernelTraits& traits, bool, bool) {
  return traits.promises.empty_row == EmptyRow::nan ? "gives NaN" : nullptr;
}

KernelRow RowOf(const char* backend) {
  KernelRow row{};
  row.name = "row";
  row.backend = backend;
  row.forward = [](const AttentionArgs&) { return kOk; };
  return row;
}

Outcome OutcomeOf(bool scheduled_only, const KernelRow& row) {
  const Property law{.name = "law",
                     .statement = "holds",
                     .inapplicable = NoNan,
                     .prepare = nullptr,
                     .check = [](const KernelRow&, const Case&) { return Verdict::Holds(); },
                     .scheduled_only = scheduled_only};
  return Judge(law, row, Case{.lens_q = {1}, .lens_k = {1}}).outcome;
}

TEST(Property, LawsAboutSchedulesAskBackendsThatTakeOne) {
  EXPECT_EQ(OutcomeOf(true, RowOf("simt")), Outcome::holds);
  for (const char* backend : {"cuda", "cpu"}) {
    EXPECT_EQ(OutcomeOf(true, RowOf(backend)), Outcome::not_applicable) << backend;
    EXPECT_EQ(OutcomeOf(false, RowOf(backend)), Outcome::holds) << backend;
  }
}

TEST(Property, TheLawsOwnAnswerCounts) {
  KernelRow row = RowOf("simt");
  row.traits.promises.empty_row = EmptyRow::nan;
  EXPECT_EQ(OutcomeOf(true, row), Outcome::not_applicable);
  EXPECT_EQ(OutcomeOf(false, row), Outcome::not_applicable);
}

}  // namespace
}  // namespace padproof
