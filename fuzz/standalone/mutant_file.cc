// mutant_file: whatever the bytes, they are refused with a line that is there, or they are a mutant
// whose edit, where it applies, changes the source.

#include "harness/mutants/mutant_file.h"

#include <algorithm>
#include <cstdlib>

#include "fuzz/support/finding.h"
#include "fuzz/support/text.h"

namespace padproof {
namespace {

constexpr const char* kFile = "some.mutant";

void Require(bool holds, const char* what, const std::string& text) {
  if (!holds) ParserFailed("mutant_file", what, text);
}

/// "some.mutant:7: ..." with a line of the text.
void RequirePlace(const Error& error, const std::string& text) {
  const std::string opening = std::string(kFile) + ":";
  Require(error.message.rfind(opening, 0) == 0, "an error names no file", text);
  const long line = std::strtol(error.message.c_str() + opening.size(), nullptr, 10);
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  Require(line >= 1 && line <= lines, "an error names no line of the file", text);
  Require(IsOneLine(error.message), "an error is not one printable line", text);
}

/// A source that every replacement matches.
std::string SourceOf(const Mutant& mutant) {
  std::string source;
  for (const Replacement& replacement : mutant.replacements) {
    for (const std::string& line : replacement.before) source += line + "\n";
    source += "\n";
  }
  return source;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = TextOf(data, size);
  const auto mutant = ParseMutant(kFile, text);
  if (!mutant) {
    RequirePlace(mutant.error(), text);
    return 0;
  }
  Require(!mutant->replacements.empty(), "a mutant replaces nothing", text);
  const std::string source = SourceOf(*mutant);
  const std::string kernel = IsOneLine(mutant->kernel) ? mutant->kernel : "some";
  const auto edited = ApplyMutant(*mutant, "kernels/" + kernel + ".cu", source);
  if (edited) {
    Require(*edited != source, "an edit changes nothing", text);
  } else {
    RequirePlace(edited.error(), text);
  }
  return 0;
}

}  // namespace padproof
