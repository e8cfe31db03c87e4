#include "harness/drivers/kernel_library.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/base/file.h"
#include "harness/base/random.h"
#include "harness/drivers/child.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

constexpr const char* kLog = "compiler.log";
// No file or seed of a mutant's own may reach its object.
constexpr const char* kSource = "kernel.cu";
constexpr const char* kHeaders =
    "#include \"harness/judge/kernel.h\"\n#include \"harness/simt/simt.h\"\n";

bool WriteFile(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  return static_cast<bool>(out);
}

Result<int> Compile(const KernelRecipe& recipe, const Words& more, const std::string& folder) {
  Words words{recipe.compiler};
  words.insert(words.end(), recipe.compile.begin(), recipe.compile.end());
  words.insert(words.end(), {"-g0", "-w"});
  words.insert(words.end(), more.begin(), more.end());
  return RunProgram(words, folder, kLog);
}

std::string CommandOf(const KernelRecipe& recipe) {
  std::string text = recipe.compiler;
  for (const std::string& flag : recipe.compile) text += " " + flag;
  return text;
}

// Everything that a compiled header depends on but the command: a change of the headers rebuilds
// padproof.
std::string StampOf() {
  std::error_code ignored;
  return std::to_string(fs::last_write_time(WorkerProgram(), ignored).time_since_epoch().count());
}

void Append(Words& to, const json& list, const std::string& prefix = {}) {
  for (const json& word : list) {
    if (!word.get<std::string>().empty()) to.push_back(prefix + word.get<std::string>());
  }
}

}  // namespace

Result<KernelRecipe> ReadKernelRecipe() try {
  const std::string path = ExecutableDirectory() + "/kernel_library.CXX.json";
  const auto text = ReadFile(path);
  if (!text) return Error{path + ": cannot be read; run cmake again"};
  const json recipe = json::parse(*text);
  KernelRecipe result{.compiler = recipe.at("compiler"), .compile = {}, .link = {}, .include = {}};
  Append(result.compile, recipe.at("flags"));
  Append(result.compile, recipe.at("options"));
  Append(result.compile, recipe.at("define"), "-D");
  result.compile.push_back("-DPADPROOF_EDIT=\"mutated\"");
  Append(result.compile, recipe.at("include"), "-I");
  Append(result.include, recipe.at("include"));
  Append(result.link, recipe.at("objects"));
  Append(result.link, recipe.at("link"));
  return result;
} catch (const json::exception& e) {
  return Error{ExecutableDirectory() + "/kernel_library.CXX.json: " + e.what() +
               "; run cmake again"};
}

Result<std::string> PrecompiledHeader(const KernelRecipe& recipe, const std::string& folder) {
  // By command: a compiler dies of what it compiled with other flags for a run beside this one.
  const std::string name = fmt::format("kernel_headers-{:016x}.h", HashOf(CommandOf(recipe)));
  const fs::path header = fs::absolute(folder) / name;
  std::error_code ignored;
  fs::create_directories(folder, ignored);
  const std::string made_for = StampOf(), stamp = header.string() + ".stamp";
  const std::string made = header.string() + ".gch";
  if (ReadFile(stamp) == made_for && fs::exists(made)) return header.string();
  if (!WriteFile(header, kHeaders)) {
    return Error{folder + ": cannot be written; choose another with --folder"};
  }
  const std::string fresh = made + "." + std::to_string(getpid());  // another run may use the old
  const auto done = Compile(recipe, {"-xc++-header", "-c", header.string(), "-o", fresh}, folder);
  if (!done) return done.error();
  if (*done != 0) return Error{header.string() + " does not compile; see " + folder + "/" + kLog};
  fs::rename(fresh, made, ignored);
  if (ignored || !WriteFile(stamp, made_for)) return Error{made + ": cannot be written"};
  return header.string();
}

KernelCompiler::KernelCompiler(KernelRecipe recipe, std::string folder, std::string header)
    : recipe_(std::move(recipe)), folder_(std::move(folder)), header_(std::move(header)) {}

Result<Built> KernelCompiler::Build(const std::string& text, const std::string& source_file,
                                    const std::string& original) {
  if (!WriteFile(fs::path(folder_) / kSource, text)) {
    return Error{folder_ + ": cannot be written; is the disk full?"};
  }
  const std::string beside = fs::absolute(source_file).parent_path().string();
  const auto compiled = Compile(recipe_,
                                {"-frandom-seed=0", "-iquote", beside, "-include", header_, "-xc++",
                                 "-c", kSource, "-o", "kernel.o"},
                                folder_);
  if (!compiled) return compiled.error();
  if (*compiled != 0) return Built::does_not_compile;
  if (!original.empty() && ReadFile(object()) == ReadFile(original)) return Built::same_code;
  Words words{recipe_.compiler, "-shared", "-o", "kernel.so", "kernel.o"};
  words.insert(words.end(), recipe_.link.begin(), recipe_.link.end());
  const auto linked = RunProgram(words, folder_, kLog);
  if (!linked) return linked.error();
  return *linked == 0 ? Built::library : Built::does_not_compile;
}

std::string KernelCompiler::Messages(int lines) const {
  std::ifstream in(fs::path(folder_) / kLog);
  std::string text;
  for (std::string line; lines > 0 && std::getline(in, line); --lines) {
    text += (text.empty() ? "" : "; ") + line;
  }
  return text;
}

}  // namespace padproof
