// Which rows a law is asked about: the law's own answer, schedules only where a backend has them,
// and attention's formula only where the output is attention's.

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

Property Law() {
  return {.name = "law",
          .statement = "holds",
          .inapplicable = NoNan,
          .prepare = nullptr,
          .check = [](const KernelRow&, const Case&) { return Verdict::Holds(); }};
}

Verdict VerdictOf(const Property& law, const KernelRow& row) {
  return Judge(law, row, Case{.lens_q = {1}, .lens_k = {1}});
}

Outcome OutcomeOf(bool scheduled_only, const KernelRow& row) {
  Property law = Law();
  law.scheduled_only = scheduled_only;
  return VerdictOf(law, row).outcome;
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

TEST(Property, LawsAboutAttentionAskNoRowWithAnotherOutput) {
  Property formula = Law(), bound = Law();
  formula.about_attention = true;
  bound.has_bound = true;
  const KernelRow attention = RowOf("cpu");
  KernelRow module = attention;
  module.traits.promises.output = OutputOf::module;
  for (const Property& law : {formula, bound}) {
    EXPECT_EQ(VerdictOf(law, attention).outcome, Outcome::holds);
    const Verdict verdict = VerdictOf(law, module);
    EXPECT_EQ(verdict.outcome, Outcome::not_applicable);
    EXPECT_EQ(verdict.reason, "its output is not attention's, whose formula the law needs");
  }
  EXPECT_EQ(VerdictOf(Law(), module).outcome, Outcome::holds);
}

}  // namespace
}  // namespace padproof
