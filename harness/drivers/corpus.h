// Saved cases: text files with one entry a line and # comments that say why it is here.
//
//   pad_poison_immunity flash_fwd@simt lens_q=1 lens_k=17 pad_k=1 dim=1 fill=nan

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/base/check.h"
#include "harness/case/case.h"

namespace padproof {

/// A law, a kernel and a case: what a finding is, and what `replay` takes.
struct Entry {
  std::string law;
  std::string kernel;  // id
  Case c;
  bool operator==(const Entry&) const = default;
};

std::string Print(const Entry& entry);
Result<Entry> ParseEntry(std::string_view line);

/// All entries of a file's text; an error names file, line and column.
Result<std::vector<Entry>> ParseCorpus(const std::string& path, const std::string& text);
Result<std::vector<Entry>> ReadCorpusFile(const std::string& path);

/// Every *.case file below `directory`, sorted.
std::vector<std::string> CorpusFiles(const std::string& directory);

/// A fresh name `directory/<family>/<law>-<n>.case`.
std::string FreshName(const std::string& directory, const Entry& entry);

/// The file below `directory` that already holds this entry, or "".
std::string FindEntry(const std::string& directory, const Entry& entry);

}  // namespace padproof
