// Which kernels a command is about: each pattern names one.

#include "harness/drivers/catalogue.h"

#include <gtest/gtest.h>

namespace padproof {
namespace {

class CatalogueTest : public testing::Test {
 protected:
  std::string Message(const std::string& patterns) {
    const auto kernels = FindKernels(patterns, worker_);
    return kernels ? "" : kernels.error().message;
  }
  Worker worker_;
};

TEST_F(CatalogueTest, EveryPatternOfAListMatches) {
  EXPECT_EQ(Message("naive@simt,flash_fwd*"), "");
  EXPECT_EQ(Message("naive@simt,naive"), "") << "both match the same";
  EXPECT_EQ(Message("naive@simt,zzz").rfind("no kernel matches 'zzz'", 0), 0u);
  EXPECT_EQ(Message("zzz*,naive@simt").rfind("no kernel matches 'zzz*'", 0), 0u);
  EXPECT_NE(Message(","), "");
}

}  // namespace
}  // namespace padproof
