// The same target without libFuzzer: replays the files and folders it is given, so that every
// build, with any compiler, runs the saved inputs. libFuzzer's flags (-runs=0, ...) are accepted
// and ignored; --all says that every input must be one of this target.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

// 0 replayed, 1 not an input of this target, 2 unreadable.
int ReplayFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in && !in.eof()) {
    std::fprintf(stderr, "padproof: %s: cannot be read; name a case file\n", path.c_str());
    return 2;
  }
  return LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size()) == 0
             ? 0
             : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr,
                 "padproof: this build of a target replays what it is given, files or folders; one "
                 "that searches is made by cmake --preset fuzz && cmake --build --preset fuzz\n");
    return 2;
  }
  int counts[3] = {0, 0, 0};
  bool all = false;
  for (int a = 1; a < argc; ++a) {
    const std::string argument = argv[a];
    all |= argument == "--all";
    if (!argument.empty() && argument[0] == '-') continue;
    std::error_code error;
    if (!fs::exists(argument, error)) {
      std::fprintf(stderr, "padproof: %s: no such file or folder\n", argument.c_str());
      return 2;
    }
    std::vector<fs::path> files{argument};
    if (fs::is_directory(argument, error)) {
      files.clear();
      for (const auto& entry : fs::recursive_directory_iterator(argument)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
      }
      std::sort(files.begin(), files.end());
    }
    for (const fs::path& file : files) ++counts[ReplayFile(file)];
  }
  std::printf("replayed %d inputs, %d were not for this target\n", counts[0], counts[1]);
  if (all && (counts[0] == 0 || counts[1] > 0)) {
    std::fprintf(stderr, "padproof: --all: an input that this target does not take, or none\n");
    return 1;
  }
  return counts[2] == 0 ? 0 : 2;
}
