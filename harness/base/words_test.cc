// Where words, lists and whole numbers begin and end.

#include "harness/base/words.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace padproof {
namespace {

TEST(Words, TrimTakesBlanksAtBothEndsAlone) {
  EXPECT_EQ(Trim(" \ta b\r"), "a b");
  EXPECT_EQ(Trim("a"), "a");
  EXPECT_EQ(Trim(" \t "), "");
  EXPECT_EQ(Trim(""), "");
}

TEST(Words, NoPartBetweenCommasIsEmpty) {
  EXPECT_EQ(SplitAtCommas("a,,bc,"), (std::vector<std::string>{"a", "bc"}));
  EXPECT_EQ(SplitAtCommas(",a b"), (std::vector<std::string>{"a b"}));
  EXPECT_TRUE(SplitAtCommas(",").empty());
  EXPECT_TRUE(SplitAtCommas("").empty());
}

TEST(Words, AListHasCommasBetween) {
  EXPECT_EQ(Join(std::vector<std::string>{"q", "k", "v"}), "q, k, v");
  EXPECT_EQ(Join(std::vector<const char*>{"q"}), "q");
  EXPECT_EQ(Join(std::vector<std::string_view>{}), "");
}

TEST(Words, AWholeNumberHasNothingAroundIt) {
  int32_t number = 7;
  for (const char* wrong : {"", " 1", "1 ", "1.0", "0x1", "+1", "2147483648", "one"}) {
    EXPECT_FALSE(ReadWhole(wrong, number)) << wrong;
    EXPECT_EQ(number, 7) << wrong;
  }
  EXPECT_TRUE(ReadWhole("-12", number));
  EXPECT_EQ(number, -12);
  uint64_t large = 0;
  EXPECT_FALSE(ReadWhole("-1", large));
  EXPECT_TRUE(ReadWhole("18446744073709551615", large));
  EXPECT_EQ(large, UINT64_MAX);
}

}  // namespace
}  // namespace padproof
