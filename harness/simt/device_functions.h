// Host side of CUDA's device functions: barriers, warp operations, atomics, intrinsics. They are
// compiled, and instrumented, with the kernel; kernels include simt.h, which includes this.
//
// Where CUDA leaves a result undefined (a shuffle from a lane that takes no part), the result here
// is the fill pattern. Approximate intrinsics are exact to libm: a host has no special function
// unit, and bit equality with a device is not the aim.

#pragma once

#include <math.h>  // NOLINT(modernize-deprecated-headers): CUDA's names are global

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "harness/simt/runtime.h"

#define PADPROOF_SIMT_SITE ::padproof::simt::Site where = ::padproof::simt::Site::current()

inline constexpr int warpSize = 32;

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

inline constexpr uint32_t kFullMask = 0xffffffffu;

// ---- warp operations ----------------------------------------------------------------------------

template <class Resolve>
PADPROOF_SIMT_INLINE uint64_t Collective(uint32_t mask, uint64_t in, uint32_t source, Site where,
                                         Resolve resolve) {
  Lane& lane = *current.lane;
  lane.in = in;
  lane.source = source;
  if (const uint32_t members = ArriveAtWarpOperation(mask, where)) {
    resolve(current.warp, members);
    ReleaseWarp(members);
  }
  return lane.out;
}

template <class Function>
PADPROOF_SIMT_INLINE void ForEachLane(uint32_t members, Function function) {
  for (; members != 0; members &= members - 1) function(std::countr_zero(members));
}

__attribute__((noinline)) inline void MoveShuffled(Lane* warp, uint32_t members) {
  ForEachLane(members, [&](int i) {
    const uint32_t source = warp[i].source;
    warp[i].out = members >> source & 1 ? warp[source].in : current.poison;
  });
}

__attribute__((noinline)) inline void CollectBallot(Lane* warp, uint32_t members) {
  uint64_t ballot = 0;
  ForEachLane(members, [&](int i) { ballot |= warp[i].in << i; });
  ForEachLane(members, [&](int i) { warp[i].out = ballot; });
}

/// Types a shuffle moves; smaller integers are promoted first, as by nvcc's overloads.
template <class T>
concept Shuffled = (std::is_arithmetic_v<T> && sizeof(T) <= 8) || std::is_same_v<T, __half> ||
                   std::is_same_v<T, __half2> || std::is_same_v<T, __nv_bfloat16> ||
                   std::is_same_v<T, __nv_bfloat162>;

template <class T>
PADPROOF_SIMT_INLINE auto Promote(T value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return +value;
  } else {
    return value;
  }
}

template <class T>
PADPROOF_SIMT_INLINE T ShuffleFrom(uint32_t mask, T value, uint32_t source, Site where) {
  uint64_t in = 0;
  std::memcpy(&in, &value, sizeof value);
  const uint64_t out = Collective(mask, in, source, where, MoveShuffled);
  std::memcpy(&value, &out, sizeof value);
  return value;
}

/// The lanes of the caller's segment, by the rules of PTX shfl.sync.
struct Segment {
  uint32_t first;
  uint32_t last;
};

PADPROOF_SIMT_INLINE Segment SegmentOf(uint32_t lane, int width, Site where) {
  if (width < 1 || width > 32 || (width & (width - 1)) != 0) {
    ReportAndAbort("the width of a shuffle is not a power of two up to 32", where);
  }
  const uint32_t offset_bits = static_cast<uint32_t>(width) - 1;
  return {lane & ~offset_bits, lane | offset_bits};
}

PADPROOF_SIMT_INLINE uint32_t Ballot(uint32_t mask, bool predicate, Site where) {
  return static_cast<uint32_t>(Collective(mask, predicate, 0, where, CollectBallot));
}

// ---- atomics: one thread runs at a time, so a plain read and write is one -----------------------

template <class T, class Update>
PADPROOF_SIMT_INLINE T ReadModifyWrite(T* address, Update update) {
  const T old = *address;
  *address = update(old);
  return old;
}

}  // namespace host_build
}  // namespace padproof::simt

