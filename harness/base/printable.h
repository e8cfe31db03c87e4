// Text from outside inside a message: short, and on one line whatever its bytes are.

#pragma once

#include <string>
#include <string_view>

namespace padproof {

/// Its first 40 bytes, those that are not printable ASCII as \xNN; ... where more follow.
std::string Printable(std::string_view text);

}  // namespace padproof
