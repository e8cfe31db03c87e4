#include "properties/support/mask_bits.h"

#include <algorithm>
#include <bit>

namespace padproof {
namespace {

constexpr int kWord = 64;

int64_t Count(const std::vector<std::vector<uint64_t>>& rows) {
  int64_t count = 0;
  for (const auto& row : rows) {
    for (uint64_t word : row) count += std::popcount(word);
  }
  return count;
}

/// Of keys word * 64 and on: those without a bit.
uint64_t KeysWithout(int bit, size_t word) {
  if (bit == 0) return ~uint64_t{0};
  uint64_t keys = 0;
  for (int n = 0; n < kWord; ++n) {
    const int key = static_cast<int>(word) * kWord + n;
    keys |= uint64_t{(key & bit) == 0} << n;
  }
  return keys;
}

}  // namespace

MaskBits::MaskBits(const Problem& problem, int b, int h)
    : rows_(problem.RealRows(Operand::q, b)), keys_(problem.RealRows(Operand::k, b)) {
  const Row none(static_cast<size_t>((keys_ + kWord - 1) / kWord));
  seen_.assign(static_cast<size_t>(rows_), none);
  kept_ = seen_;
  for (int i = 0; i < rows_; ++i) {
    const Index at{b, h, i, 0};
    for (int j = 0; j < keys_; ++j) {
      if (!problem.Keeps(at, j)) continue;
      const auto row = static_cast<size_t>(i), word = static_cast<size_t>(j / kWord);
      const uint64_t bit = uint64_t{1} << (j % kWord);
      seen_[row][word] |= bit;
      if (!problem.IsDropped(at, j)) kept_[row][word] |= bit;
    }
  }
}

int64_t MaskBits::seen() const { return Count(seen_); }
int64_t MaskBits::kept() const { return Count(kept_); }

uint64_t MaskBits::From(const Row& row, int first) {
  const auto word = [&](int n) {
    return n >= 0 && n < static_cast<int>(row.size()) ? row[static_cast<size_t>(n)] : 0;
  };
  const int n = first >> 6, shift = first & (kWord - 1);
  return shift == 0 ? word(n) : word(n) >> shift | word(n + 1) << (kWord - shift);
}

void MaskBits::LayOver(const MaskBits& other, int di, int dj, Half half, Agreement& sum) const {
  const int end = std::min(rows_, other.rows_ - di);
  for (int i = std::max(0, -di); i < end; ++i) {
    if ((i & half.row_bit) != 0) continue;
    const int below = i + di;
    const auto row = static_cast<size_t>(i), to = static_cast<size_t>(below);
    for (size_t word = 0; word < seen_[row].size(); ++word) {
      const int first = static_cast<int>(word) * kWord + dj;
      uint64_t both = seen_[row][word] & From(other.seen_[to], first);
      if (half.key_bit != 0) both &= KeysWithout(half.key_bit, word);
      sum.pairs += std::popcount(both);
      sum.alike += std::popcount(both & ~(kept_[row][word] ^ From(other.kept_[to], first)));
    }
  }
}

}  // namespace padproof
