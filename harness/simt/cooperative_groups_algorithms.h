// Partitions, reductions, scans and invoke_one of cooperative groups; included by
// cooperative_groups.h. Reductions and scans combine in the order of the toolkit's functions, so
// that sums in floating point have the same bits.

#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "harness/base/random.h"
#include "harness/simt/cooperative_groups.h"

#if !defined(__CUDACC__)

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {
namespace cooperative_groups {

// ---- partitions ---------------------------------------------------------------------------------

template <class Group>
PADPROOF_SIMT_INLINE coalesced_group binary_partition(const Group& group, bool predicate,
                                                      PADPROOF_SIMT_SITE) {
  const uint32_t lanes = group.LanesOfGroup();
  const uint32_t set = __ballot_sync(lanes, predicate, where);
  if (set == lanes || set == 0) return coalesced_group::OfLanes(lanes, 0, 1);
  return coalesced_group::OfLanes(predicate ? set : lanes & ~set, predicate, 2);
}

/// The members with the caller's label. Groups are ranked by their lowest lanes.
template <class Group, class Label>
PADPROOF_SIMT_INLINE coalesced_group labeled_partition(const Group& group, Label label,
                                                       PADPROOF_SIMT_SITE) {
  static_assert(std::is_integral_v<Label> || std::is_pointer_v<Label>,
                "a label is an integer or a pointer");
  if constexpr (std::is_same_v<Label, bool>) {
    return binary_partition(group, label, where);
  } else {
    const uint32_t lanes = group.LanesOfGroup();
    uint64_t bits = 0;
    std::memcpy(&bits, &label, sizeof label);
    const uint32_t equal = __match_any_sync(lanes, bits, where);
    const uint32_t leader = equal & -equal;
    const uint32_t leaders = __ballot_sync(lanes, leader == 1u << LaneIndex(), where);
    return coalesced_group::OfLanes(equal, CountOf(leaders & (leader - 1)), CountOf(leaders));
  }
}

// ---- operators ----------------------------------------------------------------------------------

/// Integers wrap, as on the device.
template <class T>
struct plus {
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    } else {
      return a + b;
    }
  }
};
template <class T>
struct less {
  T operator()(T a, T b) const { return b < a ? b : a; }
};
template <class T>
struct greater {
  T operator()(T a, T b) const { return a < b ? b : a; }
};
template <class T>
struct bit_and {
  T operator()(T a, T b) const { return static_cast<T>(a & b); }
};
template <class T>
struct bit_or {
  T operator()(T a, T b) const { return static_cast<T>(a | b); }
};
template <class T>
struct bit_xor {
  T operator()(T a, T b) const { return static_cast<T>(a ^ b); }
};

// ---- scans and reductions -----------------------------------------------------------------------

template <class Group>
inline constexpr bool kIsOfLanes = requires(const Group& group) { group.LanesOfGroup(); };

/// Of the caller's value and those of all lower ranks.
template <class Group, class T, class Operator>
  requires std::is_invocable_v<Operator, T, T>
PADPROOF_SIMT_INLINE T inclusive_scan(const Group& group, const T& value, Operator&& op,
                                      PADPROOF_SIMT_SITE) {
  static_assert(kIsOfLanes<Group>, "padproof simt: scans are of tiles and coalesced groups");
  T result = value;
  for (unsigned distance = 1; distance < group.size(); distance *= 2) {
    const T lower = group.shfl_up(result, distance, where);
    if (distance <= group.thread_rank()) result = op(result, lower);
  }
  return result;
}
template <class Group, class T>
PADPROOF_SIMT_INLINE T inclusive_scan(const Group& group, const T& value, PADPROOF_SIMT_SITE) {
  return inclusive_scan(group, value, plus<T>(), where);
}

/// Of the values of all lower ranks; T{} for rank 0.
template <class Group, class T, class Operator>
  requires std::is_invocable_v<Operator, T, T>
PADPROOF_SIMT_INLINE T exclusive_scan(const Group& group, const T& value, Operator&& op,
                                      PADPROOF_SIMT_SITE) {
  const T inclusive = inclusive_scan(group, value, op, where);
  const T lower = group.shfl_up(inclusive, 1, where);
  return group.thread_rank() == 0 ? T{} : lower;
}
template <class Group, class T>
PADPROOF_SIMT_INLINE T exclusive_scan(const Group& group, const T& value, PADPROOF_SIMT_SITE) {
  return exclusive_scan(group, value, plus<T>(), where);
}

/// Of the values of all members; every member gets it.
template <class Group, class T, class Operator>
PADPROOF_SIMT_INLINE T reduce(const Group& group, const T& value, Operator&& op,
                              PADPROOF_SIMT_SITE) {
  static_assert(kIsOfLanes<Group>, "padproof simt: reductions are of tiles and coalesced groups");
  const unsigned size = group.size();
  if (std::is_same_v<Group, coalesced_group> && size != kLanes) {
    return group.shfl(inclusive_scan(group, value, op, where), static_cast<int>(size - 1), where);
  }
  T result = value;
  for (unsigned distance = size / 2; distance != 0; distance /= 2) {
    const unsigned other = LaneIndex() ^ distance;
    result = op(result, Shuffled32(group.LanesOfGroup(), result, other, where));
  }
  return result;
}

// ---- one for all --------------------------------------------------------------------------------

/// CUDA leaves open which member it is: drawn from the schedule's seed, rank 0 in a block.
template <class Group>
unsigned InvokedRank(const Group& group) {
  if constexpr (kIsOfLanes<Group>) {
    const uint64_t bits = HashOf({CurrentOptions().seed, group.LanesOfGroup()});
    return static_cast<unsigned>(bits >> 32) % group.size();
  } else {
    return 0;
  }
}

template <class Group, class Function, class... Arguments>
PADPROOF_SIMT_INLINE void invoke_one(const Group& group, Function&& function,
                                     Arguments&&... arguments) {
  if (group.thread_rank() != InvokedRank(group)) return;
  std::forward<Function>(function)(std::forward<Arguments>(arguments)...);
}

/// Every member gets the result. A divergence in here is reported with a line of this file: after
/// the arguments there is no place for the caller's.
template <class Group, class Function, class... Arguments>
  requires kIsOfLanes<Group>
PADPROOF_SIMT_INLINE auto invoke_one_broadcast(const Group& group, Function&& function,
                                               Arguments&&... arguments) {
  using Result = std::remove_cvref_t<std::invoke_result_t<Function, Arguments...>>;
  static_assert(!std::is_void_v<Result>, "use invoke_one for functions without a result");
  Result result{};
  const unsigned rank = InvokedRank(group);
  if (group.thread_rank() == rank) {
    result = std::forward<Function>(function)(std::forward<Arguments>(arguments)...);
  }
  return group.shfl(result, static_cast<int>(rank));
}

}  // namespace cooperative_groups
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop

#endif