PADPROOF_SIMT_INLINE void __syncthreads(PADPROOF_SIMT_SITE) {
  padproof::simt::ArriveAtBarrier(0, where);
}
PADPROOF_SIMT_INLINE int __syncthreads_count(int predicate, PADPROOF_SIMT_SITE) {
  return static_cast<int>(padproof::simt::ArriveAtBarrier(predicate != 0, where));
}
PADPROOF_SIMT_INLINE int __syncthreads_or(int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::ArriveAtBarrier(predicate != 0, where) != 0;
}
PADPROOF_SIMT_INLINE int __syncthreads_and(int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::ArriveAtBarrier(predicate == 0, where) == 0;
}
PADPROOF_SIMT_INLINE void __syncwarp(unsigned mask = padproof::simt::kFullMask,
                                     PADPROOF_SIMT_SITE) {
  padproof::simt::Collective(mask, 0, 0, where, [](padproof::simt::Lane*, uint32_t) {});
}

template <padproof::simt::Shuffled T>
PADPROOF_SIMT_INLINE auto __shfl_sync(unsigned mask, T value, int source, int width = 32,
                                      PADPROOF_SIMT_SITE) {
  const uint32_t lane = padproof::simt::current.lane_index;
  const auto segment = padproof::simt::SegmentOf(lane, width, where);
  const uint32_t from = segment.first | (static_cast<uint32_t>(source) & (width - 1));
  return padproof::simt::ShuffleFrom(mask, padproof::simt::Promote(value), from, where);
}

template <padproof::simt::Shuffled T>
PADPROOF_SIMT_INLINE auto __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                                         PADPROOF_SIMT_SITE) {
  const uint32_t lane = padproof::simt::current.lane_index;
  const auto segment = padproof::simt::SegmentOf(lane, width, where);
  delta &= 31;
  const uint32_t from = segment.first + delta <= lane ? lane - delta : lane;
  return padproof::simt::ShuffleFrom(mask, padproof::simt::Promote(value), from, where);
}

template <padproof::simt::Shuffled T>
PADPROOF_SIMT_INLINE auto __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                                           PADPROOF_SIMT_SITE) {
  const uint32_t lane = padproof::simt::current.lane_index;
  const auto segment = padproof::simt::SegmentOf(lane, width, where);
  delta &= 31;
  const uint32_t from = lane + delta <= segment.last ? lane + delta : lane;
  return padproof::simt::ShuffleFrom(mask, padproof::simt::Promote(value), from, where);
}

template <padproof::simt::Shuffled T>
PADPROOF_SIMT_INLINE auto __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                                          PADPROOF_SIMT_SITE) {
  const uint32_t lane = padproof::simt::current.lane_index;
  const auto segment = padproof::simt::SegmentOf(lane, width, where);
  const uint32_t other = lane ^ (static_cast<uint32_t>(lane_mask) & 31);
  const uint32_t from = other <= segment.last ? other : lane;
  return padproof::simt::ShuffleFrom(mask, padproof::simt::Promote(value), from, where);
}

PADPROOF_SIMT_INLINE unsigned __ballot_sync(unsigned mask, int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::Ballot(mask, predicate != 0, where);
}
PADPROOF_SIMT_INLINE int __any_sync(unsigned mask, int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::Ballot(mask, predicate != 0, where) != 0;
}
PADPROOF_SIMT_INLINE int __all_sync(unsigned mask, int predicate, PADPROOF_SIMT_SITE) {
  return padproof::simt::Ballot(mask, predicate == 0, where) == 0;
}

inline void __threadfence() {}
inline void __threadfence_block() {}

// The overloads that CUDA has, and no others: a kernel must not compile here alone.
#define PADPROOF_SIMT_ATOMIC(name, T, update)                              \
  inline T name(T* address, T value) {                                     \
    return padproof::simt::ReadModifyWrite(                                \
        address, [value]([[maybe_unused]] T old) -> T { return update; }); \
  }
