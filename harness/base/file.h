// Reading a file whole.

#pragma once

#include <optional>
#include <string>

namespace padproof {

/// Its bytes; none if it cannot be read, with errno saying why. Who asks knows the remedy.
std::optional<std::string> ReadFile(const std::string& path);

}  // namespace padproof
