#include "harness/mutants/expressions.h"

#include <algorithm>
#include <array>

namespace padproof {
namespace {

using Kind = Token::Kind;

template <size_t count>
bool IsOneOf(std::string_view text, const std::array<std::string_view, count>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool OpensBracket(const Token& token) { return token.Is("(") || token.Is("[") || token.Is("{"); }
bool ClosesBracket(const Token& token) { return token.Is(")") || token.Is("]") || token.Is("}"); }

bool IsKeyword(std::string_view word) {
  static constexpr std::array<std::string_view, 12> words{"if",     "for",  "while",  "switch",
                                                          "return", "else", "do",     "case",
                                                          "sizeof", "new",  "delete", "throw"};
  return IsOneOf(word, words);
}

/// An expression may end with it.
bool EndsOperand(const Token& token) {
  if (token.kind == Kind::name) return !IsKeyword(token.text) && !StartsDeclaration(token.text);
  return token.kind == Kind::number || token.Is(")") || token.Is("]");
}

/// No operand of && || ?: goes on across it.
bool EndsExpression(const Token& token, std::string_view weaker) {
  static constexpr std::array<std::string_view, 14> marks{
      ",", ";", "=", "?", ":", "+=", "-=", "*=", "/=", "|=", "&=", "^=", "return", "}"};
  return IsOneOf(token.text, marks) || (!weaker.empty() && token.Is(weaker));
}

/// Whether `{` at n opens statements: it follows what a function, a lambda or a control statement
/// ends with, or another statement.
bool IsBlock(const Code& code, size_t n) {
  static constexpr std::array<std::string_view, 9> before{")", "else", "do", "const", "noexcept",
                                                          "]", "{",    "}",  ";"};
  return n > 0 && IsOneOf(code.tokens[n - 1].text, before);
}

/// The bracket around token n, or -1.
int Around(const Code& code, size_t n) {
  for (size_t m = n; m-- > 0;) {
    const Token& token = code.tokens[m];
    if (ClosesBracket(token) && token.partner >= 0) {
      m = static_cast<size_t>(token.partner);
    } else if (OpensBracket(token)) {
      return static_cast<int>(m);
    }
  }
  return -1;
}

bool EndsHeader(const Code& code, size_t n, std::string_view keyword) {
  const Token& token = code.tokens[n];
  if (!token.Is(")") || token.partner < 1) return false;
  return code.tokens[static_cast<size_t>(token.partner) - 1].Is(keyword);
}

bool StartsStatement(const Code& code, size_t n) {
  if (n == 0) return false;
  const Token& before = code.tokens[n - 1];
  if (EndsHeader(code, n - 1, "for") || EndsHeader(code, n - 1, "while")) return true;
  if (!before.Is(";") && !before.Is("{") && !before.Is("}")) return false;
  const int around = Around(code, n);
  return around >= 0 && code.tokens[static_cast<size_t>(around)].Is("{") &&
         IsBlock(code, static_cast<size_t>(around));
}

/// "Type name", "ns::Type<T> name", "Type* name", SIMT_SHARED(...): starts at n.
bool DeclaresAt(const Code& code, size_t n) {
  const auto& tokens = code.tokens;
  if (StartsDeclaration(tokens[n].text) ||
      tokens[n].text.find("SHARED") != std::string_view::npos) {
    return true;
  }
  size_t m = n;
  while (m + 2 < tokens.size() && tokens[m].kind == Kind::name && tokens[m + 1].Is("::")) m += 2;
  if (tokens[m].kind != Kind::name || m + 1 >= tokens.size()) return false;
  ++m;
  while (m < tokens.size() && tokens[m].fixed) ++m;  // template arguments
  const bool pointer = tokens[m].Is("*") || tokens[m].Is("&");
  if (pointer && m + 1 < tokens.size()) return !IsBinary(code, m);
  return tokens[m].kind == Kind::name;
}

/// The last token before a comma or `end`.
size_t EndOfArgument(const Code& code, size_t first, size_t end) {
  size_t m = first;
  for (; m < end && !code.tokens[m].Is(","); ++m) {
    if (code.tokens[m].partner > static_cast<int>(m))
      m = static_cast<size_t>(code.tokens[m].partner);
    // The commas of template arguments, which are no brackets, are fixed.
    while (m + 1 < end && code.tokens[m + 1].fixed) ++m;
  }
  return m - 1;
}

bool IsParameterOrDesignator(const Code& code, const Range& range) {
  for (size_t n = range.first; n <= range.last; ++n) {
    const Token& token = code.tokens[n];
    if (token.Is("=") || token.Is("{") || StartsDeclaration(token.text)) return true;
    if (n > range.first && token.kind == Kind::name && code.tokens[n - 1].kind == Kind::name)
      return true;
  }
  return false;
}

}  // namespace

std::string TextOf(const Code& code, const Range& range) {
  const size_t at = code.tokens[range.first].at;
  return std::string(code.source.substr(at, code.tokens[range.last].end() - at));
}

bool IsBinary(const Code& code, size_t n) {
  static constexpr std::array<std::string_view, 6> marks{"+", "-", "*", "/", "%", "&"};
  if (!IsOneOf(code.tokens[n].text, marks) || n == 0 || n + 1 >= code.tokens.size()) return false;
  const Token &before = code.tokens[n - 1], &after = code.tokens[n + 1];
  if (!EndsOperand(before)) return false;
  const bool blank_before = before.end() < code.tokens[n].at;
  const bool blank_after = code.tokens[n].end() < after.at;
  return blank_before == blank_after;  // `T* p` has a blank on one side only
}

bool IsCalled(const Code& code, size_t n) {
  return code.tokens[n].kind == Kind::name && n + 1 < code.tokens.size() &&
         code.tokens[n + 1].Is("(");
}

bool IsMember(const Code& code, size_t n) {
  return n > 0 && (code.tokens[n - 1].Is(".") || code.tokens[n - 1].Is("->"));
}

bool IsDeclared(const Code& code, size_t n) {
  if (n == 0) return false;
  const Token& before = code.tokens[n - 1];
  if (before.Is(".") && n > 1) return code.tokens[n - 2].Is("{") || code.tokens[n - 2].Is(",");
  if (before.kind == Kind::name) return !IsKeyword(before.text);
  if ((before.Is("*") || before.Is("&")) && !IsBinary(code, n - 1)) {
    return n > 1 && EndsOperand(code.tokens[n - 2]);  // T* p
  }
  return false;
}

bool IsSubscript(const Code& code, size_t n) {
  const auto& tokens = code.tokens;
  if (!tokens[n].Is("[") || n < 2 || tokens[n].partner <= static_cast<int>(n) + 1) return false;
  if (!EndsOperand(tokens[n - 1])) return false;
  const size_t after = static_cast<size_t>(tokens[n].partner) + 1;
  const bool initialised =
      after + 1 < tokens.size() && tokens[after].Is("=") && tokens[after + 1].Is("{");
  return !initialised && !(tokens[n - 1].kind == Kind::name && IsDeclared(code, n - 1));
}

bool IsBarrier(const Code& code, size_t n) {
  static constexpr std::array<std::string_view, 4> starts{"__sync", "__pipeline_commit",
                                                          "__pipeline_wait", "__threadfence"};
  if (!IsCalled(code, n)) return false;
  const std::string_view name = code.tokens[n].text;
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return name.starts_with(start); });
}

