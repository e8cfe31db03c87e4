// Small wrong edits of a kernel's source, made by rule: what a tired author could have typed
// instead. Each is one change of a few bytes; whether it compiles, and whether a law sees it, is
// for others to find out.

#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "harness/mutants/tokens.h"

namespace padproof {

struct Edit {
  std::string id;  // the same wherever the line stands: of its text, the column and the edit
  std::string op;  // the operator's name
  size_t at = 0, length = 0;
  std::string replacement;
  int line = 1, column = 1;
  std::string what;         // "'<' -> '<='"
  std::string source_line;  // without blanks around it
};

/// What the operators look at. Views into the source, which must outlive it.
struct Code {
  std::string_view source;
  std::vector<Token> tokens;
  std::set<std::string_view> names;  // that an edit may put in place of another
};

/// `elsewhere`: more source whose names the edits may use, such as the files that include this one.
Code ReadCode(std::string_view source, std::string_view elsewhere = {});

/// Collects the edits of one operator.
class Edits {
 public:
  Edits(const Code& code, std::string_view op, std::vector<Edit>& to)
      : code_(code), op_(op), to_(to) {}

  /// Tokens first .. last become `replacement`; nothing happens if one of them is fixed.
  void Replace(size_t first, size_t last, const std::string& replacement);
  /// Tokens first .. last are taken out; `with` stays in their place.
  void Drop(size_t first, size_t last, const std::string& with = {});

 private:
  void Add(size_t first, size_t last, const std::string& replacement, const std::string& what);

  const Code& code_;
  const std::string_view op_;
  std::vector<Edit>& to_;
};

/// One kind of slip: `find` adds the edits that start with, or are about, token `n`.
struct Operator {
  const char* name;
  const char* meaning;
  void (*find)(const Code& code, size_t n, Edits& edits);
};

const std::vector<Operator>& Operators();

/// All edits by place, then operator; ids are unique.
std::vector<Edit> AllEdits(const Code& code);

/// The source with the edit; no line is added or removed.
std::string Applied(const Edit& edit, std::string_view source);

}  // namespace padproof
