// Masks of dropout as rows of bits: how alike two of them are when one is laid over the other.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/judge/problem.h"

namespace padproof {

/// How often two draws agree.
struct Agreement {
  int64_t pairs = 0, alike = 0;
};

/// The mask of one head of one sequence: of the pairs that are seen, those that are kept.
class MaskBits {
 public:
  MaskBits(const Problem& problem, int b, int h);

  int rows() const { return rows_; }
  int keys() const { return keys_; }
  int64_t seen() const;
  int64_t kept() const;

  /// Which pairs i, j of the upper mask count: those with a 0 in this bit of i, and of j; 0: all.
  struct Half {
    int row_bit = 0, key_bit = 0;
  };
  /// Adds pairs i, j of this mask and i + di, j + dj of another one that both see.
  void LayOver(const MaskBits& other, int di, int dj, Half half, Agreement& sum) const;

 private:
  using Row = std::vector<uint64_t>;
  /// 64 bits of a row from one on, 0 where it has none.
  static uint64_t From(const Row& row, int first);

  int rows_, keys_;
  std::vector<Row> seen_, kept_;
};

}  // namespace padproof
