// The only source of randomness. Integers in, integers out: no libm, no <random> distribution, no
// clock, no global state, so that every compiler and machine draws the same bits.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace padproof {

/// SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection with full avalanche.
constexpr uint64_t Mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// A hash of a tuple of integers: the value of element (b, h, i, d) is a function of these alone,
/// so it does not move when a shape, a pad or a neighbour changes.
constexpr uint64_t HashOf(std::initializer_list<uint64_t> parts) {
  uint64_t h = 0x243F6A8885A308D3ull;
  for (uint64_t part : parts) h = Mix(h ^ part);
  return h;
}

/// FNV-1a of text, for seeds that come from names.
constexpr uint64_t HashOf(std::string_view text) {
  uint64_t h = 0xCBF29CE484222325ull;
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return Mix(h);
}

/// A stream of integers from a seed.
class Random {
 public:
  explicit constexpr Random(uint64_t seed) : state_(Mix(seed)) {}

  constexpr uint64_t Next() { return Mix(state_ += 0x9E3779B97F4A7C15ull); }

  /// Uniform in [0, bound), bound >= 1. The bias of the multiply-shift is below bound / 2^32.
  constexpr uint32_t Below(uint32_t bound) {
    return static_cast<uint32_t>((static_cast<uint64_t>(Next() >> 32) * bound) >> 32);
  }

  /// Uniform in [low, high], low <= high.
  constexpr int Between(int low, int high) {
    return low + static_cast<int>(Below(static_cast<uint32_t>(high - low) + 1));
  }

  /// True in `percent` of 100 draws.
  constexpr bool Chance(uint32_t percent) { return Below(100) < percent; }

  /// One of the listed values, each equally likely.
  template <class T>
  constexpr T OneOf(std::initializer_list<T> values) {
    return values.begin()[Below(static_cast<uint32_t>(values.size()))];
  }

 private:
  uint64_t state_;
};

}  // namespace padproof
