// What the race checker remembers of each word of memory, and where: 32 bytes a word, mapped as
// words are touched; more for words that are used in parts. Bounded: memory past the bound is not
// watched. Included by race_checker.h only.

#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/simt/runtime/race_facts.h"

namespace padproof::simt {
inline namespace host_build {
namespace race {
namespace {

/// Where in the program: 26 bits that the checker hands back in its reports, 0 if unknown.
using Position = uint32_t;
constexpr Position kMaxPosition = (1u << 26) - 1;

/// Lanes of one warp that read a cell in one segment, or that did atomics on it.
struct Holders {
  static constexpr uint32_t kAtomic = 1u << 31;
  static constexpr uint32_t kSeveral = 1u << 30;  // positions; the first is kept
  static constexpr uint32_t kOfBlock = 1u << 29;  // atomic for the threads of its block only

  Segment segment;  // 0: none
  uint32_t lanes;
  uint32_t info;  // position and flags

  bool atomic() const { return (info & kAtomic) != 0; }
  bool of_block() const { return (info & kOfBlock) != 0; }
};

/// One word, or a half or a byte of a word that is used in parts.
struct Cell {
  static constexpr uint32_t kSplit = 1u << 31;  // what follows is in two cells of half the width

  Segment writer;        // of the last plain write; 0: none. Split: the index of the pair
  uint32_t writer_info;  // position, and the lane in bits 26-30. Split: kSplit alone
  Holders holders[2];    // Split: [0].lanes is the launch in which it was split

  bool split() const { return (writer_info & kSplit) != 0; }
};
static_assert(sizeof(Cell) == 32);

struct CellPair {
  Cell half[2];
};

/// Address space that costs memory only where it is touched; null if there is none.
template <class T>
T* MapZeros(size_t count) {
  void* mapped = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  madvise(mapped, count * sizeof(T), MADV_NOHUGEPAGE);
  return static_cast<T*>(mapped);
}

class Shadow {
 public:
  // 1 GiB of cells and 256 MiB of pairs at most. A launch may begin with an eighth of that: the
  // history of earlier launches is not needed, only cheap to keep.
  static constexpr size_t kMaxPages = 128;
  static constexpr size_t kKeptPages = 16;
  static constexpr size_t kMaxPairs = size_t{1} << 22;

  ~Shadow() {
    Clear();
    if (directory_ != nullptr) munmap(directory_, kDirectory * sizeof(Cell*));
    if (pairs_ != nullptr) munmap(pairs_, kMaxPairs * sizeof(CellPair));
  }

  void BeginLaunch(bool forget_all) {
    launch_++;
    used_pairs_ = 0;
    free_pair_ = kNoPair;
    if (forget_all || pages_.size() > kKeptPages) Clear();
  }

  /// The cell of the word at `address`; null past the bound.
  Cell* Find(uintptr_t address) {
    Cell* cell = Peek(address);
    return cell != nullptr ? cell : FindFresh(address);
  }

  /// Null also where nothing was remembered yet.
  PADPROOF_SIMT_INLINE Cell* Peek(uintptr_t address) const {
    const uintptr_t page = address >> kPageBits;
    if (directory_ == nullptr || page >= kDirectory || directory_[page] == nullptr) return nullptr;
    return directory_[page] + (address & (kPageBytes - 1)) / 4;
  }

  /// The halves of a cell, split now if it was whole; null past the bound.
  CellPair* Split(Cell& cell) {
    if (Halves(cell)) return &pairs_[cell.writer];
    if (pairs_ == nullptr) pairs_ = MapZeros<CellPair>(kMaxPairs);
    if (pairs_ == nullptr) return nullptr;
    uint32_t index = free_pair_;
    if (index != kNoPair) {
      free_pair_ = pairs_[index].half[0].writer;
    } else if (used_pairs_ < kMaxPairs) {
      index = used_pairs_++;
    } else {
      return nullptr;
    }
    pairs_[index] = {{cell, cell}};
    cell = {};
    cell.writer = index;
    cell.writer_info = Cell::kSplit;
    cell.holders[0].lanes = launch_;
    return &pairs_[index];
  }

  /// The halves of a cell that is split; null if it is whole. The pairs of earlier launches are
  /// gone, and so is what they knew.
  CellPair* Halves(Cell& cell) {
    if (!cell.split()) return nullptr;
    if (cell.holders[0].lanes == launch_) return &pairs_[cell.writer];
    cell = {};
    return nullptr;
  }

  /// Gives the parts of a cell back; the caller overwrites it.
  void Join(Cell& cell) {
    CellPair* halves = Halves(cell);
    if (halves == nullptr) return;
    for (Cell& half : halves->half) Join(half);
    halves->half[0] = {};
    halves->half[0].writer = free_pair_;
    free_pair_ = static_cast<uint32_t>(halves - pairs_);
  }

  size_t pages() const { return pages_.size(); }

 private:
  static constexpr unsigned kPageBits = 20;  // of the watched program
  static constexpr size_t kPageBytes = size_t{1} << kPageBits;
  static constexpr size_t kDirectory = size_t{1} << (48 - kPageBits);

  Cell* FindFresh(uintptr_t address) {
    if (directory_ == nullptr) directory_ = MapZeros<Cell*>(kDirectory);
    const uintptr_t page = address >> kPageBits;
    if (directory_ == nullptr || page >= kDirectory || pages_.size() == kMaxPages) return nullptr;
    Cell* cells = MapZeros<Cell>(kPageBytes / 4);
    if (cells == nullptr) return nullptr;
    directory_[page] = cells;
    pages_.push_back({page});
    return cells + (address & (kPageBytes - 1)) / 4;
  }

  void Clear() {
    for (const Page page : pages_) {
      munmap(directory_[page.index], kPageBytes / 4 * sizeof(Cell));
      directory_[page.index] = nullptr;
    }
    pages_.clear();
    // Directory pages that were touched once would else add up where addresses wander.
    if (directory_ != nullptr) madvise(directory_, kDirectory * sizeof(Cell*), MADV_DONTNEED);
  }

  static constexpr uint32_t kNoPair = ~0u;

  struct Page {
    uintptr_t index;
  };

  Cell** directory_ = nullptr;
  std::vector<Page> pages_;
  CellPair* pairs_ = nullptr;
  uint32_t used_pairs_ = 0;
  uint32_t free_pair_ = kNoPair;
  uint32_t launch_ = 0;
};

/// Address ranges, merged where they meet.
class Ranges {
 public:
  void clear() { ranges_.clear(); }

  void Add(uintptr_t begin, uintptr_t end) {
    if (begin >= end) return;
    auto first = std::lower_bound(ranges_.begin(), ranges_.end(), begin,
                                  [](const Range& r, uintptr_t value) { return r.end < value; });
    auto last = first;
    for (; last != ranges_.end() && last->begin <= end; ++last) {
      begin = std::min(begin, last->begin);
      end = std::max(end, last->end);
    }
    if (first == last) {
      ranges_.insert(first, {begin, end});
      return;
    }
    *first = {begin, end};
    ranges_.erase(first + 1, last);
  }

  bool Contains(uintptr_t address) const {
    const auto after =
        std::upper_bound(ranges_.begin(), ranges_.end(), address,
                         [](uintptr_t value, const Range& r) { return value < r.begin; });
    return after != ranges_.begin() && address < (after - 1)->end;
  }

 private:
  struct Range {
    uintptr_t begin, end;
  };
  std::vector<Range> ranges_;
};

}  // namespace
}  // namespace race
}  // namespace host_build
}  // namespace padproof::simt
