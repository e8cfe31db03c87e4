#include "harness/drivers/catalogue.h"

#include <algorithm>

#include "harness/base/nearest.h"
#include "harness/base/printable.h"
#include "harness/base/words.h"
#include "harness/drivers/device_rows.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

bool Matches(const std::string& pattern, const KernelInfo& kernel) {
  const bool mutant = !MutantOf(kernel.name).empty();
  if (mutant && pattern.find('~') == std::string::npos) return false;
  return GlobMatch(pattern, kernel.id) || GlobMatch(pattern, kernel.name);
}

bool Matches(const std::vector<std::string>& patterns, const KernelInfo& kernel) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& p) { return Matches(p, kernel); });
}

/// Rows of the libraries that can hold a match.
Result<std::vector<KernelInfo>> Candidates(const std::string& patterns, Worker& worker) {
  const bool spelled_out = patterns.find_first_of("*?,") == std::string::npos;
  std::vector<KernelInfo> candidates;
  for (const std::string& library : LibrariesFor(patterns)) {
    auto rows = worker.Load(library);
    if (!rows) return rows.error();
    if (library.empty() && DeviceFiles().empty()) {
      for (KernelInfo& kernel : NotBuilt(*rows)) rows->push_back(std::move(kernel));
    }
    candidates.insert(candidates.end(), rows->begin(), rows->end());
    // A spelled-out id needs no further library; LibTorch alone takes a second to load.
    const bool found = std::any_of(rows->begin(), rows->end(),
                                   [&](const KernelInfo& k) { return Matches(patterns, k); });
    if (spelled_out && found) break;
  }
  return candidates;
}

Error NoKernel(const std::string& pattern, const std::vector<KernelInfo>& kernels) {
  const bool with_backend = pattern.find('@') != std::string::npos;
  const bool mutant = pattern.find('~') != std::string::npos;
  std::vector<std::string> names;
  for (const KernelInfo& kernel : kernels) names.push_back(with_backend ? kernel.id : kernel.name);
  const bool family_known =
      std::any_of(kernels.begin(), kernels.end(), [&](const KernelInfo& kernel) {
        return GlobMatch(FamilyOf(pattern), FamilyOf(kernel.name));
      });
  std::string message = "no kernel matches '" + Printable(pattern) + "'";
  const std::string nearest = Nearest(pattern, names);
  if (!nearest.empty()) message += "; the nearest is '" + nearest + "'";
  message += std::string("; 'padproof list") + (mutant ? " --mutants" : "") + "' names all";
  if (!family_known) message += "; one of a library needs PADPROOF_PLUGINS=FILE.so";
  return {message};
}

}  // namespace

bool MatchesAny(const std::string& patterns, const KernelInfo& kernel) {
  return Matches(SplitAtCommas(patterns), kernel);
}

std::vector<std::string> LibrariesFor(const std::string& pattern_list) {
  const auto patterns = SplitAtCommas(pattern_list);
  std::vector<std::string> libraries{""};
  for (std::string& file : DeviceFiles()) libraries.push_back(std::move(file));
  for (std::string& file : PluginFiles()) libraries.push_back(std::move(file));
  for (const std::string& file : MutantFiles()) {
    const bool wanted = std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) {
      return p.find('~') != std::string::npos && GlobMatch(MutantOf(p), Stem(file));
    });
    if (wanted) libraries.push_back(file);
  }
  return libraries;
}

bool GlobMatch(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    while (!pattern.empty() && pattern.front() == '*') pattern.remove_prefix(1);
    if (pattern.empty()) return true;
    for (size_t at = 0; at <= text.size(); ++at) {
      if (GlobMatch(pattern, text.substr(at))) return true;
    }
    return false;
  }
  if (text.empty() || (pattern.front() != '?' && pattern.front() != text.front())) return false;
  return GlobMatch(pattern.substr(1), text.substr(1));
}

Result<std::vector<KernelInfo>> FindKernels(const std::string& patterns, Worker& worker) {
  const auto wanted = SplitAtCommas(patterns);
  auto kernels = Candidates(patterns, worker);
  if (!kernels) return kernels.error();
  for (const std::string& pattern : wanted) {  // a name that is spelt wrong must not pass unseen
    const bool matches = std::any_of(kernels->begin(), kernels->end(),
                                     [&](const KernelInfo& k) { return Matches(pattern, k); });
    if (!matches) return NoKernel(pattern, *kernels);
  }
  if (wanted.empty()) return NoKernel(patterns, *kernels);
  std::erase_if(*kernels, [&](const KernelInfo& k) { return !Matches(wanted, k); });
  std::sort(kernels->begin(), kernels->end(),
            [](const KernelInfo& a, const KernelInfo& b) { return a.id < b.id; });
  const auto twin =
      std::adjacent_find(kernels->begin(), kernels->end(),
                         [](const KernelInfo& a, const KernelInfo& b) { return a.id == b.id; });
  if (twin != kernels->end()) {
    return Error{"two kernels are called '" + twin->id + "' (" + twin->file + " and " +
                 (twin + 1)->file + "); rename one"};
  }
  return kernels;
}

Result<KernelInfo> FindOneKernel(const std::string& id, Worker& worker) {
  auto kernels = FindKernels(id, worker);
  if (!kernels) return kernels.error();
  const KernelInfo& first = kernels->front();
  if (kernels->size() > 1 || (first.id != id && first.name != id)) {
    return Error{"'" + Printable(id) +
                 "' is no kernel's id but a pattern; 'padproof list' names all"};
  }
  return first;
}

Result<std::vector<const Property*>> FindLaws(const std::string& patterns) {
  const auto wanted = SplitAtCommas(patterns);
  std::vector<const Property*> found;
  std::vector<std::string> names;
  for (const Property* law : Properties()) {
    names.emplace_back(law->name);
    if (std::any_of(wanted.begin(), wanted.end(),
                    [&](const std::string& p) { return GlobMatch(p, law->name); })) {
      found.push_back(law);
    }
  }
  for (const std::string& pattern : wanted) {  // a name that is spelt wrong must not pass unseen
    const bool matches = std::any_of(names.begin(), names.end(),
                                     [&](const std::string& n) { return GlobMatch(pattern, n); });
    if (!matches) return Error{"no law matches '" + pattern + "'; there are " + Join(names)};
  }
  return found;
}

}  // namespace padproof
