// Where an expression, a statement or an argument starts and ends, told by its tokens alone.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/mutants/edits.h"

namespace padproof {

/// Tokens first .. last.
struct Range {
  size_t first, last;
};

std::string TextOf(const Code& code, const Range& range);

bool IsBinary(const Code& code, size_t n);     // + - * / %, not a sign and not part of a type
bool IsCalled(const Code& code, size_t n);     // a name before (
bool IsMember(const Code& code, size_t n);     // after . or ->
bool IsDeclared(const Code& code, size_t n);   // a name after a type, or a designator
bool IsSubscript(const Code& code, size_t n);  // [ of an access, not of an array's type
bool IsBarrier(const Code& code, size_t n);    // the name of a called barrier

/// The first token of the operand that ends before `n`, the last of the one that begins after it.
/// `weaker` binds less than the operator at `n` and ends the operand; "" for none.
size_t BeginOfOperand(const Code& code, size_t n, std::string_view weaker);
size_t EndOfOperand(const Code& code, size_t n, std::string_view weaker);

/// The `;` of the statement that starts at `n`, an assignment, a call, break or continue; 0 for
/// anything else, and for the whole body of an `if`, whose loss is a guard's.
size_t EndOfStatement(const Code& code, size_t n);

/// What stands between the commas of a call or of a braced list that opens at `n`.
std::vector<Range> ArgumentsAt(const Code& code, size_t n);
/// Both numbers or both other expressions; parameters and designated initialisers are neither.
bool SameKind(const Code& code, const Range& a, const Range& b);

}  // namespace padproof