size_t BeginOfOperand(const Code& code, size_t n, std::string_view weaker) {
  size_t m = n;
  while (m > 0) {
    const Token& token = code.tokens[m - 1];
    if (EndsExpression(token, weaker) || OpensBracket(token)) break;
    m = ClosesBracket(token) && token.partner >= 0 ? static_cast<size_t>(token.partner) : m - 1;
  }
  return m;
}

size_t EndOfOperand(const Code& code, size_t n, std::string_view weaker) {
  size_t m = n;
  while (m + 1 < code.tokens.size()) {
    const Token& token = code.tokens[m + 1];
    if (EndsExpression(token, weaker) || ClosesBracket(token)) break;
    m = OpensBracket(token) && token.partner >= 0 ? static_cast<size_t>(token.partner) : m + 1;
  }
  return m;
}

size_t EndOfStatement(const Code& code, size_t n) {
  if (!StartsStatement(code, n)) return 0;
  const Token& first = code.tokens[n];
  const bool jump = first.Is("break") || first.Is("continue");
  const bool begins = first.kind == Kind::name ? !IsKeyword(first.text)
                                               : first.Is("*") || first.Is("++") || first.Is("--");
  if (!begins || (!jump && DeclaresAt(code, n))) return 0;
  for (size_t m = n; m < code.tokens.size(); ++m) {
    if (code.tokens[m].Is(";")) return m;
    if (ClosesBracket(code.tokens[m])) return 0;
    if (code.tokens[m].partner > static_cast<int>(m))
      m = static_cast<size_t>(code.tokens[m].partner);
  }
  return 0;
}

std::vector<Range> ArgumentsAt(const Code& code, size_t n) {
  const auto& tokens = code.tokens;
  if (n == 0 || tokens[n].partner <= static_cast<int>(n) + 1) return {};
  const Token& before = tokens[n - 1];
  const bool call =
      tokens[n].Is("(") &&
      ((before.kind == Kind::name && !IsKeyword(before.text) && !StartsDeclaration(before.text)) ||
       (before.Is(">") && before.fixed));
  if (!call && !(tokens[n].Is("{") && !IsBlock(code, n))) return {};
  std::vector<Range> arguments;
  const auto end = static_cast<size_t>(tokens[n].partner);
  for (size_t first = n + 1; first < end;) {
    const size_t last = EndOfArgument(code, first, end);
    arguments.push_back({first, last});
    first = last + 2;
  }
  return arguments;
}

bool SameKind(const Code& code, const Range& a, const Range& b) {
  if (IsParameterOrDesignator(code, a) || IsParameterOrDesignator(code, b)) return false;
  const auto number = [&](const Range& range) {
    return range.first == range.last && code.tokens[range.first].kind == Kind::number;
  };
  return number(a) == number(b);
}

}  // namespace padproof
