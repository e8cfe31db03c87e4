// The slips: one small function each, and the table at the end. Whether a mark is binary, a name a
// type or a brace a block is told by its neighbours, as clang-format leaves them; a wrong guess
// gives an edit that does not compile.

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <string>

#include "harness/mutants/edits.h"
#include "harness/mutants/expressions.h"
#include "harness/mutants/slips.h"

namespace padproof {
namespace {

struct Rule {
  std::string_view from, to;
};

template <size_t count>
void ReplaceBy(const std::array<Rule, count>& rules, const Code& code, size_t n, Edits& edits) {
  for (const Rule& rule : rules) {
    if (code.tokens[n].Is(rule.from)) edits.Replace(n, n, std::string(rule.to));
  }
}

void Relational(const Code& code, size_t n, Edits& edits) {
  static constexpr std::array<Rule, 6> rules{
      {{"<", "<="}, {"<=", "<"}, {">", ">="}, {">=", ">"}, {"==", "!="}, {"!=", "=="}}};
  ReplaceBy(rules, code, n, edits);
}

void Arithmetic(const Code& code, size_t n, Edits& edits) {
  static constexpr std::array<Rule, 6> rules{
      {{"+", "-"}, {"-", "+"}, {"*", "/"}, {"/", "*"}, {"%", "/"}, {"%", "*"}}};
  if (IsBinary(code, n)) ReplaceBy(rules, code, n, edits);
}

void MinMax(const Code& code, size_t n, Edits& edits) {
  static constexpr std::array<Rule, 6> rules{{{"fmaxf", "fminf"},
                                              {"fminf", "fmaxf"},
                                              {"max", "min"},
                                              {"min", "max"},
                                              {"__hmax", "__hmin"},
                                              {"__hmin", "__hmax"}}};
  if (IsCalled(code, n)) ReplaceBy(rules, code, n, edits);
}

void Constant(const Code& code, size_t n, Edits& edits) {
  const Token& token = code.tokens[n];
  static constexpr std::array<Rule, 2> truths{{{"true", "false"}, {"false", "true"}}};
  ReplaceBy(truths, code, n, edits);
  if (token.kind != Token::Kind::number || token.text.starts_with("0x")) return;
  const std::string text(token.text);
  if (text.find_first_of(".e") != std::string::npos) {
    const float value = std::strtof(text.c_str(), nullptr);
    edits.Replace(n, n, value == 0 ? "1.f" : value == 1 ? "0.f" : "(" + text + " + 1)");
    return;
  }
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc()) return;
  edits.Replace(n, n, std::to_string(value + 1) + parsed.ptr);
  if (value > 0) edits.Replace(n, n, std::to_string(value - 1) + parsed.ptr);
}

/// -INFINITY as the start of a maximum or the score of a hidden key: 0, or a finite sentinel.
void Infinity(const Code& code, size_t n, Edits& edits) {
  if (!code.tokens[n].Is("INFINITY")) return;
  const bool negative = n > 0 && code.tokens[n - 1].Is("-") && !IsBinary(code, n - 1);
  const size_t first = negative ? n - 1 : n;
  edits.Replace(first, n, "0.f");
  edits.Replace(first, n, negative ? "-1e30f" : "1e30f");
  if (negative) edits.Replace(first, n, "INFINITY");
}

void Sign(const Code& code, size_t n, Edits& edits) {
  const bool infinite = n + 1 < code.tokens.size() && code.tokens[n + 1].Is("INFINITY");
  if (code.tokens[n].Is("-") && !IsBinary(code, n) && !infinite) edits.Drop(n, n);
}

void Assignment(const Code& code, size_t n, Edits& edits) {
  static constexpr std::array<Rule, 8> rules{{{"+=", "="},
                                              {"-=", "="},
                                              {"-=", "+="},
                                              {"*=", "="},
                                              {"/=", "*="},
                                              {"|=", "="},
                                              {"&=", "="},
                                              {"^=", "="}}};
  ReplaceBy(rules, code, n, edits);
}

void Statement(const Code& code, size_t n, Edits& edits) {
  const size_t end = EndOfStatement(code, n);
  if (end != 0 && !IsBarrier(code, n)) edits.Drop(n, end, ";");
}

void Barrier(const Code& code, size_t n, Edits& edits) {
  if (!IsBarrier(code, n)) return;
  if (const size_t end = EndOfStatement(code, n); end != 0) return edits.Drop(n, end, ";");
  edits.Drop(n, n);  // __syncthreads_or(x): the value stays
}

/// A condition in brackets, or before a `?`: its first and last token.
bool ConditionAt(const Code& code, size_t n, size_t& first, size_t& last) {
  const auto& tokens = code.tokens;
  if (tokens[n].Is("?")) {
    first = BeginOfOperand(code, n, {});
    last = n - 1;
    return first < n;
  }
  if (n + 1 >= tokens.size() || !tokens[n + 1].Is("(") || tokens[n + 1].partner < 0) return false;
  if (!tokens[n].Is("if") && !tokens[n].Is("while")) return false;
  first = n + 2;
  last = static_cast<size_t>(tokens[n + 1].partner) - 1;
  const auto declares = [](const Token& token) { return token.Is("=") || token.Is(";"); };
  return first <= last && std::none_of(tokens.begin() + static_cast<ptrdiff_t>(first),
                                       tokens.begin() + static_cast<ptrdiff_t>(last), declares);
}

void Guard(const Code& code, size_t n, Edits& edits) {
  size_t first = 0, last = 0;
  if (!ConditionAt(code, n, first, last)) return;
  if (!code.tokens[n].Is("while")) edits.Replace(first, last, "true");
  edits.Replace(first, last, "false");
}

void Negation(const Code& code, size_t n, Edits& edits) {
  if (code.tokens[n].Is("!")) return edits.Drop(n, n);
  size_t first = 0, last = 0;
  if (!ConditionAt(code, n, first, last)) return;
  const size_t at = code.tokens[first].at;
  const std::string condition(code.source.substr(at, code.tokens[last].end() - at));
  const auto holds = [&](std::string_view mark) {
    return condition.find(mark) != std::string::npos;
  };
  const bool equality = holds("==") || holds("!=");
  if (equality && !holds("&&") && !holds("||")) return;  // != for == is the same edit
  edits.Replace(first, last, "!(" + condition + ")");
}

void Operand(const Code& code, size_t n, Edits& edits) {
  const bool conjunction = code.tokens[n].Is("&&");
  if ((!conjunction && !code.tokens[n].Is("||")) || code.tokens[n].fixed) return;
  const std::string_view weaker = conjunction ? "||" : "";
  edits.Drop(BeginOfOperand(code, n, weaker), n);
  edits.Drop(n, EndOfOperand(code, n, weaker));
}

void Arguments(const Code& code, size_t n, Edits& edits) {
  const std::vector<Range> arguments = ArgumentsAt(code, n);
  for (size_t k = 0; k + 1 < arguments.size(); ++k) {
    const Range &a = arguments[k], &b = arguments[k + 1];
    const std::string first = TextOf(code, a), second = TextOf(code, b);
    if (first == second || !SameKind(code, a, b)) continue;
    edits.Replace(a.first, b.last, second + ", " + first);
  }
}

void Index(const Code& code, size_t n, Edits& edits) {
  if (!IsSubscript(code, n)) return;
  const Range inside{n + 1, static_cast<size_t>(code.tokens[n].partner) - 1};
  edits.Replace(inside.first, inside.last, "(" + TextOf(code, inside) + ") + 1");
}

void Name(const Code& code, size_t n, Edits& edits) {
  if (code.tokens[n].kind != Token::Kind::name || IsDeclared(code, n)) return;
  const bool member = IsMember(code, n);
  for (const std::string& other : SlipsOf(code.tokens[n].text, member)) {
    if (code.names.contains(other)) edits.Replace(n, n, other);
  }
}

}  // namespace

const std::vector<Operator>& Operators() {
  static const std::vector<Operator> operators{
      {"relational", "< for <=, == for !=, ...", Relational},
      {"arithmetic", "+ for -, * for /, ...", Arithmetic},
      {"minmax", "the minimum for the maximum", MinMax},
      {"constant", "0 for 1, one more, one less, false for true", Constant},
      {"infinity", "0 or a finite number for an infinity", Infinity},
      {"sign", "a minus left out", Sign},
      {"assignment", "= for +=, ...", Assignment},
      {"statement", "a statement left out", Statement},
      {"barrier", "a barrier left out", Barrier},
      {"guard", "a condition that is always or never true", Guard},
      {"negation", "a condition the wrong way round", Negation},
      {"operand", "one side of && or || left out", Operand},
      {"arguments", "two neighbouring arguments swapped", Arguments},
      {"index", "an index one too large", Index},
      {"name", "a name or member beside the one that is meant: _q for _k, dim for dim_v", Name},
  };
  return operators;
}

}  // namespace padproof
