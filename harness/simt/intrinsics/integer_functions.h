// Integer functions of CUDA: bits, bytes, products, averages, dot products, minimum and maximum.

#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "harness/simt/intrinsics/rounding.h"
#include "harness/simt/types.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {
inline namespace toolkit_names {

// ---- bits ---------------------------------------------------------------------------------------

constexpr int __popc(unsigned x) { return std::popcount(x); }
constexpr int __popcll(unsigned long long x) { return std::popcount(x); }
constexpr int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
constexpr int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
/// Position of the lowest one, from 1; 0 if there is none.
constexpr int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
constexpr int __ffsll(long long x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned long long>(x)) + 1;
}
constexpr unsigned __brev(unsigned x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  x = (x >> 8 & 0x00ff00ffu) | (x & 0x00ff00ffu) << 8;
  return x >> 16 | x << 16;
}
constexpr unsigned long long __brevll(unsigned long long x) {
  return static_cast<unsigned long long>(__brev(static_cast<unsigned>(x))) << 32 |
         __brev(static_cast<unsigned>(x >> 32));
}
/// Position of the n-th one (n > 0, counted upwards from `base`; n < 0, downwards), or of the first
/// at or above the base if n is 0; -1 if there is none. PTX fns.
constexpr unsigned __fns(unsigned mask, unsigned base, int n) {
  if (n == 0) return base < 32 && (mask >> base & 1) != 0 ? base : ~0u;
  int position = static_cast<int>(base);
  const int step = n > 0 ? 1 : -1;
  int left = n > 0 ? n : -n;
  for (; position >= 0 && position < 32; position += step) {
    if ((mask >> position & 1) != 0 && --left == 0) return static_cast<unsigned>(position);
  }
  return ~0u;
}

/// The result's byte i is the one that nibble i of `selector` names (0-3: of x, 4-7: of y).
constexpr unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const uint64_t bytes = static_cast<uint64_t>(y) << 32 | x;
  unsigned result = 0;
  for (unsigned i = 0; i < 4; i++) {
    result |= static_cast<unsigned>(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
  }
  return result;
}

/// high:low shifted by shift mod 32, or by at most 32 (c, "clamped"): the upper word of a left
/// shift, the lower one of a right shift.
constexpr unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) << (shift & 31) >> 32);
}
constexpr unsigned __funnelshift_lc(unsigned low, unsigned high, unsigned shift) {
  return shift >= 32 ? low : __funnelshift_l(low, high, shift);
}
constexpr unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) >> (shift & 31));
}
constexpr unsigned __funnelshift_rc(unsigned low, unsigned high, unsigned shift) {
  return shift >= 32 ? high : __funnelshift_r(low, high, shift);
}

// ---- products -----------------------------------------------------------------------------------

constexpr int __mulhi(int x, int y) { return static_cast<int>(static_cast<int64_t>(x) * y >> 32); }
constexpr unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(static_cast<uint64_t>(x) * y >> 32);
}
constexpr unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return static_cast<unsigned long long>(static_cast<Uint128>(x) * y >> 64);
}
/// A negative factor is 2^64 less than its pattern says.
constexpr long long __mul64hi(long long x, long long y) {
  const auto a = static_cast<unsigned long long>(x), b = static_cast<unsigned long long>(y);
  return static_cast<long long>(__umul64hi(a, b) - (x < 0 ? b : 0) - (y < 0 ? a : 0));
}
/// The lower 32 bits of the product of the lower 24 bits.
constexpr unsigned __umul24(unsigned x, unsigned y) { return (x & 0xffffff) * (y & 0xffffff); }
constexpr int __mul24(int x, int y) {
  const int a = static_cast<int>(static_cast<unsigned>(x) << 8) >> 8;
  const int b = static_cast<int>(static_cast<unsigned>(y) << 8) >> 8;
  return static_cast<int>(static_cast<unsigned>(a) * static_cast<unsigned>(b));
}

// ---- sums ---------------------------------------------------------------------------------------

/// |x - y| + z
constexpr unsigned __sad(int x, int y, unsigned z) {
  const auto a = static_cast<unsigned>(x), b = static_cast<unsigned>(y);
  return (x < y ? b - a : a - b) + z;
}
constexpr unsigned __usad(unsigned x, unsigned y, unsigned z) {
  return (x < y ? y - x : x - y) + z;
}
/// Averages without overflow: rounded down; with an r rounded up.
constexpr int __hadd(int x, int y) { return static_cast<int>((int64_t{x} + y) >> 1); }
constexpr int __rhadd(int x, int y) { return static_cast<int>((int64_t{x} + y + 1) >> 1); }
constexpr unsigned __uhadd(unsigned x, unsigned y) {
  return static_cast<unsigned>((uint64_t{x} + y) >> 1);
}
constexpr unsigned __urhadd(unsigned x, unsigned y) {
  return static_cast<unsigned>((uint64_t{x} + y + 1) >> 1);
}

}  // namespace toolkit_names

