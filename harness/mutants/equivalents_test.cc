// The file of edits judged by hand, and the text around an edited header.

#include "harness/mutants/equivalents.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "harness/mutants/flatten.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

TEST(Equivalents, IdsAndReasons) {
  const auto read = ParseEquivalents("a", "# why\n\n4be2c0d1 9f0011aa.2: no key: nothing to add\n");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->size(), 2u);
  EXPECT_EQ(read->at("9f0011aa.2"), "no key: nothing to add");
}

TEST(Equivalents, ErrorsNameThePlace) {
  const auto error = [](const std::string& text) {
    const auto read = ParseEquivalents("k.equivalent", text);
    return read ? "" : read.error().message;
  };
  EXPECT_EQ(error("#\n4be2c0d1\n"), "k.equivalent:2: no colon; write 'id id ...: reason'");
  EXPECT_EQ(error("4be2c0d1: \n"), "k.equivalent:1: no reason after the colon; say why");
  EXPECT_EQ(error("flash: x\n"),
            "k.equivalent:1: 'flash' is no id; ids are as 'padproof mutate' prints them");
  EXPECT_EQ(error("4be2c0d1: a\n4be2c0d1: b\n"),
            "k.equivalent:2: '4be2c0d1' is given twice; keep one");
}

class FlattenTest : public testing::Test {
 protected:
  FlattenTest() {
    std::string name = (fs::temp_directory_path() / "padproof-flatten-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~FlattenTest() override { fs::remove_all(folder_); }
  std::string File(const std::string& name, const std::string& text) const {
    std::ofstream(fs::path(folder_) / name) << text;
    return (fs::path(folder_) / name).string();
  }
  std::string folder_;
};

TEST_F(FlattenTest, TheHeaderStandsWhereItWasIncludedAndOnce) {
  const std::string header = File("h.cuh", "int h;\n");
  File("middle.cuh", "#include \"h.cuh\"\nint m;\n");
  File("other.h", "int o;\n");
  const std::string kernel =
      File("k.cu", "#include \"other.h\"\n#include \"middle.cuh\"\n#include \"h.cuh\"\nint k;\n");
  const auto around = Flatten(kernel, header, {});
  ASSERT_TRUE(around) << around.error().message;
  const std::string line = "#line 1 \"" + fs::canonical(header).string() + "\"\nH\n";
  const std::string text = around->With("H");
  EXPECT_NE(text.find(line), std::string::npos) << text;
  EXPECT_EQ(text.find("int h;"), std::string::npos) << "the edited text takes its place";
  EXPECT_LT(text.find("#include \"other.h\""), text.find("H\n")) << "what leads nowhere stays";
  EXPECT_LT(text.find("H\n"), text.find("int m;"));
  EXPECT_LT(text.find("int m;"), text.find("int k;"));
  EXPECT_EQ(text.find("#include \"h.cuh\""), std::string::npos);
}

TEST_F(FlattenTest, AKernelThatDoesNotIncludeItIsRefused) {
  const std::string header = File("h.cuh", ""), kernel = File("k.cu", "int k;\n");
  const auto around = Flatten(kernel, header, {});
  ASSERT_FALSE(around);
  EXPECT_EQ(around.error().message,
            kernel + ": does not include " + header + "; name a kernel that does");
  EXPECT_FALSE(Flatten(kernel + "x", header, {}));
}

}  // namespace
}  // namespace padproof
