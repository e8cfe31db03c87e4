// How a number and a name of a case line are read. Not for others than text.cc.

#pragma once

#include <string>
#include <string_view>

#include "harness/base/words.h"
#include "harness/case/enums.h"

namespace padproof {

/// Whole unsigned number, nothing around it.
template <class T>
bool ReadNumber(std::string_view text, T& value) {
  return !text.starts_with('-') && ReadWhole(text, value);
}

// Readers store the value and return "", or return what they expected.

inline std::string ReadInt(std::string_view text, int& value, int low, int high) {
  int read = 0;
  if (!ReadNumber(text, read) || read < low || read > high) {
    return "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  }
  value = read;
  return {};
}

template <class E>
std::string ReadName(std::string_view text, E& value) {
  std::string expected = "one of";
  for (size_t n = 0; n < EnumText<E>::names.size(); ++n) {
    if (text == EnumText<E>::names[n]) {
      value = static_cast<E>(n);
      return {};
    }
    expected += n == 0 ? " " : ", ";
    expected += EnumText<E>::names[n];
  }
  return expected;
}

}  // namespace padproof