/// Part i of a word, as T.
template <class T>
constexpr T PartOf(unsigned word, unsigned i) {
  return static_cast<T>(word >> 8 * sizeof(T) * i);
}
/// The sum, mod 2^32, of `count` products of parts of a, from the first, and bytes of b.
template <class A, class B>
constexpr unsigned DotProduct(unsigned a, unsigned b, unsigned first_of_b, unsigned count,
                              unsigned sum) {
  for (unsigned i = 0; i < count; i++) {
    sum += static_cast<unsigned>(PartOf<A>(a, i) * PartOf<B>(b, first_of_b + i));
  }
  return sum;
}

inline namespace toolkit_names {

constexpr int __dp4a(int a, int b, int c) {
  return static_cast<int>(DotProduct<int8_t, int8_t>(a, b, 0, 4, c));
}
constexpr unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
  return DotProduct<uint8_t, uint8_t>(a, b, 0, 4, c);
}
constexpr int __dp4a(char4 a, char4 b, int c) {
  return __dp4a(std::bit_cast<int>(a), std::bit_cast<int>(b), c);
}
constexpr unsigned __dp4a(uchar4 a, uchar4 b, unsigned c) {
  return __dp4a(std::bit_cast<unsigned>(a), std::bit_cast<unsigned>(b), c);
}
/// Both 16-bit halves of a with the two lower, or higher, bytes of b.
#define PADPROOF_SIMT_DP2A(name, first)                                      \
  constexpr int name(int a, int b, int c) {                                  \
    return static_cast<int>(DotProduct<int16_t, int8_t>(a, b, first, 2, c)); \
  }                                                                          \
  constexpr unsigned name(unsigned a, unsigned b, unsigned c) {              \
    return DotProduct<uint16_t, uint8_t>(a, b, first, 2, c);                 \
  }                                                                          \
  constexpr int name(short2 a, char4 b, int c) {                             \
    return name(std::bit_cast<int>(a), std::bit_cast<int>(b), c);            \
  }                                                                          \
  constexpr unsigned name(ushort2 a, uchar4 b, unsigned c) {                 \
    return name(std::bit_cast<unsigned>(a), std::bit_cast<unsigned>(b), c);  \
  }
PADPROOF_SIMT_DP2A(__dp2a_lo, 0)
PADPROOF_SIMT_DP2A(__dp2a_hi, 2)
#undef PADPROOF_SIMT_DP2A

// ---- minimum and maximum ------------------------------------------------------------------------
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
#define PADPROOF_SIMT_MIN_MAXES(Signed, Unsigned)     \
  PADPROOF_SIMT_MIN_MAX(Signed, Signed, Signed)       \
  PADPROOF_SIMT_MIN_MAX(Unsigned, Unsigned, Unsigned) \
  PADPROOF_SIMT_MIN_MAX(Unsigned, Signed, Unsigned)   \
  PADPROOF_SIMT_MIN_MAX(Unsigned, Unsigned, Signed)
PADPROOF_SIMT_MIN_MAXES(int, unsigned)
PADPROOF_SIMT_MIN_MAXES(long, unsigned long)
PADPROOF_SIMT_MIN_MAXES(long long, unsigned long long)
#undef PADPROOF_SIMT_MIN_MAXES
#undef PADPROOF_SIMT_MIN_MAX
inline float min(float a, float b) { return ::fminf(a, b); }
inline float max(float a, float b) { return ::fmaxf(a, b); }
inline double min(double a, double b) { return ::fmin(a, b); }
inline double max(double a, double b) { return ::fmax(a, b); }
inline double min(float a, double b) { return ::fmin(a, b); }
inline double max(float a, double b) { return ::fmax(a, b); }
inline double min(double a, float b) { return ::fmin(a, b); }
inline double max(double a, float b) { return ::fmax(a, b); }

constexpr unsigned umin(unsigned a, unsigned b) { return min(a, b); }
constexpr unsigned umax(unsigned a, unsigned b) { return max(a, b); }
constexpr long long llmin(long long a, long long b) { return min(a, b); }
constexpr long long llmax(long long a, long long b) { return max(a, b); }
constexpr unsigned long long ullmin(unsigned long long a, unsigned long long b) {
  return min(a, b);
}
constexpr unsigned long long ullmax(unsigned long long a, unsigned long long b) {
  return max(a, b);
}

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
