// A program written for the toolkit runs on the host as it is.

#include <gtest/gtest.h>

#include <vector>

#include "harness/simt/foreign_test_program.h"

namespace padproof {
namespace {

TEST(ForeignProgramTest, ComputesWithItsKernel) {
  std::vector<float> in;
  for (int i = 0; i < 3 * 50; i++) in.push_back(static_cast<float>(i / 50 + 1));
  EXPECT_EQ(SumRowsOnDevice(in, 3, 50), (std::vector<float>{50, 1000, 150}));
  EXPECT_EQ(SumRowsOnDevice(in, 3, 50), (std::vector<float>{50, 1000, 150}));
}

TEST(ForeignProgramTest, SeesThatItsLaunchIsRefused) {
  EXPECT_EQ(SumRowsOnDevice({1}, 0, 1), std::vector<float>{}) << "a grid of no blocks";
}

}  // namespace
}  // namespace padproof
