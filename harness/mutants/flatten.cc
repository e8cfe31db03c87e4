#include "harness/mutants/flatten.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "harness/base/file.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

fs::path Canonical(const fs::path& path) {
  std::error_code ignored;
  const fs::path canonical = fs::weakly_canonical(path, ignored);
  return ignored ? path : canonical;
}

std::string LineDirective(int line, const fs::path& file) {
  return "#line " + std::to_string(line) + " \"" + file.string() + "\"\n";
}

class Flattener {
 public:
  Flattener(const fs::path& edited, const std::vector<std::string>& roots)
      : edited_(Canonical(edited)), roots_(roots) {}

  /// Appends the file to what comes before the edited one, or after it once that has come.
  void TakeIn(const fs::path& file) {
    if (!taken_.insert(file).second) return;
    if (file == edited_) {
      parts_[0] += LineDirective(1, file);
      part_ = 1;
      parts_[1] += "\n";
      return;
    }
    parts_[part_] += LineDirective(1, file);
    std::ifstream in(file);
    int number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      const fs::path included = Resolve(line, file);
      if (!included.empty() && Leads(included)) {
        TakeIn(included);
        parts_[part_] += LineDirective(number + 1, file);
      } else {
        parts_[part_] += line + "\n";
      }
    }
  }

  /// Whether the file is, or includes, the edited one.
  bool Leads(const fs::path& file) {
    if (file == edited_) return true;
    if (const auto known = leads_.find(file); known != leads_.end()) return known->second;
    leads_[file] = false;  // for a circle
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      const fs::path included = Resolve(line, file);
      if (!included.empty() && Leads(included)) leads_[file] = true;
    }
    return leads_[file];
  }

  const std::string& part(size_t n) const { return parts_[n]; }

 private:
  /// Where `#include "x"` in `file` leads, or an empty path.
  fs::path Resolve(const std::string& line, const fs::path& file) const {
    const size_t hash = line.find_first_not_of(" \t");
    if (hash == std::string::npos || line[hash] != '#') return {};
    const size_t open = line.find('"');
    if (line.find("include") == std::string::npos || open == std::string::npos) return {};
    const std::string name = line.substr(open + 1, line.find('"', open + 1) - open - 1);
    std::vector<fs::path> places{file.parent_path()};
    places.insert(places.end(), roots_.begin(), roots_.end());
    for (const fs::path& place : places) {
      if (fs::is_regular_file(place / name)) return Canonical(place / name);
    }
    return {};
  }

  const fs::path edited_;
  const std::vector<std::string>& roots_;
  std::map<fs::path, bool> leads_;
  std::set<fs::path> taken_;
  std::string parts_[2];
  size_t part_ = 0;
};

}  // namespace

Result<std::string> ReadSource(const std::string& path) {
  if (!fs::is_regular_file(path)) return Error{path + ": no such file; check the path"};
  auto text = ReadFile(path);
  if (!text) return Error{path + ": cannot be read; check its permissions"};
  return std::move(*text);
}

Result<Surroundings> Flatten(const std::string& kernel_file, const std::string& edited_file,
                             const std::vector<std::string>& roots) {
  if (const auto readable = ReadSource(kernel_file); !readable) return readable.error();
  Flattener flattener(edited_file, roots);
  const fs::path kernel = Canonical(kernel_file);
  if (!flattener.Leads(kernel)) {
    return Error{kernel_file + ": does not include " + edited_file + "; name a kernel that does"};
  }
  flattener.TakeIn(kernel);
  return Surroundings{kernel_file, flattener.part(0), flattener.part(1)};
}

}  // namespace padproof
