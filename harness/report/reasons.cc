#include "harness/report/reasons.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "harness/base/words.h"

namespace padproof {

std::string NamesOf(const std::vector<KernelInfo>& kernels, const std::vector<bool>& chosen) {
  std::map<std::string, size_t> rows, chosen_rows;  // of each family
  for (size_t k = 0; k < kernels.size(); ++k) {
    const std::string family = FamilyOf(kernels[k].name);
    ++rows[family];
    chosen_rows[family] += chosen[k];
  }
  std::string text, last;
  for (size_t k = 0; k < kernels.size(); ++k) {
    if (!chosen[k]) continue;
    const std::string family = FamilyOf(kernels[k].name);
    const bool whole = rows[family] > 1 && chosen_rows[family] == rows[family];
    const std::string name = whole ? family + "*" : kernels[k].id;
    if (name != last) AppendTo(text, name);
    last = name;
  }
  return text;
}

std::string Reasons(const RunResult& result, const std::vector<KernelInfo>& kernels,
                    const std::vector<const Property*>& laws) {
  std::map<std::pair<std::vector<bool>, std::string>, std::string> laws_of;  // kernels and reason
  for (size_t l = 0; l < laws.size(); ++l) {
    std::map<std::string, std::vector<bool>> kernels_of;  // reason
    for (size_t k = 0; k < kernels.size(); ++k) {
      const std::string& reason = result.cells[k * laws.size() + l].inapplicable;
      if (reason.empty()) continue;
      kernels_of.try_emplace(reason, kernels.size(), false).first->second[k] = true;
    }
    for (const auto& [reason, chosen] : kernels_of) {
      AppendTo(laws_of[{chosen, reason}], laws[l]->name);
    }
  }
  std::vector<std::string> lines;
  for (const auto& [about, names] : laws_of) {
    lines.push_back(
        fmt::format("  {}: {}: {}\n", NamesOf(kernels, about.first), names, about.second));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

}  // namespace padproof
