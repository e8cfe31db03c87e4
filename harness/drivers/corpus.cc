#include "harness/drivers/corpus.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "harness/base/file.h"
#include "harness/base/printable.h"
#include "harness/base/words.h"
#include "harness/drivers/kernel_info.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

std::string_view TakeWord(std::string_view& text) {
  text = Trim(text);
  const size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

}  // namespace

std::string Print(const Entry& entry) {
  return entry.law + " " + entry.kernel + " " + Print(entry.c);
}

Result<Entry> ParseEntry(std::string_view line) {
  std::string_view rest = line;
  Entry entry;
  entry.law = TakeWord(rest);
  entry.kernel = TakeWord(rest);
  if (entry.law.empty() || entry.law.find('=') != std::string::npos ||
      entry.kernel.find('@') == std::string::npos) {
    return Error{
        "expected 'LAW KERNEL@BACKEND lens_q=... lens_k=... dim=...', as a report prints it"};
  }
  auto c = Parse(Trim(rest));
  if (!c)
    return Error{"in the case after '" + Printable(entry.law) + " " + Printable(entry.kernel) +
                 "': " + c.error().message};
  entry.c = std::move(*c);
  return entry;
}

Result<std::vector<Entry>> ParseCorpus(const std::string& path, const std::string& text) {
  std::istringstream in(text);
  std::vector<Entry> entries;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const std::string_view said = Trim(std::string_view(line).substr(0, line.find('#')));
    if (said.empty()) continue;
    auto entry = ParseEntry(said);
    if (!entry) return Error{path + ":" + std::to_string(number) + ": " + entry.error().message};
    entries.push_back(std::move(*entry));
  }
  if (entries.empty()) return Error{path + ": holds no case; a case file has one entry a line"};
  return entries;
}

Result<std::vector<Entry>> ReadCorpusFile(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text) return Error{path + ": cannot be read: " + std::strerror(errno)};
  return ParseCorpus(path, *text);
}

std::vector<std::string> CorpusFiles(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; it != end; it.increment(error)) {
    if (error) break;
    if (it->path().extension() == ".case") files.push_back(it->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string FreshName(const std::string& directory, const Entry& entry) {
  const fs::path folder = fs::path(directory) / FamilyOf(entry.kernel);
  std::error_code ignored;
  for (int n = 1;; ++n) {
    const fs::path path = folder / (entry.law + "-" + std::to_string(n) + ".case");
    if (!fs::exists(path, ignored)) return path.string();
  }
}

std::string FindEntry(const std::string& directory, const Entry& entry) {
  for (const std::string& file : CorpusFiles(directory)) {
    const auto entries = ReadCorpusFile(file);
    if (!entries) continue;
    if (std::find(entries->begin(), entries->end(), entry) != entries->end()) return file;
  }
  return {};
}

}  // namespace padproof
