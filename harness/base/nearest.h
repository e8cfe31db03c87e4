// A name that is spelt wrong, and the one that was meant.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace padproof {

/// The name with the fewest edits - a character put in, left out or replaced - to `word`, the first
/// of several; "" if all need more than half of its characters.
std::string Nearest(std::string_view word, const std::vector<std::string>& names);

}  // namespace padproof
