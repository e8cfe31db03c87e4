// Cooperative groups within a block: thread blocks, tiles of up to a warp, coalesced groups, and
// (cooperative_groups_algorithms.h) partitions, reductions, scans and invoke_one. Under nvcc these
// are the toolkit's headers. Kernels include this next to simt.h.
//
// Members have CUDA's meaning, built on the functions of collectives.h, so that lanes which do not
// come, or come to another place, are reported with the kernel's line. Making a group waits for
// nobody. Shuffles move up to 32 bytes; one from a rank that the group lacks gives the fill
// pattern.
//
// Refused by the compiler: grid-wide synchronisation, clusters, tiles of more than one warp, split
// barriers. this_grid() has its queries.

#pragma once

#include "harness/simt/simt.h"

#if defined(__CUDACC__)

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

#else

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {
namespace cooperative_groups {

// ---- lanes of a mask ----------------------------------------------------------------------------

inline unsigned CountOf(uint32_t mask) { return static_cast<unsigned>(std::popcount(mask)); }
inline unsigned RankIn(uint32_t mask, unsigned lane) { return CountOf(mask & ((1u << lane) - 1)); }

/// The lane of that rank among those of `mask`; if there is none, a lane that is not in it, or the
/// lane numbered so modulo 32 if all are.
inline unsigned LaneOf(uint32_t mask, unsigned rank) {
  if (mask == kFullMask) return rank % kLanes;
  if (rank >= CountOf(mask)) return static_cast<unsigned>(std::countr_one(mask));
  for (; rank != 0; rank--) mask &= mask - 1;
  return static_cast<unsigned>(std::countr_zero(mask));
}

/// The bits of `lanes` that `mask` names, packed by rank.
inline uint32_t PackedBy(uint32_t mask, uint32_t lanes) {
  uint32_t packed = 0;
  for (unsigned rank = 0; mask != 0; mask &= mask - 1, rank++) {
    packed |= (lanes >> std::countr_zero(mask) & 1u) << rank;
  }
  return packed;
}

template <class T>
PADPROOF_SIMT_INLINE T Shuffled32(uint32_t mask, const T& value, unsigned from, Site where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 32,
                "a group shuffles trivially copyable types of up to 32 bytes");
  if constexpr (sizeof(T) <= sizeof(uint64_t)) {
    return ShuffleFrom(mask, value, from, where);
  } else {
    uint64_t words[4] = {};
    std::memcpy(words, &value, sizeof(T));
    for (size_t i = 0; i * sizeof(uint64_t) < sizeof(T); i++) {
      words[i] = ShuffleFrom(mask, words[i], from, where);
    }
    T result;
    std::memcpy(&result, words, sizeof(T));
    return result;
  }
}

inline unsigned ThreadsOfBlock() {
  return current.block_dim.x * current.block_dim.y * current.block_dim.z;
}

PADPROOF_SIMT_INLINE void CheckTileSize(unsigned size, Site where) {
  if (size == 0 || size > kLanes || !std::has_single_bit(size)) {
    ReportAndAbort("the size of a tile is not a power of two up to 32", where);
  }
}

// ---- groups -------------------------------------------------------------------------------------

class thread_block;
class coalesced_group;

/// A group whose kind is known at run time only: the block, or lanes of one warp.
class thread_group {
 public:
  unsigned long long size() const { return mask_ == 0 ? ThreadsOfBlock() : CountOf(mask_); }
  unsigned long long num_threads() const { return size(); }
  unsigned long long thread_rank() const {
    return mask_ == 0 ? current.lane->thread : RankIn(mask_, LaneIndex());
  }
  PADPROOF_SIMT_INLINE void sync(PADPROOF_SIMT_SITE) const {
    if (mask_ == 0) {
      __syncthreads(where);
    } else {
      __syncwarp(mask_, where);
    }
  }

 protected:
  explicit thread_group(uint32_t mask) : mask_(mask) {}
  friend thread_group tiled_partition(const thread_group&, unsigned, Site);

  uint32_t mask_;  // 0: the block
};

class thread_block : public thread_group {
 public:
  PADPROOF_SIMT_INLINE static void sync(PADPROOF_SIMT_SITE) { __syncthreads(where); }
  static unsigned size() { return ThreadsOfBlock(); }
  static unsigned num_threads() { return ThreadsOfBlock(); }
  static unsigned thread_rank() { return current.lane->thread; }
  static dim3 group_index() { return current.block_idx; }
  static dim3 thread_index() { return current.lane->thread_idx; }
  static dim3 group_dim() { return current.block_dim; }
  static dim3 dim_threads() { return current.block_dim; }

 private:
  thread_block() : thread_group(0) {}
  friend thread_block this_thread_block();
};
inline thread_block this_thread_block() { return {}; }

class coalesced_group : public thread_group {
 public:
  unsigned size() const { return CountOf(mask_); }
  unsigned num_threads() const { return CountOf(mask_); }
  unsigned thread_rank() const { return RankIn(mask_, LaneIndex()); }
  unsigned meta_group_rank() const { return meta_rank_; }
  unsigned meta_group_size() const { return meta_size_; }
  PADPROOF_SIMT_INLINE void sync(PADPROOF_SIMT_SITE) const { __syncwarp(mask_, where); }

  template <class T>
  PADPROOF_SIMT_INLINE T shfl(const T& value, int source_rank, PADPROOF_SIMT_SITE) const {
    return Shuffled32(mask_, value, LaneOf(mask_, static_cast<unsigned>(source_rank)), where);
  }
  /// Ranks that have no source keep their own value.
  template <class T>
  PADPROOF_SIMT_INLINE T shfl_up(const T& value, unsigned delta, PADPROOF_SIMT_SITE) const {
    const unsigned rank = thread_rank();
    return Shuffled32(mask_, value, LaneOf(mask_, rank >= delta ? rank - delta : rank), where);
  }
  template <class T>
  PADPROOF_SIMT_INLINE T shfl_down(const T& value, unsigned delta, PADPROOF_SIMT_SITE) const {
    const unsigned rank = thread_rank(), behind = size() - 1 - rank;
    return Shuffled32(mask_, value, LaneOf(mask_, delta <= behind ? rank + delta : rank), where);
  }

  PADPROOF_SIMT_INLINE int any(int predicate, PADPROOF_SIMT_SITE) const {
    return __any_sync(mask_, predicate, where);
  }
  PADPROOF_SIMT_INLINE int all(int predicate, PADPROOF_SIMT_SITE) const {
    return __all_sync(mask_, predicate, where);
  }
  PADPROOF_SIMT_INLINE unsigned ballot(int predicate, PADPROOF_SIMT_SITE) const {
    return PackedBy(mask_, __ballot_sync(mask_, predicate, where));
  }
  template <class T>
  PADPROOF_SIMT_INLINE unsigned match_any(T value, PADPROOF_SIMT_SITE) const {
    return PackedBy(mask_, __match_any_sync(mask_, value, where));
  }
  template <class T>
  PADPROOF_SIMT_INLINE unsigned match_all(T value, int& predicate, PADPROOF_SIMT_SITE) const {
    return PackedBy(mask_, __match_all_sync(mask_, value, &predicate, where));
  }

  /// Not CUDA's: for the functions of cooperative_groups_algorithms.h.
  static coalesced_group OfLanes(uint32_t mask, unsigned meta_rank, unsigned meta_size) {
    return coalesced_group(mask, meta_rank, meta_size);
  }
  uint32_t LanesOfGroup() const { return mask_; }

 private:
  coalesced_group(uint32_t mask, unsigned meta_rank, unsigned meta_size)
      : thread_group(mask), meta_rank_(meta_rank), meta_size_(meta_size) {}

  unsigned meta_rank_;
  unsigned meta_size_;
};

/// The lanes that are here together.
PADPROOF_SIMT_INLINE coalesced_group coalesced_threads(PADPROOF_SIMT_SITE) {
  return coalesced_group::OfLanes(__activemask(where), 0, 1);
}

// ---- tiles --------------------------------------------------------------------------------------

template <unsigned kSize, class Parent = void>
class thread_block_tile {
  static_assert(kSize <= kLanes, "padproof simt: tiles of more than one warp are not emulated");
  static_assert(std::has_single_bit(kSize), "the size of a tile is a power of two");

 public:
  template <class OtherParent>
    requires std::is_void_v<Parent>
  thread_block_tile(const thread_block_tile<kSize, OtherParent>& other)  // NOLINT
      : meta_rank_(other.meta_group_rank()), meta_size_(other.meta_group_size()) {}

  static constexpr unsigned size() { return kSize; }
  static constexpr unsigned num_threads() { return kSize; }
  static unsigned thread_rank() { return LaneIndex() % kSize; }
  unsigned meta_group_rank() const { return meta_rank_; }
  unsigned meta_group_size() const { return meta_size_; }
  PADPROOF_SIMT_INLINE static void sync(PADPROOF_SIMT_SITE) { __syncwarp(LanesOfGroup(), where); }

  /// Ranks count modulo the size of the tile.
  template <class T>
  PADPROOF_SIMT_INLINE T shfl(const T& value, int source_rank, PADPROOF_SIMT_SITE) const {
    return From(value, static_cast<unsigned>(source_rank) % kSize, where);
  }
  /// Ranks that have no source keep their own value.
  template <class T>
  PADPROOF_SIMT_INLINE T shfl_up(const T& value, unsigned delta, PADPROOF_SIMT_SITE) const {
    const unsigned rank = thread_rank(), by = delta % kLanes;
    return From(value, rank >= by ? rank - by : rank, where);
  }
  template <class T>
  PADPROOF_SIMT_INLINE T shfl_down(const T& value, unsigned delta, PADPROOF_SIMT_SITE) const {
    const unsigned rank = thread_rank(), by = delta % kLanes;
    return From(value, rank + by < kSize ? rank + by : rank, where);
  }
  template <class T>
  PADPROOF_SIMT_INLINE T shfl_xor(const T& value, unsigned lane_mask, PADPROOF_SIMT_SITE) const {
    // As PTX does: from a lower tile of the warp too, but not from a higher one.
    const unsigned lane = LaneIndex(), other = lane ^ (lane_mask % kLanes);
    const unsigned from = other <= (lane | (kSize - 1)) ? other : lane;
    return Shuffled32(LanesOfGroup(), value, from, where);
  }

  PADPROOF_SIMT_INLINE int any(int predicate, PADPROOF_SIMT_SITE) const {
    return __any_sync(LanesOfGroup(), predicate, where);
  }
  PADPROOF_SIMT_INLINE int all(int predicate, PADPROOF_SIMT_SITE) const {
    return __all_sync(LanesOfGroup(), predicate, where);
  }
  PADPROOF_SIMT_INLINE unsigned ballot(int predicate, PADPROOF_SIMT_SITE) const {
    return __ballot_sync(LanesOfGroup(), predicate, where) >> FirstLane();
  }
  template <class T>
  PADPROOF_SIMT_INLINE unsigned match_any(T value, PADPROOF_SIMT_SITE) const {
    return __match_any_sync(LanesOfGroup(), value, where) >> FirstLane();
  }
  template <class T>
  PADPROOF_SIMT_INLINE unsigned match_all(T value, int& predicate, PADPROOF_SIMT_SITE) const {
    return __match_all_sync(LanesOfGroup(), value, &predicate, where) >> FirstLane();
  }

  /// Not CUDA's: for the functions that make tiles or work on groups.
  static thread_block_tile WithMeta(unsigned meta_rank, unsigned meta_size) {
    return thread_block_tile(meta_rank, meta_size);
  }
  static uint32_t LanesOfGroup() { return kFullMask >> (kLanes - kSize) << FirstLane(); }

 private:
  thread_block_tile(unsigned meta_rank, unsigned meta_size)
      : meta_rank_(meta_rank), meta_size_(meta_size) {}

  static unsigned FirstLane() { return LaneIndex() & ~(kSize - 1); }
  template <class T>
  PADPROOF_SIMT_INLINE static T From(const T& value, unsigned rank, Site where) {
    return Shuffled32(LanesOfGroup(), value, FirstLane() + rank, where);
  }

  unsigned meta_rank_;
  unsigned meta_size_;
};

inline thread_block_tile<1> this_thread() { return thread_block_tile<1>::WithMeta(0, 1); }

template <unsigned kSize>
PADPROOF_SIMT_INLINE thread_block_tile<kSize, thread_block> tiled_partition(
    const thread_block& parent, PADPROOF_SIMT_SITE) {
  if (parent.size() % kSize != 0) {
    ReportAndAbort("the size of the block is not a multiple of its tiles'", where);
  }
  return thread_block_tile<kSize, thread_block>::WithMeta(parent.thread_rank() / kSize,
                                                          parent.size() / kSize);
}

template <unsigned kSize, unsigned kParentSize, class GrandParent>
PADPROOF_SIMT_INLINE auto tiled_partition(
    const thread_block_tile<kParentSize, GrandParent>& parent) {
  static_assert(kSize < kParentSize, "a tile is smaller than its parent");
  return thread_block_tile<kSize, thread_block_tile<kParentSize, GrandParent> >::WithMeta(
      parent.thread_rank() / kSize, kParentSize / kSize);
}

/// The members whose ranks, divided by `size`, are the caller's; the last tile may be smaller.
PADPROOF_SIMT_INLINE coalesced_group tiled_partition(const coalesced_group& parent, unsigned size,
                                                     PADPROOF_SIMT_SITE) {
  CheckTileSize(size, where);
  if (parent.size() <= size) return parent;
  const unsigned first = parent.thread_rank() / size * size;
  uint32_t lanes = parent.LanesOfGroup(), tile = 0;
  for (unsigned rank = 0; lanes != 0 && rank < first + size; rank++) {
    if (rank >= first) tile |= lanes & -lanes;
    lanes &= lanes - 1;
  }
  return coalesced_group::OfLanes(tile, first / size, (parent.size() + size - 1) / size);
}

PADPROOF_SIMT_INLINE thread_group tiled_partition(const thread_group& parent, unsigned size,
                                                  PADPROOF_SIMT_SITE) {
  if (parent.mask_ != 0) {
    return tiled_partition(coalesced_group::OfLanes(parent.mask_, 0, 1), size, where);
  }
  CheckTileSize(size, where);
  const unsigned first = current.lane->thread & ~(size - 1);
  const unsigned left = ThreadsOfBlock() - first;
  return thread_group(kFullMask >> (kLanes - (left < size ? left : size)) << first % kLanes);
}

// ---- grids --------------------------------------------------------------------------------------

/// `sync` is a template, so that a call of it is what does not compile.
class grid_group {
 public:
  template <bool kEmulated = false>
  static void sync() {
    static_assert(kEmulated, "padproof simt: grid-wide synchronisation is not emulated");
  }
  /// Whether `sync` could be called: never, as in a launch that is not cooperative.
  static bool is_valid() { return false; }
  static unsigned long long size() { return num_blocks() * ThreadsOfBlock(); }
  static unsigned long long num_threads() { return size(); }
  static unsigned long long thread_rank() {
    return block_rank() * ThreadsOfBlock() + current.lane->thread;
  }
  static unsigned long long num_blocks() {
    const dim3& grid = current.grid_dim;
    return 1ull * grid.x * grid.y * grid.z;
  }
  static unsigned long long block_rank() {
    const uint3& block = current.block_idx;
    const dim3& grid = current.grid_dim;
    return (1ull * block.z * grid.y + block.y) * grid.x + block.x;
  }
  static dim3 group_dim() { return current.grid_dim; }
  static dim3 dim_blocks() { return current.grid_dim; }
  static dim3 dim_threads() { return current.block_dim; }
  static dim3 block_index() { return current.block_idx; }
  static dim3 thread_index() { return current.lane->thread_idx; }
};
inline grid_group this_grid() { return {}; }

template <bool kEmulated = false>
void this_cluster() {
  static_assert(kEmulated, "padproof simt: clusters are not emulated");
}

// ---- the same as free functions -----------------------------------------------------------------

template <class Group>
PADPROOF_SIMT_INLINE void sync(const Group& group, PADPROOF_SIMT_SITE) {
  if constexpr (std::is_same_v<Group, grid_group>) {
    group.sync();
  } else {
    group.sync(where);
  }
}
template <class Group>
auto thread_rank(const Group& group) {
  return group.thread_rank();
}
template <class Group>
auto group_size(const Group& group) {
  return group.num_threads();
}

}  // namespace cooperative_groups
}  // namespace host_build
}  // namespace padproof::simt

namespace cooperative_groups = ::padproof::simt::cooperative_groups;
#pragma GCC visibility pop

#include "harness/simt/cooperative_groups_algorithms.h"

#endif
