// Cells that stay empty say why, each reason once.

#include "harness/report/table.h"

#include <gtest/gtest.h>

#include "harness/report/reasons.h"

namespace padproof {
namespace {

KernelInfo Row(const std::string& name) {
  KernelInfo kernel;
  kernel.id = name + "@simt";
  kernel.name = name;
  return kernel;
}

class TableTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const KernelInfo& kernel : kernels_) {
      for (const Property* law : laws_) {
        result_.cells.push_back({.kernel = &kernel, .law = law});
        result_.cells.back().held = result_.cells.back().cases = 7;
      }
    }
  }
  Cell& At(size_t kernel, size_t law) { return result_.cells[kernel * laws_.size() + law]; }
  void Empty(size_t kernel, size_t law, const std::string& reason) {
    At(kernel, law).inapplicable = reason;
    At(kernel, law).held = At(kernel, law).cases = 0;
  }
  std::string Text() const { return Table(result_, kernels_, laws_, false); }

  std::vector<KernelInfo> kernels_{Row("fwd"), Row("fwd.4x4"), Row("naive")};
  Property gradients_{.name = "gradients"}, pads_{.name = "pads"}, sums_{.name = "sums"};
  std::vector<const Property*> laws_{&gradients_, &pads_, &sums_};
  RunResult result_;
};

TEST_F(TableTest, ReasonsAreGroupedByKernelsAndByLaws) {
  for (size_t kernel : {0u, 1u}) {
    Empty(kernel, 0, "has no backward");
    Empty(kernel, 1, "has no backward");
  }
  Empty(1, 2, "takes no mask");
  Empty(2, 2, "takes no mask");
  EXPECT_EQ(Reasons(result_, kernels_, laws_),
            "  fwd*: gradients, pads: has no backward\n"
            "  fwd.4x4@simt, naive@simt: sums: takes no mask\n");
  EXPECT_NE(Text().find("- where a law does not speak"), std::string::npos) << Text();
}

TEST_F(TableTest, AFullTableHasNoReasons) {
  EXPECT_EQ(Reasons(result_, kernels_, laws_), "");
  EXPECT_EQ(Text().find("- where"), std::string::npos) << Text();
  EXPECT_EQ(Text().find("scope"), std::string::npos) << Text();
}

TEST_F(TableTest, AnExhaustiveRunSaysHowMuchOfItsScopeItJudged) {
  for (Cell& cell : result_.cells) cell.scope = 70;
  for (size_t law : {0u, 1u, 2u}) At(2, law).cases = 70;
  At(1, 0).finding = Finding{};
  At(1, 1).cases = 14;
  Empty(0, 0, "has no backward");
  At(0, 0).scope = 0;
  result_.cases = 263;
  const std::string text = Text();
  EXPECT_NE(text.find("scope: 70 cases, 7 to 7 (10.0%) judged under each of 2 laws\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("7 to 14 (10.0%) judged under each of 2 laws; 1 ended at a failure\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("scope: 70 cases, all judged under 3 laws\n"), std::string::npos) << text;
  EXPECT_NE(Conclusion(result_).find("263 cases judged of 560 in scope (47.0%)"), std::string::npos)
      << Conclusion(result_);
}

}  // namespace
}  // namespace padproof
