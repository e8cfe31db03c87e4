// In a log, an exhaustive run has a line every tenth of its cases and no other run has any.

#include "harness/report/progress.h"

#include <gtest/gtest.h>

namespace padproof {
namespace {

TEST(Progress, InALogATenthIsALine) {
  testing::internal::CaptureStdout();
  Progress progress(2, 100);
  for (int64_t cases : {1, 9, 55, 57, 60, 100}) progress.Show(cases, 1);
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "50%: 1/2 cells, 55/100 cases\n60%: 1/2 cells, 60/100 cases\n");
}

TEST(Progress, InALogDrawnCasesAreQuiet) {
  testing::internal::CaptureStdout();
  Progress progress(2);
  progress.Show(50, 1);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace padproof
