#include "harness/report/style.h"

#include <unistd.h>

#include <cstdlib>

namespace padproof {
namespace {

std::string Paint(const char* code, std::string_view text) {
  if (!ColourOnStdout()) return std::string(text);
  return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
}

}  // namespace

bool ColourOnStdout() {
  static const bool colour = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  return colour;
}

std::string Red(std::string_view text) { return Paint("1;31", text); }
std::string Green(std::string_view text) { return Paint("32", text); }
std::string Dim(std::string_view text) { return Paint("2", text); }

}  // namespace padproof
