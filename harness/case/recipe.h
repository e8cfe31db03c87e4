// What real tokens and pads share: one element's place, its hash, and the recipe of a token. Not
// for others: they ask values.h.

#pragma once

#include <cstdint>

#include "harness/base/random.h"
#include "harness/case/values.h"

namespace padproof {

/// First words of hashes, so that no two uses draw the same bits.
namespace hash_salt {
inline constexpr uint64_t kReal = 1;
inline constexpr uint64_t kNoise = 2;
inline constexpr uint64_t kRow = 3;
inline constexpr uint64_t kOffset = 4;
inline constexpr uint64_t kChannel = 5;
inline constexpr uint64_t kPad = 6;
inline constexpr uint64_t kPick = 7;
inline constexpr uint64_t kHole = 8;
inline constexpr uint64_t kSink = 9;
inline constexpr uint64_t kPages = 10;
inline constexpr uint64_t kDropout = 11;
inline constexpr uint64_t kMasking = 12;
}  // namespace hash_salt

struct Element {
  uint64_t stream;  // kReal or kNoise
  int b, h, i, d;
};

/// Hash of a row, `at.d` left out; Mix(hash ^ d) is that of an element.
uint64_t HashOfRow(const Case& c, Operand op, const Element& at);

/// Bits of an element with this hash, made by the recipe of `values`; O and LSE are normal.
uint32_t TokenBits(const Case& c, Values values, Operand op, const Element& at, uint64_t hash);

}  // namespace padproof
