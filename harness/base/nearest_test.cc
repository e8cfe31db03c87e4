#include "harness/base/nearest.h"

#include <gtest/gtest.h>

namespace padproof {
namespace {

TEST(Nearest, IsTheOneThatWasMeant) {
  const std::vector<std::string> names{"flash_fwd", "flash_bwd", "naive", "naive@simt"};
  EXPECT_EQ(Nearest("flash_fwt", names), "flash_fwd");
  EXPECT_EQ(Nearest("flashbwd", names), "flash_bwd");
  EXPECT_EQ(Nearest("nnaive", names), "naive");
  EXPECT_EQ(Nearest("naive@sim", names), "naive@simt");
  EXPECT_EQ(Nearest("flash_xwd", names), "flash_fwd") << "the first of two";
}

TEST(Nearest, IsNobodyWhereNothingIsAlike) {
  EXPECT_EQ(Nearest("my_kernel", {"flash_fwd", "wmma"}), "");
  EXPECT_EQ(Nearest("abcd", {"abyz"}), "abyz") << "half of it";
  EXPECT_EQ(Nearest("abcd", {"axyz"}), "");
  EXPECT_EQ(Nearest("", {"a"}), "");
  EXPECT_EQ(Nearest("a", {}), "");
}

}  // namespace
}  // namespace padproof
