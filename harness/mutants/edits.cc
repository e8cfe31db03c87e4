#include "harness/mutants/edits.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "harness/base/random.h"

namespace padproof {
namespace {

constexpr size_t kShownLength = 60;

std::string OneLine(std::string_view text) {
  std::string line;
  for (char c : text) {
    if (c == '\n') c = ' ';
    if (c != ' ' || (!line.empty() && line.back() != ' ')) line += c;
  }
  if (line.size() > kShownLength) line = line.substr(0, kShownLength - 3) + "...";
  return line;
}

/// Where the text of the line of byte `at` starts and ends, without blanks around it.
std::string_view LineAround(std::string_view source, size_t at) {
  const size_t before = at > 0 ? source.rfind('\n', at - 1) : std::string_view::npos;
  std::string_view line = source.substr(before == std::string_view::npos ? 0 : before + 1);
  line = line.substr(0, line.find('\n'));
  const size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return line.substr(0, 0);
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

std::string IdOf(const Edit& edit, std::string_view line, size_t column) {
  const uint64_t hash = HashOf({HashOf(edit.op), HashOf(line), column, edit.length,
                                HashOf(std::string_view(edit.replacement))});
  char text[9];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(hash >> 32));
  return text;
}

}  // namespace

Code ReadCode(std::string_view source, std::string_view elsewhere) {
  Code code{.source = source, .tokens = Tokenize(source), .names = {}};
  for (const Token& token : code.tokens) {
    if (token.kind == Token::Kind::name) code.names.insert(token.text);
  }
  for (const Token& token : Tokenize(elsewhere)) {
    if (token.kind == Token::Kind::name) code.names.insert(token.text);
  }
  return code;
}

void Edits::Replace(size_t first, size_t last, const std::string& replacement) {
  const size_t at = code_.tokens[first].at;
  const std::string before = OneLine(code_.source.substr(at, code_.tokens[last].end() - at));
  Add(first, last, replacement, "'" + before + "' -> '" + OneLine(replacement) + "'");
}

void Edits::Drop(size_t first, size_t last, const std::string& with) {
  const size_t at = code_.tokens[first].at;
  const std::string before = OneLine(code_.source.substr(at, code_.tokens[last].end() - at));
  Add(first, last, with, "'" + before + "' dropped");
}

void Edits::Add(size_t first, size_t last, const std::string& replacement,
                const std::string& what) {
  for (size_t n = first; n <= last; ++n) {
    if (code_.tokens[n].fixed) return;
  }
  const Token& token = code_.tokens[first];
  const size_t length = code_.tokens[last].end() - token.at;
  std::string text = replacement;
  const std::string_view old = code_.source.substr(token.at, length);
  const auto kept = std::count(text.begin(), text.end(), '\n');
  text.append(
      static_cast<size_t>(std::max<ptrdiff_t>(std::count(old.begin(), old.end(), '\n') - kept, 0)),
      '\n');  // lines below keep their numbers
  Edit edit{.id = {},
            .op = std::string(op_),
            .at = token.at,
            .length = length,
            .replacement = std::move(text),
            .line = token.line,
            .column = token.column,
            .what = what,
            .source_line = std::string(LineAround(code_.source, token.at))};
  to_.push_back(std::move(edit));
}

std::vector<Edit> AllEdits(const Code& code) {
  std::vector<Edit> edits;
  for (size_t n = 0; n < code.tokens.size(); ++n) {
    for (const Operator& op : Operators()) {
      Edits found(code, op.name, edits);
      op.find(code, n, found);
    }
  }
  // By place, and in the order of rules within one: std::stable_sort has a buffer that clang
  // refuses.
  std::multimap<size_t, Edit> by_place;
  for (Edit& edit : edits) {
    const size_t at = edit.at;
    by_place.emplace(at, std::move(edit));
  }
  edits.clear();
  for (auto& [at, edit] : by_place) edits.push_back(std::move(edit));
  std::map<std::string, int> seen;
  for (Edit& edit : edits) {
    const std::string_view line = LineAround(code.source, edit.at);
    edit.id = IdOf(edit, line, edit.at - static_cast<size_t>(line.data() - code.source.data()));
    const int nth = ++seen[edit.id];
    if (nth > 1) edit.id += "." + std::to_string(nth);  // the same line once more
  }
  return edits;
}

std::string Applied(const Edit& edit, std::string_view source) {
  std::string text(source);
  return text.replace(edit.at, edit.length, edit.replacement);
}

}  // namespace padproof
