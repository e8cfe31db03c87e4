#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "build_info.h"
#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/corpus.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/paths.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

void Row(bool there, const std::string& name, const std::string& what) {
  fmt::print("{}  {:<34} {}\n", there ? Green("ok     ") : Red("missing"), name, what);
}

bool OnPath(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string folders = path != nullptr ? path : "";
  for (size_t start = 0; start <= folders.size();) {
    const size_t end = std::min(folders.find(':', start), folders.size());
    const fs::path file = fs::path(folders.substr(start, end - start)) / program;
    if (access(file.c_str(), X_OK) == 0) return true;
    start = end + 1;
  }
  return false;
}

// The driver library alone says whether a device can be used; nothing of CUDA is linked here.
int DeviceCount() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return 0;
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto get = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  int count = 0;
  if (init == nullptr || get == nullptr || init(0) != 0 || get(&count) != 0) return 0;
  return count;
}

std::string RowsInWords(const std::vector<KernelInfo>& rows) {
  const std::string device = rows.empty() ? "" : rows.front().device;
  return fmt::format("{} rows{}", rows.size(), device.empty() ? "" : " on " + device);
}

// Loads every library of kernels in a worker, so that a broken one is a row and not a crash.
bool PrintKernels(std::vector<KernelInfo>& missing) {
  bool healthy = true;
  std::vector<std::string> libraries{""};
  for (const std::string& file : DeviceFiles()) libraries.push_back(file);
  for (const std::string& file : PluginFiles()) libraries.push_back(file);
  for (const std::string& library : libraries) {
    Worker worker;
    auto rows = worker.Load(library);
    const std::string name = library.empty() ? "built-in kernels" : "plugin " + Stem(library);
    Row(bool(rows), name, rows ? RowsInWords(*rows) : rows.error().message);
    healthy = healthy && rows;
    if (!rows) continue;
    const bool no_device_build = library.empty() && DeviceFiles().empty();
    std::vector<KernelInfo> skipped = no_device_build ? NotBuilt(*rows) : TakeMissing(*rows);
    for (KernelInfo& kernel : skipped) missing.push_back(std::move(kernel));
  }
  return healthy;
}

int Doctor() {
  fmt::print("padproof {}, built by {}{}\n", kVersion, kCompiler,
             kSanitizers.empty() ? "" : fmt::format(", sanitizers {}", kSanitizers));
  std::vector<KernelInfo> missing;
  const bool healthy = PrintKernels(missing);
  Row(!MutantFiles().empty(), "mutants", fmt::format("{} planted bugs", MutantFiles().size()));
  const std::string corpora = CorporaDirectory();
  Row(fs::is_directory(corpora) && access(corpora.c_str(), W_OK) == 0, "saved cases",
      fmt::format("{} files in {}", CorpusFiles(corpora).size(), corpora));
  const bool clang = OnPath("clang++-19");
  Row(clang, "clang 19 (libFuzzer, sanitizers)",
      clang ? "cmake --preset fuzz" : "apt-get install clang-19 libclang-rt-19-dev");
  const int devices = DeviceCount();
  Row(devices > 0, "CUDA device",
      devices > 0 ? fmt::format("{} found; harness/device/verify runs every law there", devices)
                  : "none: kernels run on the host as @simt");
  for (const LeftOut& row : LeftOutRows()) {
    Row(false, std::string(row.name), fmt::format("{}; to get it: {}", row.why, row.remedy));
  }
  return ReportMissing(missing, healthy ? kExitHolds : kExitHarness, false);
}

}  // namespace

void AddDoctor(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("doctor", "what is installed, what is missing, what to type");
  command->callback([&exit_code] { exit_code = Doctor(); });
}

}  // namespace padproof
