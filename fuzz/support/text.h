// Inputs are text: the first line that says something, # starts a comment.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace padproof {

std::string TextOf(const uint8_t* data, size_t size);

/// Without its comment; "" if every line is blank or a comment.
std::string FirstLine(const uint8_t* data, size_t size);

/// True for a message that a person reads on one line of a terminal.
bool IsOneLine(const std::string& message);

/// Writes the line; how many bytes, 0 if there is no room for it.
size_t Store(const std::string& line, uint8_t* data, size_t max_size);

}  // namespace padproof
