// Between half_toolkit.cc, which sees the toolkit's 16-bit types, and half_toolkit_test.cc, which
// sees ours: functions on bit patterns, in the same order on both sides.

#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace padproof::toolkit {

enum class Domain { number, numbers, pair, pairs, floats, doubles, words };

struct Function {
  const char* type;
  const char* text;
  Domain domain;
  uint64_t (*compute)(uint64_t a, uint64_t b);
};

/// Null if this build found no toolkit.
using Table = std::vector<Function>;
const Table* ToolkitFunctions();
inline float F(uint64_t a) { return std::bit_cast<float>(static_cast<uint32_t>(a)); }
inline double D(uint64_t a) { return std::bit_cast<double>(a); }

/// Something to assign to.
template <class T>
struct Variable {
  explicit Variable(T v) : value(v) {}
  T& Reference() { return value; }
  T value;
};

/// The pattern of any result of up to 64 bits.
template <class T>
uint64_t PatternOf(const T& value) {
  uint64_t bits = 0;
  static_assert(sizeof value <= sizeof bits);
  std::memcpy(&bits, static_cast<const void*>(&value), sizeof value);
  return bits;
}

}  // namespace padproof::toolkit
