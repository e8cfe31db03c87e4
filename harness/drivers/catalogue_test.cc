// Which kernels a command is about: each pattern names one, and a name that is spelt wrong is one
// short line.

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

TEST_F(CatalogueTest, AWrongNameIsToldTheNearest) {
  EXPECT_EQ(Message("naivee@simt"),
            "no kernel matches 'naivee@simt'; the nearest is 'naive@simt'; 'padproof list' names "
            "all; one of a library needs PADPROOF_PLUGINS=FILE.so");
  EXPECT_EQ(Message("naive@simd"),
            "no kernel matches 'naive@simd'; the nearest is 'naive@simt'; 'padproof list' names "
            "all");
  EXPECT_EQ(Message("my_own_kernel"),
            "no kernel matches 'my_own_kernel'; 'padproof list' names all; one of a library needs "
            "PADPROOF_PLUGINS=FILE.so");
  EXPECT_EQ(Message("naive~no_such_edit"),
            "no kernel matches 'naive~no_such_edit'; 'padproof list --mutants' names all");
}

}  // namespace
}  // namespace padproof
