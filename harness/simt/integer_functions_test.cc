// Integer functions of the SIMT layer against their definitions in CUDA's math API and PTX ISA,
// bit by bit or in wider integers; those of bytes for every pair of bytes. Dot products, minima and
// n-th bits are in integer_exhaustive_test.cc.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <type_traits>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

__extension__ typedef unsigned __int128 Wide;
__extension__ typedef __int128 SignedWide;

std::vector<uint64_t> Words() {
  std::vector<uint64_t> words = {0,
                                 1,
                                 2,
                                 0xff,
                                 0x7fffffff,
                                 0x80000000,
                                 0xffffffff,
                                 0x7fffff,
                                 0x800000,
                                 0xffffff,
                                 0x7fffffffffffffff,
                                 0x8000000000000000,
                                 0xffffffffffffffff,
                                 0x0123456789abcdef};
  for (int i = 0; i < 64; i++) words.push_back(uint64_t{1} << i);
  Random random(1);
  for (int n = 0; n < 300; n++) words.push_back(random.Next() >> random.Next() % 64);
  return words;
}

int Bit(uint64_t word, int i) { return static_cast<int>(word >> i & 1); }

TEST(IntegerFunctions, Bits) {
  for (uint64_t word : Words()) {
    for (int width : {32, 64}) {
      const uint64_t w = width == 32 ? static_cast<uint32_t>(word) : word;
      int ones = 0, lowest = 0, highest = 0;
      uint64_t reversed = 0;
      for (int i = 0; i < width; i++) {
        ones += Bit(w, i);
        if (Bit(w, i) != 0 && lowest == 0) lowest = i + 1;
        if (Bit(w, i) != 0) highest = i + 1;
        reversed |= static_cast<uint64_t>(Bit(w, i)) << (width - 1 - i);
      }
      const auto n = static_cast<unsigned>(w);
      const auto s = static_cast<long long>(w);
      ASSERT_EQ(width == 32 ? __popc(n) : __popcll(w), ones) << w;
      ASSERT_EQ(width == 32 ? __ffs(static_cast<int>(n)) : __ffsll(s), lowest) << w;
      ASSERT_EQ(width == 32 ? __clz(static_cast<int>(n)) : __clzll(s), width - highest) << w;
      ASSERT_EQ(width == 32 ? __brev(n) : __brevll(w), reversed) << w;
    }
  }
}

TEST(IntegerFunctions, BytesArePermuted) {
  const unsigned x = 0x33221100, y = 0x77665544;
  for (unsigned selector = 0; selector < 0x10000; selector++) {
    unsigned expected = 0;
    for (unsigned i = 0; i < 4; i++) {
      expected |= ((selector >> 4 * i & 7) * 0x11) << 8 * i;  // the byte's number, twice
    }
    ASSERT_EQ(__byte_perm(x, y, selector), expected) << std::hex << selector;
    ASSERT_EQ(__byte_perm(x, y, selector | 0xabcd0000u), expected) << std::hex << selector;
  }
}

TEST(IntegerFunctions, FunnelShifts) {
  const std::vector<uint64_t> words = Words();
  for (uint64_t word : words) {
    const auto low = static_cast<unsigned>(word), high = static_cast<unsigned>(word * 0x9e3779b9);
    const auto joined = Wide{high} << 32 | low;
    for (unsigned shift = 0; shift < 70; shift++) {
      const unsigned wrapped = shift % 32, clamped = std::min(shift, 32u);
      ASSERT_EQ(__funnelshift_l(low, high, shift), static_cast<unsigned>(joined << wrapped >> 32));
      ASSERT_EQ(__funnelshift_lc(low, high, shift), static_cast<unsigned>(joined << clamped >> 32));
      ASSERT_EQ(__funnelshift_r(low, high, shift), static_cast<unsigned>(joined >> wrapped));
      ASSERT_EQ(__funnelshift_rc(low, high, shift), static_cast<unsigned>(joined >> clamped));
    }
    ASSERT_EQ(__funnelshift_lc(low, high, ~0u), low);
    ASSERT_EQ(__funnelshift_rc(low, high, ~0u), high);
  }
}

