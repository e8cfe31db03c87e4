// The architecture as a test: who may include whom, how long a file may get, and what every law and
// kernel file must open with.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace padproof {
namespace {

namespace fs = std::filesystem;

// kernels/ and properties/ never see each other; reference/ knows no kernel and no law.
const std::map<std::string, std::set<std::string>> kAllowed{
    {"harness", {"harness"}},
    {"reference", {"reference", "harness"}},
    {"properties", {"properties", "reference", "harness"}},
    {"kernels", {"kernels", "harness"}},
    {"fuzz", {"fuzz", "harness"}},
};

constexpr int kMaxLines = 400;

std::vector<fs::path> Sources(const std::string& folder) {
  std::vector<fs::path> sources;
  const fs::path root = fs::path(PADPROOF_SOURCE_DIRECTORY) / folder;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".h" || extension == ".cc" || extension == ".cu" || extension == ".cuh") {
      sources.push_back(entry.path());
    }
  }
  return sources;
}

std::vector<std::string> Lines(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// "harness" for `#include "harness/case/case.h"`, "" for any other line.
std::string IncludedFolder(const std::string& line) {
  constexpr std::string_view kOpening = "#include \"";
  if (line.rfind(kOpening, 0) != 0) return {};
  const size_t slash = line.find('/', kOpening.size());
  return slash == std::string::npos ? "" : line.substr(kOpening.size(), slash - kOpening.size());
}

TEST(IncludeArrows, OnlyTheAllowedOnes) {
  int arrows = 0;
  for (const auto& [folder, allowed] : kAllowed) {
    for (const fs::path& file : Sources(folder)) {
      for (const std::string& line : Lines(file)) {
        const std::string target = IncludedFolder(line);
        if (kAllowed.count(target) == 0) continue;
        ++arrows;
        EXPECT_TRUE(allowed.count(target) == 1) << file << " includes " << target << "/: " << line;
      }
    }
  }
  EXPECT_GT(arrows, 100) << "the test no longer sees the includes";
}

TEST(IncludeArrows, LibTorchIsInNoHeaderThatOthersInclude) {
  for (const auto& [folder, allowed] : kAllowed) {
    for (const fs::path& file : Sources(folder)) {
      if (file.filename().string().rfind("torch_", 0) == 0) continue;
      for (const std::string& line : Lines(file)) {
        const bool torch = line.rfind("#include <torch/", 0) == 0 ||
                           line.rfind("#include <ATen/", 0) == 0 ||
                           line.rfind("#include \"kernels/torch_", 0) == 0;
        EXPECT_FALSE(torch) << file << ": " << line;
      }
    }
  }
}

TEST(Tidy, FilesStayShortAndOpenWithAComment) {
  for (const auto& [folder, allowed] : kAllowed) {
    for (const fs::path& file : Sources(folder)) {
      const auto lines = Lines(file);
      EXPECT_LE(lines.size(), kMaxLines) << file;
      ASSERT_FALSE(lines.empty()) << file;
      if (file.extension() == ".h" || file.extension() == ".cu" || folder == "properties") {
        const bool has_comment =
            lines.front().rfind("//", 0) == 0 || fs::exists(fs::path(file).replace_extension(".h"));
        EXPECT_TRUE(has_comment) << file << ": the first lines say what the file decides";
      }
    }
  }
}

}  // namespace
}  // namespace padproof
