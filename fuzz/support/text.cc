#include "fuzz/support/text.h"

#include <algorithm>
#include <sstream>

namespace padproof {

std::string TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

std::string FirstLine(const uint8_t* data, size_t size) {
  std::istringstream lines(TextOf(data, size));
  for (std::string line; std::getline(lines, line);) {
    line.resize(std::min(line.find('#'), line.size()));
    if (line.find_first_not_of(" \t\r") != std::string::npos) return line;
  }
  return {};
}

bool IsOneLine(const std::string& message) {
  return !message.empty() && std::none_of(message.begin(), message.end(),
                                          [](unsigned char c) { return c < ' ' || c == 0x7F; });
}

size_t Store(const std::string& line, uint8_t* data, size_t max_size) {
  if (line.size() + 1 > max_size) return 0;
  *std::copy(line.begin(), line.end(), data) = '\n';
  return line.size() + 1;
}

}  // namespace padproof
