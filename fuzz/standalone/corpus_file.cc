// corpus_file: whatever the bytes, as a case file and as a ledger of known failures they are
// refused with their line, or read as entries that read as they print.

#include "fuzz/support/finding.h"
#include "fuzz/support/text.h"
#include "harness/drivers/corpus.h"
#include "harness/drivers/known.h"

namespace padproof {
namespace {

constexpr const char* kFile = "some.case";

void Require(bool holds, const char* what, const std::string& text) {
  if (!holds) ParserFailed("corpus_file", what, text);
}

void RequirePlace(const Error& error, const std::string& text) {
  Require(error.message.rfind(std::string(kFile) + ":", 0) == 0, "an error names no file", text);
  Require(IsOneLine(error.message), "an error is not one printable line", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = TextOf(data, size);
  auto entries = ParseCorpus(kFile, text);
  if (!entries) RequirePlace(entries.error(), text);
  std::string printed;
  if (entries) {
    for (const Entry& entry : *entries) printed += Print(entry) + "\n";
    auto again = ParseCorpus(kFile, printed);
    Require(again && *again == *entries, "entries do not read as they print", text);
  }
  const auto ledger = ParseLedger(kFile, text);
  if (!ledger) {
    RequirePlace(ledger.error(), text);
    return 0;
  }
  for (const auto& [identity, known] : ledger->all()) {
    Require(ledger->Find(known.entry, known.failure) == &known, "a known failure is lost", text);
    Require(!known.reason.empty(), "a known failure has no reason", text);
  }
  return 0;
}

}  // namespace padproof
