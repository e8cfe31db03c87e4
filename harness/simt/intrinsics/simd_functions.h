// CUDA's integer operations on two halves (2) or four bytes (4) of a word, each for itself.
// Names end in what a part is: s signed, u unsigned; ss and us clamp, others wrap.

#pragma once

#include <cstdint>
#include <limits>

#include "harness/simt/intrinsics/integer_functions.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

/// The word of results of function(part of a, part of b), as int, wrapped to the part's width.
template <class Part, class Function>
constexpr unsigned ForEachPart(unsigned a, unsigned b, Function function) {
  constexpr unsigned kParts = 4 / sizeof(Part);
  constexpr unsigned kMask = (1u << 8 * sizeof(Part)) - 1;
  unsigned result = 0;
  for (unsigned i = 0; i < kParts; i++) {
    const int part = function(int{PartOf<Part>(a, i)}, int{PartOf<Part>(b, i)});
    result |= (static_cast<unsigned>(part) & kMask) << 8 * sizeof(Part) * i;
  }
  return result;
}

/// The sum of function(part of a, part of b).
template <class Part, class Function>
constexpr unsigned SumOverParts(unsigned a, unsigned b, Function function) {
  int sum = 0;
  for (unsigned i = 0; i < 4 / sizeof(Part); i++) {
    sum += function(int{PartOf<Part>(a, i)}, int{PartOf<Part>(b, i)});
  }
  return static_cast<unsigned>(sum);
}

template <class Part>
constexpr int Clamp(int value) {
  constexpr int kLeast = std::numeric_limits<Part>::min(), kMost = std::numeric_limits<Part>::max();
  return value < kLeast ? kLeast : value > kMost ? kMost : value;
}

inline namespace toolkit_names {

// x and y are the parts, as int.
#define PADPROOF_SIMT_PARTS(name, Part2, Part4, expression)                   \
  constexpr unsigned name##2(unsigned a, unsigned b) {                        \
    using Part [[maybe_unused]] = Part2;                                      \
    return ForEachPart<Part2>(a, b, [](int x, int y) { return expression; }); \
  }                                                                           \
  constexpr unsigned name##4(unsigned a, unsigned b) {                        \
    using Part [[maybe_unused]] = Part4;                                      \
    return ForEachPart<Part4>(a, b, [](int x, int y) { return expression; }); \
  }
#define PADPROOF_SIMT_PARTS_1(name, expression)                               \
  constexpr unsigned name##2(unsigned a) {                                    \
    using Part [[maybe_unused]] = int16_t;                                    \
    return ForEachPart<int16_t>(a, 0, [](int x, int) { return expression; }); \
  }                                                                           \
  constexpr unsigned name##4(unsigned a) {                                    \
    using Part [[maybe_unused]] = int8_t;                                     \
    return ForEachPart<int8_t>(a, 0, [](int x, int) { return expression; });  \
  }
#define PADPROOF_SIMT_PARTS_S(name, expression) \
  PADPROOF_SIMT_PARTS(name, int16_t, int8_t, expression)
#define PADPROOF_SIMT_PARTS_U(name, expression) \
  PADPROOF_SIMT_PARTS(name, uint16_t, uint8_t, expression)
// All bits of the part or none (vcmp); 1 or 0 (vset).
#define PADPROOF_SIMT_RELATION(kind, name, relation)              \
  PADPROOF_SIMT_PARTS_##kind(__vcmp##name, x relation y ? -1 : 0) \
      PADPROOF_SIMT_PARTS_##kind(__vset##name, x relation y ? 1 : 0)

PADPROOF_SIMT_PARTS_1(__vabs, x < 0 ? -x : x)
PADPROOF_SIMT_PARTS_1(__vabsss, Clamp<Part>(x < 0 ? -x : x))
PADPROOF_SIMT_PARTS_1(__vneg, -x)
PADPROOF_SIMT_PARTS_1(__vnegss, Clamp<Part>(-x))
PADPROOF_SIMT_PARTS_U(__vadd, x + y)
PADPROOF_SIMT_PARTS_S(__vaddss, Clamp<Part>(x + y))
PADPROOF_SIMT_PARTS_U(__vaddus, Clamp<Part>(x + y))
PADPROOF_SIMT_PARTS_U(__vsub, x - y)
PADPROOF_SIMT_PARTS_S(__vsubss, Clamp<Part>(x - y))
PADPROOF_SIMT_PARTS_U(__vsubus, Clamp<Part>(x - y))
PADPROOF_SIMT_PARTS_S(__vmaxs, x < y ? y : x)
PADPROOF_SIMT_PARTS_U(__vmaxu, x < y ? y : x)
PADPROOF_SIMT_PARTS_S(__vmins, x < y ? x : y)
PADPROOF_SIMT_PARTS_U(__vminu, x < y ? x : y)
PADPROOF_SIMT_PARTS_S(__vabsdiffs, x < y ? y - x : x - y)
PADPROOF_SIMT_PARTS_U(__vabsdiffu, x < y ? y - x : x - y)
// Averages: u rounded up, s to the nearest with halves away from zero (PTX ISA, vavrg), h down.
PADPROOF_SIMT_PARTS_S(__vavgs, (x + y + (x + y >= 0)) >> 1)
PADPROOF_SIMT_PARTS_U(__vavgu, (x + y + 1) >> 1)
PADPROOF_SIMT_PARTS_U(__vhaddu, (x + y) >> 1)
PADPROOF_SIMT_RELATION(U, eq, ==)
PADPROOF_SIMT_RELATION(U, ne, !=)
PADPROOF_SIMT_RELATION(S, ges, >=)
PADPROOF_SIMT_RELATION(U, geu, >=)
PADPROOF_SIMT_RELATION(S, gts, >)
PADPROOF_SIMT_RELATION(U, gtu, >)
PADPROOF_SIMT_RELATION(S, les, <=)
PADPROOF_SIMT_RELATION(U, leu, <=)
PADPROOF_SIMT_RELATION(S, lts, <)
PADPROOF_SIMT_RELATION(U, ltu, <)

#undef PADPROOF_SIMT_RELATION
#undef PADPROOF_SIMT_PARTS_U
#undef PADPROOF_SIMT_PARTS_S
#undef PADPROOF_SIMT_PARTS_1
#undef PADPROOF_SIMT_PARTS

/// The sum over the parts of |a - b|.
#define PADPROOF_SIMT_SAD(name, Part)                                                    \
  constexpr unsigned name(unsigned a, unsigned b) {                                      \
    return SumOverParts<Part>(a, b, [](int x, int y) { return x < y ? y - x : x - y; }); \
  }
PADPROOF_SIMT_SAD(__vsads2, int16_t)
PADPROOF_SIMT_SAD(__vsads4, int8_t)
PADPROOF_SIMT_SAD(__vsadu2, uint16_t)
PADPROOF_SIMT_SAD(__vsadu4, uint8_t)
#undef PADPROOF_SIMT_SAD

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
