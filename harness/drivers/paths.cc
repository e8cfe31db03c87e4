#include "harness/drivers/paths.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace padproof {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> SharedLibrariesIn(const fs::path& directory) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".so") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The files that an environment variable names, colon separated.
std::vector<std::string> FilesNamedIn(const char* variable) {
  std::vector<std::string> files;
  const char* named = std::getenv(variable);
  std::stringstream list{std::string(named != nullptr ? named : "")};
  for (std::string file; std::getline(list, file, ':');) {
    if (!file.empty()) files.push_back(file);
  }
  return files;
}

}  // namespace

std::string ExecutableDirectory() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? "." : self.parent_path().string();
}

std::string WorkerProgram() { return ExecutableDirectory() + "/padproof"; }

std::vector<std::string> PluginFiles() {
  auto files = SharedLibrariesIn(fs::path(ExecutableDirectory()) / "plugins");
  for (std::string& file : FilesNamedIn("PADPROOF_PLUGINS")) files.push_back(std::move(file));
  return files;
}

std::vector<std::string> DeviceFiles() {
  if (std::getenv("PADPROOF_DEVICE_PLUGINS") != nullptr) {
    return FilesNamedIn("PADPROOF_DEVICE_PLUGINS");
  }
  return SharedLibrariesIn(fs::path(ExecutableDirectory()) / "device");
}

std::vector<std::string> MutantFiles() {
  return SharedLibrariesIn(fs::path(ExecutableDirectory()) / "mutants");
}

std::string SourceDirectory() { return PADPROOF_SOURCE_DIRECTORY; }

std::string PluginsNamed() {
  const char* named = std::getenv("PADPROOF_PLUGINS");
  return named != nullptr ? named : "";
}

std::string CorporaDirectory() {
  if (const char* named = std::getenv("PADPROOF_CORPORA")) return named;
  // Findings about kernels from elsewhere are not ours to keep.
  if (!PluginsNamed().empty()) return "corpora";
  std::error_code ignored;
  const fs::path source = fs::path(SourceDirectory()) / "corpora";
  return fs::is_directory(source, ignored) ? source.string() : "corpora";
}

std::string Stem(const std::string& path) { return fs::path(path).stem().string(); }

}  // namespace padproof