TEST(IntegerFunctions, Products) {
  for (uint64_t a : Words()) {
    for (uint64_t b : Words()) {
      const auto x = static_cast<unsigned>(a), y = static_cast<unsigned>(b);
      const auto i = static_cast<int>(x), j = static_cast<int>(y);
      const auto k = static_cast<long long>(a), l = static_cast<long long>(b);
      ASSERT_EQ(__umul64hi(a, b), static_cast<uint64_t>(Wide{a} * b >> 64));
      ASSERT_EQ(__mul64hi(k, l), static_cast<int64_t>(SignedWide{k} * l >> 64)) << k << " " << l;
      ASSERT_EQ(__umulhi(x, y), static_cast<unsigned>(Wide{x} * y >> 32));
      ASSERT_EQ(__mulhi(i, j), static_cast<int>(SignedWide{i} * j >> 32)) << i << " " << j;
      const int i24 = (i & 0xffffff) - ((i & 0x800000) != 0 ? 0x1000000 : 0);
      const int j24 = (j & 0xffffff) - ((j & 0x800000) != 0 ? 0x1000000 : 0);
      ASSERT_EQ(__mul24(i, j), static_cast<int>(SignedWide{i24} * j24)) << i << " " << j;
      ASSERT_EQ(__umul24(x, y), static_cast<unsigned>(Wide{x & 0xffffff} * (y & 0xffffff)));
    }
  }
}

TEST(IntegerFunctions, DifferencesAndAverages) {
  for (uint64_t a : Words()) {
    for (uint64_t b : Words()) {
      const auto x = static_cast<unsigned>(a), y = static_cast<unsigned>(b);
      const auto i = static_cast<int>(x), j = static_cast<int>(y);
      const int64_t difference = int64_t{i} - j, sum = int64_t{i} + j;
      const auto floor_half = [](int64_t v) { return (v - (v & 1)) / 2; };
      ASSERT_EQ(__sad(i, j, 7), static_cast<unsigned>(std::abs(difference)) + 7);
      ASSERT_EQ(__usad(x, y, 7), static_cast<unsigned>(std::abs(int64_t{x} - y)) + 7);
      ASSERT_EQ(__hadd(i, j), floor_half(sum)) << i << " " << j;
      ASSERT_EQ(__rhadd(i, j), floor_half(sum + 1)) << i << " " << j;
      ASSERT_EQ(__uhadd(x, y), (uint64_t{x} + y) / 2);
      ASSERT_EQ(__urhadd(x, y), (uint64_t{x} + y + 1) / 2);
    }
  }
}

// ---- parts of a word ----------------------------------------------------------------------------

/// function(a, b) part by part: `expected` gets the parts and gives one, before it is cut.
template <class Part, class Function, class Expected>
void ExpectParts(const char* name, Function function, Expected expected) {
  constexpr int kBits = 8 * sizeof(Part);
  constexpr unsigned kMask = (1u << kBits) - 1;
  Random random(2);
  const int count = kBits == 8 ? 0x10000 : 200000;
  for (int n = 0; n < count; n++) {
    // In the lowest part of bytes: every pair. Of halves every one, then random, and what lies at
    // the ends.
    unsigned a = static_cast<unsigned>(random.Next()), b = static_cast<unsigned>(random.Next());
    if (random.Chance(20)) a = (a & ~kMask) | ((kMask >> 1) + static_cast<unsigned>(n) % 3);
    if (random.Chance(20)) b = (b & ~kMask) | ((kMask >> 1) + static_cast<unsigned>(n / 3) % 3);
    if (random.Chance(20)) b = a;
    if (kBits == 16 && n < 0x10000) a = (a & ~kMask) | static_cast<unsigned>(n);
    if (kBits == 8) {
      a = (a & ~kMask) | (static_cast<unsigned>(n) & 0xff);
      b = (b & ~kMask) | static_cast<unsigned>(n) >> 8;
    }
    unsigned result = 0;
    for (int i = 0; i < 32; i += kBits) {
      const int x = static_cast<Part>(a >> i & kMask), y = static_cast<Part>(b >> i & kMask);
      result |= (static_cast<unsigned>(expected(x, y)) & kMask) << i;
    }
    ASSERT_EQ(function(a, b), result) << name << std::hex << " " << a << " " << b;
  }
}

