#include "harness/mutants/tokens.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace padproof {
namespace {

bool IsNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }

// Longest first. `>` stays single, since two may close two templates; so does what follows it.
constexpr std::array<std::string_view, 24> kMarks{
    "<<=", "...", "->*", "::", "->", "++", "--", "<<", "<=", ">=", "==", "!=",
    "&&",  "||",  "+=",  "-=", "*=", "/=", "%=", "&=", "|=", "^=", "##", ".*"};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> Run() {
    while (SkipBlank()) ReadToken();
    return std::move(tokens_);
  }

 private:
  bool StartsWith(std::string_view text) const { return source_.substr(at_).starts_with(text); }
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }

  void Advance(size_t count) {
    for (; count > 0 && at_ < source_.size(); --count, ++at_) {
      ++column_;
      if (source_[at_] == '\n') {
        ++line_;
        column_ = 1;
        line_is_blank_ = true;
      }
    }
  }

  void AdvancePast(std::string_view end) {
    const size_t found = source_.find(end, at_);
    Advance(found == std::string_view::npos ? source_.size() : found + end.size() - at_);
  }

  // A preprocessor line ends at the first line end without a backslash.
  void SkipDirective() {
    while (at_ < source_.size()) {
      const size_t end = std::min(source_.find('\n', at_), source_.size());
      const bool goes_on = end > at_ && source_[end - 1] == '\\';
      Advance(end + 1 - at_);
      if (!goes_on) return;
    }
  }

  /// False at the end of the source.
  bool SkipBlank() {
    while (at_ < source_.size()) {
      if (std::isspace(static_cast<unsigned char>(Peek())) != 0) {
        Advance(1);
      } else if (StartsWith("//")) {
        AdvancePast("\n");
      } else if (StartsWith("/*")) {
        Advance(2);
        AdvancePast("*/");
      } else if (Peek() == '#' && line_is_blank_) {
        SkipDirective();
      } else {
        return true;
      }
    }
    return false;
  }

  size_t NameLength() const {
    size_t length = 0;
    while (IsNamePart(Peek(length))) ++length;
    return length;
  }

  // 0x1p-24, 1'000, 1.5e-3f: a sign belongs to it after an exponent.
  size_t NumberLength() const {
    size_t length = 0;
    const bool hexadecimal = Peek() == '0' && (Peek(1) == 'x' || Peek(1) == 'X');
    for (;; ++length) {
      const char c = Peek(length), before = length > 0 ? Peek(length - 1) : '\0';
      const bool exponent =
          hexadecimal ? before == 'p' || before == 'P' : before == 'e' || before == 'E';
      const bool digit_mark = c == '\'' && IsNamePart(Peek(length + 1));
      if (!IsNamePart(c) && c != '.' && !digit_mark && !(exponent && (c == '+' || c == '-'))) break;
    }
    return length;
  }

  size_t QuotedLength(char quote) const {
    size_t length = 1;
    while (Peek(length) != '\0' && Peek(length) != quote) length += Peek(length) == '\\' ? 2 : 1;
    return length + 1;
  }

  // R"x(...)x"
  size_t RawStringLength(size_t prefix) const {
    const size_t open = source_.find('(', at_ + prefix);
    if (open == std::string_view::npos) return source_.size() - at_;
    std::string close = ")";
    close += source_.substr(at_ + prefix + 1, open - at_ - prefix - 1);
    close += '"';
    const size_t end = source_.find(close, open);
    return end == std::string_view::npos ? source_.size() - at_ : end + close.size() - at_;
  }

  void ReadToken() {
    const char c = Peek();
    if (IsNameStart(c)) {
      const size_t length = NameLength();
      const char after = Peek(length);
      if (after == '"' && Peek(length - 1) == 'R')
        return Add(Token::Kind::text, RawStringLength(length));
      return Add(Token::Kind::name, length);
    }
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1))))
      return Add(Token::Kind::number, NumberLength());
    if (c == '"' || c == '\'') return Add(Token::Kind::text, QuotedLength(c));
    const auto* mark = std::find_if(kMarks.begin(), kMarks.end(),
                                    [&](std::string_view text) { return StartsWith(text); });
    Add(Token::Kind::mark, mark == kMarks.end() ? 1 : mark->size());
  }

  void Add(Token::Kind kind, size_t length) {
    length = std::min(length, source_.size() - at_);
    tokens_.push_back({.kind = kind,
                       .text = source_.substr(at_, length),
                       .at = at_,
                       .line = line_,
                       .column = column_});
    line_is_blank_ = false;
    Advance(length);
  }

  const std::string_view source_;
  size_t at_ = 0;
  int line_ = 1, column_ = 1;
  bool line_is_blank_ = true;  // so far: a # starts a directive
  std::vector<Token> tokens_;
};

