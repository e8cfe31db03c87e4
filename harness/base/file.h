// Reading a file whole.

#pragma once

#include <optional>
#include <string>

namespace padproof {

/// Its bytes; none if it cannot be read. Who asks knows the remedy.
std::optional<std::string> ReadFile(const std::string& path);

}  // namespace padproof
