#include "harness/drivers/replay.h"

#include <filesystem>

#include "harness/drivers/catalogue.h"

namespace padproof {

Result<std::vector<Replayable>> ReadReplayables(const std::string& text_or_path) {
  std::error_code ignored;
  std::vector<std::string> files;
  if (std::filesystem::is_directory(text_or_path, ignored)) {
    files = CorpusFiles(text_or_path);
    if (files.empty()) return Error{text_or_path + ": no *.case file in this folder"};
  } else if (std::filesystem::exists(text_or_path, ignored)) {
    files = {text_or_path};
  } else {
    auto entry = ParseEntry(text_or_path);
    if (!entry) {
      return Error{"'" + text_or_path + "' is neither a file nor a case: " + entry.error().message};
    }
    return std::vector<Replayable>{{std::move(*entry), ""}};
  }
  std::vector<Replayable> all;
  for (const std::string& file : files) {
    auto entries = ReadCorpusFile(file);
    if (!entries) return entries.error();
    for (Entry& entry : *entries) all.push_back({std::move(entry), file});
  }
  return all;
}

Result<Verdict> Replay(const Entry& entry, Worker& worker, double deadline_seconds) {
  if (const auto law = FindLaws(entry.law); !law) return law.error();
  const auto kernel = FindOneKernel(entry.kernel, worker);
  if (!kernel) return kernel.error();
  return worker.Judge(*kernel, entry.law, Print(entry.c), deadline_seconds);
}

}  // namespace padproof
