// Colours on a terminal, plain text in a log.

#pragma once

#include <string>
#include <string_view>

namespace padproof {

/// True when stdout is a terminal and NO_COLOR is not set.
bool ColourOnStdout();

std::string Red(std::string_view text);
std::string Green(std::string_view text);
std::string Dim(std::string_view text);

}  // namespace padproof
