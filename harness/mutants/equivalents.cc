#include "harness/mutants/equivalents.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "harness/base/printable.h"

namespace padproof {
namespace {

bool IsId(const std::string& word) {
  const std::string digits = word.substr(0, word.find('.'));
  const bool hexadecimal = digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  const std::string rest = word.substr(digits.size());
  const bool counted =
      rest.empty() ||
      (rest.size() > 1 && rest.find_first_not_of("0123456789", 1) == std::string::npos);
  return digits.size() == 8 && hexadecimal && counted;
}

}  // namespace

Result<Equivalents> ParseEquivalents(std::string_view path, std::string_view text) {
  Equivalents equivalents;
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const auto wrong = [&](const std::string& what) {
      return Error{std::string(path) + ":" + std::to_string(number) + ": " + what};
    };
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) return wrong("no colon; write 'id id ...: reason'");
    const size_t reason = line.find_first_not_of(" \t\r", colon + 1);
    if (reason == std::string::npos) return wrong("no reason after the colon; say why");
    std::istringstream ids{line.substr(0, colon)};
    for (std::string id; ids >> id;) {
      if (!IsId(id))
        return wrong("'" + Printable(id) + "' is no id; ids are as 'padproof mutate' prints them");
      if (!equivalents.emplace(id, line.substr(reason)).second) {
        return wrong("'" + id + "' is given twice; keep one");
      }
    }
  }
  return equivalents;
}

std::string EquivalentsFileOf(const std::string& source_path) {
  const std::filesystem::path source(source_path);
  const std::string name = source.stem().string() + ".equivalent";
  const std::filesystem::path folder = source.parent_path() / "mutants";
  std::error_code ignored;
  if (std::filesystem::is_directory(folder, ignored)) return (folder / name).string();
  return (source.parent_path() / name).string();
}

}  // namespace padproof
