// C++ and CUDA source as tokens, just well enough to edit it: comments and preprocessor lines are
// no tokens, brackets know their partners, and what no edit may touch is marked.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace padproof {

struct Token {
  enum class Kind { name, number, text, mark };  // text: a string or a character
  Kind kind = Kind::mark;
  std::string_view text;
  size_t at = 0;  // byte in the source
  int line = 1, column = 1;
  int partner = -1;    // of a bracket: index of the other one; -1: it has none
  bool fixed = false;  // known at compile time, or what a kernel says about itself

  size_t end() const { return at + text.size(); }
  bool Is(std::string_view other) const { return text == other; }
};

/// Views into `source`, which must outlive the tokens. Any text is accepted: of what is no C++ the
/// edits will not compile.
///
/// Fixed are: template heads and arguments, static_assert, attributes, __launch_bounds__, the rows
/// (PADPROOF_KERNEL) and functions that return KernelTraits.
std::vector<Token> Tokenize(std::string_view source);

/// A keyword that names a type or starts a declaration, such as `const` or `int`.
bool StartsDeclaration(std::string_view word);

}  // namespace padproof