void MatchBrackets(std::vector<Token>& tokens) {
  std::vector<int> open;
  for (int n = 0; n < static_cast<int>(tokens.size()); ++n) {
    const Token& token = tokens[static_cast<size_t>(n)];
    if (token.kind != Token::Kind::mark || token.text.size() != 1) continue;
    const char c = token.text[0];
    if (c == '(' || c == '[' || c == '{') open.push_back(n);
    if ((c != ')' && c != ']' && c != '}') || open.empty()) continue;
    tokens[static_cast<size_t>(n)].partner = open.back();
    tokens[static_cast<size_t>(open.back())].partner = n;
    open.pop_back();
  }
}

void Fix(std::vector<Token>& tokens, size_t first, size_t last) {
  for (size_t n = first; n <= last && n < tokens.size(); ++n) tokens[n].fixed = true;
}

// The `>` of the template arguments that start at `open`, or 0. A comparison has blanks on both
// sides, or holds what no template argument does before a `>` comes.
size_t EndOfTemplate(const std::vector<Token>& tokens, size_t open) {
  if (open == 0 || tokens[open - 1].kind != Token::Kind::name) return 0;
  if (tokens[open - 1].end() < tokens[open].at && !tokens[open - 1].Is("template")) return 0;
  int depth = 0;
  for (size_t n = open; n < tokens.size(); ++n) {
    const Token& token = tokens[n];
    if (token.Is("<")) ++depth;
    if (token.Is(">") && --depth == 0) return n;
    static constexpr std::array<std::string_view, 7> foreign{";", "{", "}", ")", "&&", "||", "?"};
    if (std::find(foreign.begin(), foreign.end(), token.text) != foreign.end()) return 0;
    if (token.partner > static_cast<int>(n)) n = static_cast<size_t>(token.partner);
  }
  return 0;
}

void FixTemplates(std::vector<Token>& tokens) {
  for (size_t n = 0; n < tokens.size(); ++n) {
    if (!tokens[n].Is("<")) continue;
    if (const size_t end = EndOfTemplate(tokens, n); end != 0) {
      Fix(tokens, n, end);
      n = end;
    }
  }
}

// What follows a name in brackets of its own is fixed; of KernelTraits Name(...) {...} the body
// too.
void FixCalls(std::vector<Token>& tokens) {
  static constexpr std::array<std::string_view, 5> names{
      "PADPROOF_KERNEL", "static_assert", "__launch_bounds__", "alignas", "decltype"};
  const auto end_of = [&](size_t open) {
    const bool bracket = open < tokens.size() && tokens[open].partner > static_cast<int>(open);
    return bracket ? static_cast<size_t>(tokens[open].partner) : 0;
  };
  for (size_t n = 0; n + 1 < tokens.size(); ++n) {
    if (std::find(names.begin(), names.end(), tokens[n].text) != names.end()) {
      if (tokens[n + 1].Is("(")) Fix(tokens, n, end_of(n + 1));
    } else if (tokens[n].Is("[") && tokens[n + 1].Is("[")) {
      Fix(tokens, n, end_of(n));
    } else if (tokens[n].Is("KernelTraits") && n + 2 < tokens.size() && tokens[n + 2].Is("(")) {
      const size_t parameters = end_of(n + 2), body = end_of(parameters + 1);
      if (parameters != 0 && body != 0) Fix(tokens, n, body);
    }
  }
}

}  // namespace

std::vector<Token> Tokenize(std::string_view source) {
  std::vector<Token> tokens = Lexer(source).Run();
  MatchBrackets(tokens);
  FixTemplates(tokens);
  FixCalls(tokens);
  return tokens;
}

bool StartsDeclaration(std::string_view word) {
  static constexpr std::array<std::string_view, 32> words{
      "const",    "constexpr", "static",  "inline",   "extern",    "volatile", "auto",
      "bool",     "char",      "short",   "int",      "long",      "float",    "double",
      "unsigned", "signed",    "void",    "using",    "typedef",   "template", "struct",
      "class",    "enum",      "union",   "typename", "namespace", "uint32_t", "__shared__",
      "uint8_t",  "int32_t",   "int64_t", "size_t"};
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace padproof