int Clamped(int value, int least, int most) { return std::max(least, std::min(value, most)); }

#define EXPECT_PARTS(name, S, call, expression)                                          \
  do {                                                                                   \
    constexpr int kLeast [[maybe_unused]] = std::is_signed_v<S##16_t> ? INT16_MIN : 0;   \
    constexpr int kMost [[maybe_unused]] = kLeast == 0 ? UINT16_MAX : INT16_MAX;         \
    ExpectParts<S##16_t>(                                                                \
        #name "2", [](unsigned a, [[maybe_unused]] unsigned b) { return name##2 call; }, \
        [=](int x, [[maybe_unused]] int y) -> int { return expression; });               \
  } while (false);                                                                       \
  do {                                                                                   \
    constexpr int kLeast [[maybe_unused]] = std::is_signed_v<S##8_t> ? INT8_MIN : 0;     \
    constexpr int kMost [[maybe_unused]] = kLeast == 0 ? UINT8_MAX : INT8_MAX;           \
    ExpectParts<S##8_t>(                                                                 \
        #name "4", [](unsigned a, [[maybe_unused]] unsigned b) { return name##4 call; }, \
        [=](int x, [[maybe_unused]] int y) -> int { return expression; });               \
  } while (false)

TEST(PartsOfWords, Arithmetic) {
  EXPECT_PARTS(__vabs, int, (a), std::abs(x));
  EXPECT_PARTS(__vabsss, int, (a), Clamped(std::abs(x), kLeast, kMost));
  EXPECT_PARTS(__vneg, int, (a), 0 - x);
  EXPECT_PARTS(__vnegss, int, (a), Clamped(0 - x, kLeast, kMost));
  EXPECT_PARTS(__vadd, int, (a, b), x + y);
  EXPECT_PARTS(__vaddss, int, (a, b), Clamped(x + y, kLeast, kMost));
  EXPECT_PARTS(__vaddus, uint, (a, b), Clamped(x + y, kLeast, kMost));
  EXPECT_PARTS(__vsub, int, (a, b), x - y);
  EXPECT_PARTS(__vsubss, int, (a, b), Clamped(x - y, kLeast, kMost));
  EXPECT_PARTS(__vsubus, uint, (a, b), Clamped(x - y, kLeast, kMost));
  EXPECT_PARTS(__vabsdiffs, int, (a, b), std::abs(x - y));
  EXPECT_PARTS(__vabsdiffu, uint, (a, b), std::abs(x - y));
}

TEST(PartsOfWords, Averages) {
  // PTX ISA, vavrg: one is added before halving unless the sum is negative.
  EXPECT_PARTS(__vavgs, int, (a, b), x + y >= 0 ? (x + y + 1) / 2 : (x + y - (-(x + y) & 1)) / 2);
  EXPECT_PARTS(__vavgu, uint, (a, b), (x + y + 1) / 2);
  EXPECT_PARTS(__vhaddu, uint, (a, b), (x + y) / 2);
}

TEST(PartsOfWords, Comparisons) {
  EXPECT_PARTS(__vmaxs, int, (a, b), std::max(x, y));
  EXPECT_PARTS(__vmaxu, uint, (a, b), std::max(x, y));
  EXPECT_PARTS(__vmins, int, (a, b), std::min(x, y));
  EXPECT_PARTS(__vminu, uint, (a, b), std::min(x, y));
#define EXPECT_RELATION(name, S, relation)                      \
  EXPECT_PARTS(__vcmp##name, S, (a, b), x relation y ? ~0 : 0); \
  EXPECT_PARTS(__vset##name, S, (a, b), x relation y ? 1 : 0)
  EXPECT_RELATION(eq, int, ==);
  EXPECT_RELATION(ne, int, !=);
  EXPECT_RELATION(ges, int, >=);
  EXPECT_RELATION(geu, uint, >=);
  EXPECT_RELATION(gts, int, >);
  EXPECT_RELATION(gtu, uint, >);
  EXPECT_RELATION(les, int, <=);
  EXPECT_RELATION(leu, uint, <=);
  EXPECT_RELATION(lts, int, <);
  EXPECT_RELATION(ltu, uint, <);
#undef EXPECT_RELATION
}

}  // namespace
}  // namespace padproof
