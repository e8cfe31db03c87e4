// Runs the program as a person does, for the tests of its commands.

#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "harness/drivers/child.h"
#include "harness/drivers/paths.h"

namespace padproof {

/// A folder that is gone when the test ends.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "padproof-cli-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

  std::string Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = *this / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return file.string();
  }

 private:
  std::string path_;
};

inline std::string TextOf(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Ran {
  int exit_code = -1;
  std::string output;  // stdout and stderr
};

/// Runs a command to its end.
inline Ran RunCommand(std::vector<std::string> argv,
                      const std::vector<std::string>& settings = {}) {
  const TestFolder folder;
  const std::string log = folder / "output";
  auto child = Child::Start(argv, log, settings);
  EXPECT_TRUE(child.ok()) << child.error().message;
  EXPECT_TRUE(child->WaitFor(300)) << argv.front() << " does not end";
  return {child->exit_code(), TextOf(log)};
}

inline Ran RunPadproof(std::vector<std::string> arguments,
                       const std::vector<std::string>& settings = {}) {
  arguments.insert(arguments.begin(), WorkerProgram());
  return RunCommand(std::move(arguments), settings);
}

}  // namespace padproof
