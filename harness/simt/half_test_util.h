// What the tests of 16-bit numbers share: patterns, the real numbers that they stand for, and walks
// over every pattern of one operand. Included by them only.

#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "harness/simt/half_reference.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

constexpr int kPatterns = 0x10000;

template <class T>
constexpr const SixteenBitFormat& kFormat = std::is_same_v<T, __half> ? kHalf16 : kBfloat16;
template <class T>
using PairOf = std::conditional_t<std::is_same_v<T, __half>, __half2, __nv_bfloat162>;

template <class T>
T Pattern(int bits) {
  return std::bit_cast<T>(static_cast<uint16_t>(bits));
}
template <class T>
int BitsOf(T value) {
  return std::bit_cast<uint16_t>(value);
}

template <class T>
bool IsNan(int pattern) {
  return (pattern & 0x7fff) > kFormat<T>.Infinity();
}

/// The number of a pattern, infinite and NaN too.
template <class T>
long double RealOf(int pattern) {
  static const std::vector<long double> numbers = [] {
    const SixteenBitFormat& f = kFormat<T>;
    std::vector<long double> values(kPatterns, std::numeric_limits<long double>::quiet_NaN());
    for (int i = 0; i < f.Infinity(); i++) values[i] = f.ValueOf(i);
    values[f.Infinity()] = std::numeric_limits<long double>::infinity();
    for (int i = 0; i <= f.Infinity(); i++) values[i | 0x8000] = -values[i];
    return values;
  }();
  return numbers[pattern];
}

/// Zero, the ends of the subnormal and of the normal numbers, 1 and its predecessor, numbers whose
/// last bits are set, and infinity, with both signs; NaN.
template <class T>
std::vector<int> SpreadPatterns() {
  const int infinity = kFormat<T>.Infinity(), one = kFormat<T>.Bias() << kFormat<T>.fraction_bits;
  const int normal = 1 << kFormat<T>.fraction_bits;
  std::vector<int> patterns{infinity + 1, 0xffff};
  for (int pattern : {0, 1, normal - 1, normal, one - 1, one, one + 3 * normal + 5,
                      infinity - normal + 3, infinity - 1, infinity}) {
    patterns.push_back(pattern);
    patterns.push_back(pattern | 0x8000);
  }
  return patterns;
}

/// One use of a function of two operands, and the pattern that it must give.
struct Use {
  int a, b, expected;
};

inline std::ostream& operator<<(std::ostream& out, const Use& use) {
  return out << std::hex << use.a << " and " << use.b << " (" << use.expected << ")";
}

/// check(use, other use) must be true with each pattern as `a` of the first, beside each of the
/// spread, itself, its negation and its successor as `b`. The other one is for a pair's upper half:
/// each of its operands is another number.
template <class T, class Reference, class Check>
void ForEveryPattern(const char* name, Reference reference, Check check) {
  const std::vector<int> spread = SpreadPatterns<T>();
  const int columns = static_cast<int>(spread.size()) + 3;
  const auto column_of_uses = [&](int column) {
    std::vector<Use> uses(kPatterns);
    for (int a = 0; a < kPatterns; a++) {
      const int related[] = {a, a ^ 0x8000, (a + 1) & 0xffff};
      const int b = column < 3 ? related[column] : spread[column - 3];
      uses[a] = {a, b, reference(a, b)};
    }
    return uses;
  };
  std::vector<Use> others = column_of_uses(columns - 1);
  for (int column = 0; column < columns; column++) {
    std::vector<Use> uses = column_of_uses(column);
    for (int a = 0; a < kPatterns; a++) {
      const Use& other = others[(static_cast<unsigned>(a) * 0x9e35 + 0x1234) & 0xffff];
      // Not one of googletest's assertions for each: those would take most of the time.
      if (!check(uses[a], other)) FAIL() << name << " of " << uses[a] << ", or of " << other;
    }
    others = std::move(uses);
  }
}

template <class T>
PairOf<T> Pair(int low, int high) {
  return {Pattern<T>(low), Pattern<T>(high)};
}

using SixteenBitTypes = testing::Types<__half, __nv_bfloat16>;

}  // namespace
}  // namespace padproof
