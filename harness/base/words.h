// Words in a line of text: cut out, listed, read as numbers.

#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace padproof {

/// Without the blanks around it.
std::string_view Trim(std::string_view text);

/// The parts between commas that are not empty.
std::vector<std::string> SplitAtCommas(std::string_view text);

/// Appends `word` to a list such as "q, k, v".
void AppendTo(std::string& list, std::string_view word);

template <class Words>
std::string Join(const Words& words) {
  std::string list;
  for (const auto& word : words) AppendTo(list, word);
  return list;
}

/// A whole number with nothing around it; a minus where the type has a sign. `number` is left alone
/// if it is none.
template <class Number>
bool ReadWhole(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  Number read{};
  const auto [stop, error] = std::from_chars(text.data(), end, read);
  if (error != std::errc() || stop != end) return false;
  number = read;
  return true;
}

}  // namespace padproof
