#include "harness/base/file.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace padproof {

std::optional<std::string> ReadFile(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {  // which opens, and reads as empty
    errno = EISDIR;
    return std::nullopt;
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace padproof
