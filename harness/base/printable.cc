#include "harness/base/printable.h"

namespace padproof {

std::string Printable(std::string_view text) {
  constexpr size_t kMost = 40;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string printable;
  for (char c : text.substr(0, kMost)) {
    if (c >= 0x20 && c < 0x7F) {
      printable += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    printable += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
  if (text.size() > kMost) printable += "...";
  return printable;
}

}  // namespace padproof