#define PADPROOF_SIMT_ATOMICS_OF_INTEGER(T)                     \
  PADPROOF_SIMT_ATOMIC(atomicMax, T, old < value ? value : old) \
  PADPROOF_SIMT_ATOMIC(atomicMin, T, value < old ? value : old) \
  PADPROOF_SIMT_ATOMIC(atomicAnd, T, old& value)                \
  PADPROOF_SIMT_ATOMIC(atomicOr, T, old | value)                \
  PADPROOF_SIMT_ATOMIC(atomicXor, T, old ^ value)

// Signed sums wrap, as on the device.
PADPROOF_SIMT_ATOMIC(atomicAdd, int, static_cast<int>(static_cast<unsigned>(old) + value))
PADPROOF_SIMT_ATOMIC(atomicAdd, unsigned, old + value)
PADPROOF_SIMT_ATOMIC(atomicAdd, unsigned long long, old + value)
PADPROOF_SIMT_ATOMIC(atomicAdd, float, old + value)
PADPROOF_SIMT_ATOMIC(atomicAdd, double, old + value)
PADPROOF_SIMT_ATOMIC(atomicSub, int, static_cast<int>(static_cast<unsigned>(old) - value))
PADPROOF_SIMT_ATOMIC(atomicSub, unsigned, old - value)
PADPROOF_SIMT_ATOMIC(atomicExch, int, value)
PADPROOF_SIMT_ATOMIC(atomicExch, unsigned, value)
PADPROOF_SIMT_ATOMIC(atomicExch, unsigned long long, value)
PADPROOF_SIMT_ATOMIC(atomicExch, float, value)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(int)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(unsigned)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(long long)
PADPROOF_SIMT_ATOMICS_OF_INTEGER(unsigned long long)
#undef PADPROOF_SIMT_ATOMICS_OF_INTEGER
#undef PADPROOF_SIMT_ATOMIC

#define PADPROOF_SIMT_ATOMIC_CAS(T)                                         \
  inline T atomicCAS(T* address, T compare, T value) {                      \
    return padproof::simt::ReadModifyWrite(                                 \
        address, [=](T old) -> T { return old == compare ? value : old; }); \
  }
PADPROOF_SIMT_ATOMIC_CAS(int)
PADPROOF_SIMT_ATOMIC_CAS(unsigned)
PADPROOF_SIMT_ATOMIC_CAS(unsigned long long)
PADPROOF_SIMT_ATOMIC_CAS(unsigned short)
#undef PADPROOF_SIMT_ATOMIC_CAS

// ---- arithmetic ---------------------------------------------------------------------------------

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float fdividef(float x, float y) { return x / y; }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }  // NaN gives 0

// Macros, because glibc's <math.h> declares functions of these names and defines none.
#define __expf(x) (::expf(x))
#define __logf(x) (::logf(x))
#define __log2f(x) (::log2f(x))
#define __sinf(x) (::sinf(x))
#define __cosf(x) (::cosf(x))
#define __powf(x, y) (::powf(x, y))

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }

template <class T>
PADPROOF_SIMT_INLINE T __ldg(const T* address) {
  return *address;
}

// Plain overloads, so that `using namespace std` makes none of these calls ambiguous.
#define PADPROOF_SIMT_MIN_MAX(T, A, B)                    \
  constexpr T min(A a, B b) {                             \
    const T x = static_cast<T>(a), y = static_cast<T>(b); \
    return y < x ? y : x;                                 \
  }                                                       \
  constexpr T max(A a, B b) {                             \
    const T x = static_cast<T>(a), y = static_cast<T>(b); \
    return x < y ? y : x;                                 \
  }
PADPROOF_SIMT_MIN_MAX(int, int, int)
PADPROOF_SIMT_MIN_MAX(unsigned, unsigned, unsigned)
PADPROOF_SIMT_MIN_MAX(unsigned, int, unsigned)
PADPROOF_SIMT_MIN_MAX(unsigned, unsigned, int)
PADPROOF_SIMT_MIN_MAX(long, long, long)
PADPROOF_SIMT_MIN_MAX(unsigned long, unsigned long, unsigned long)
PADPROOF_SIMT_MIN_MAX(long long, long long, long long)
PADPROOF_SIMT_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
#undef PADPROOF_SIMT_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
#pragma GCC visibility pop
