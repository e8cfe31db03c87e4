// case_line: whatever the bytes, they are refused with the column that is wrong, or they are a case
// that is valid and reads as it prints.

#include <cstdlib>

#include "fuzz/support/finding.h"
#include "fuzz/support/text.h"
#include "harness/case/case.h"

namespace padproof {
namespace {

void Require(bool holds, const char* what, const std::string& text) {
  if (!holds) ParserFailed("case_line", what, text);
}

/// "column 7: ..." with a column of the line, or the one behind it.
bool NamesAColumn(const std::string& message, size_t size) {
  constexpr std::string_view kOpening = "column ";
  if (message.rfind(kOpening, 0) != 0) return false;
  const size_t column = std::strtoul(message.c_str() + kOpening.size(), nullptr, 10);
  return column >= 1 && column <= size + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = TextOf(data, size);
  const auto c = Parse(text);
  if (!c) {
    Require(NamesAColumn(c.error().message, size), "an error names no column", text);
    Require(IsOneLine(c.error().message), "an error is not one printable line", text);
    return 0;
  }
  Require(Validate(*c).empty(), "a case that is not valid is read", text);
  const std::string printed = Print(*c);
  const auto again = Parse(printed);
  Require(again && *again == *c, "a case does not read as it prints", text);
  Require(Print(*again) == printed, "a case has two canonical lines", text);
  return 0;
}

}  // namespace padproof
