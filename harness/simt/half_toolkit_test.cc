// The 16-bit types against the CUDA Toolkit's own, bit for bit, where a toolkit was found: every
// pattern of one operand, and pairs of special and of random ones. Both sides compile the same
// expressions (half_toolkit_functions.inc), so overloads and implicit conversions are compared too.
//
// What the toolkit gives to device code only is in half_test.cc against definitions. In one place
// its host side is not what it documents of a device, and we follow the device: IsOfTheHostAlone.

#include "harness/simt/half_toolkit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "harness/base/random.h"
#include "harness/simt/simt.h"

namespace padproof::toolkit {
namespace {

#include "harness/simt/half_toolkit_table.inc"

struct Operands {
  uint64_t a, b;
};

/// Patterns at the edges of both formats and of every exponent.
std::vector<uint16_t> SpecialPatterns() {
  std::vector<uint16_t> patterns;
  for (int exponent = 0; exponent < 0x8000; exponent += 0x80) {
    if (exponent % 0x400 != 0 && exponent % 0x800 != 0x80) continue;
    for (int fraction : {0, 1, 0x3f, 0x40, 0x41, 0x7f}) {
      patterns.push_back(static_cast<uint16_t>(exponent + fraction));
      patterns.push_back(static_cast<uint16_t>(0x8000 + exponent + fraction));
    }
  }
  for (int pattern : {0x7bff, 0x7c00, 0x7c01, 0x7e00, 0x7f7f, 0x7f80, 0x7f81, 0x7fff, 0x3c00,
                      0x3f80, 0x3bff, 0x3555, 0x3eab}) {
    patterns.push_back(static_cast<uint16_t>(pattern));
    patterns.push_back(static_cast<uint16_t>(0x8000 | pattern));
  }
  return patterns;
}

std::vector<Operands> Numbers() {
  std::vector<Operands> operands(0x10000);
  for (uint64_t i = 0; i < operands.size(); i++) operands[i] = {i, i};
  return operands;
}

std::vector<Operands> PairsOfNumbers() {
  std::vector<Operands> operands;
  for (uint64_t a : SpecialPatterns()) {
    for (uint64_t b : SpecialPatterns()) operands.push_back({a, b});
  }
  Random random(1);
  for (int i = 0; i < 200000; i++)
    operands.push_back({random.Next() & 0xffff, random.Next() & 0xffff});
  // Of like size: where sums are inexact.
  for (int i = 0; i < 200000; i++) {
    const uint64_t a = random.Next() & 0xffff;
    operands.push_back({a, (a + random.Next() % 0x2000 - 0x1000) & 0xffff});
  }
  return operands;
}

std::vector<Operands> PairsOfPairs() {
  const std::vector<uint16_t> special = SpecialPatterns();
  Random random(2);
  const auto pick = [&] {
    return random.Chance(70) ? special[random.Next() % special.size()] : random.Next() & 0xffff;
  };
  std::vector<Operands> operands(100000);
  for (Operands& o : operands) {
    o = {pick() | pick() << 16, pick() | pick() << 16};
    if (random.Chance(20)) o.b = (o.a & 0xffff) | (o.b & 0xffff0000);
    if (random.Chance(20)) o.b = (o.a & 0xffff0000) | (o.b & 0xffff);
  }
  return operands;
}

/// Each 16-bit number, the midpoints to its neighbours, and what lies just beside those.
template <class Float, class Bits>
std::vector<Operands> AroundNumbers() {
  std::vector<Operands> operands;
  Random random(3);
  const auto add = [&](Float value) {
    for (Float v :
         {value, std::nextafter(value, Float{-1e30}), std::nextafter(value, Float{1e30})}) {
      operands.push_back({std::bit_cast<Bits>(v), static_cast<Bits>(random.Next())});
    }
  };
  for (int i = 0; i < 0x10000; i++) {
    const auto bits = static_cast<uint16_t>(i), next = static_cast<uint16_t>(i + 1);
    add((simt::FloatOfHalfBits(bits) + Float{simt::FloatOfHalfBits(next)}) / 2);
    add((simt::FloatOfBfloat16Bits(bits) + Float{simt::FloatOfBfloat16Bits(next)}) / 2);
    add(simt::FloatOfHalfBits(bits));
  }
  for (int i = 0; i < 100000; i++) {
    operands.push_back({static_cast<Bits>(random.Next()), static_cast<Bits>(random.Next())});
  }
  return operands;
}

std::vector<Operands> Words() {
  std::vector<Operands> operands = Numbers();
  Random random(4);
  for (int i = 0; i < 400000; i++) {
    const uint64_t word = random.Next() >> random.Next() % 64;
    operands.push_back({random.Chance(50) ? word : 0 - word, 0});
  }
  for (int bit = 0; bit < 64; bit++) {
    for (int lower = 0; lower <= bit; lower++) {
      const uint64_t word = uint64_t{1} << bit | uint64_t{1} << lower;
      for (uint64_t w : {word - 1, word, word + 1}) {
        operands.push_back({w, 0});
        operands.push_back({0 - w, 0});
      }
    }
  }
  return operands;
}

const std::vector<Operands>& OperandsOf(Domain domain) {
  static const std::vector<Operands> numbers = Numbers(), two_numbers = PairsOfNumbers(),
                                     pairs = PairsOfPairs(),
                                     floats = AroundNumbers<float, uint32_t>(),
                                     doubles = AroundNumbers<double, uint64_t>(), words = Words();
  switch (domain) {
    case Domain::number:
      return numbers;
    case Domain::numbers:
      return two_numbers;
    case Domain::pair:
    case Domain::pairs:
      return pairs;
    case Domain::floats:
      return floats;
    case Domain::doubles:
      return doubles;
    case Domain::words:
      return words;
  }
  return numbers;
}

/// __hmax_nan and __hmin_nan are documented, and implemented by PTX, with +0 above -0; the
/// toolkit's host code for bfloat16 returns either zero.
bool IsOfTheHostAlone(const Function& function, uint64_t got, uint64_t theirs) {
  if (function.type != std::string("bfloat16")) return false;
  if (std::strstr(function.text, "_nan(") == nullptr) return false;
  for (int shift : {0, 16}) {
    const uint64_t ours_16 = got >> shift & 0xffff, theirs_16 = theirs >> shift & 0xffff;
    if (ours_16 != theirs_16 && ((ours_16 | theirs_16) & 0x7fff) != 0) return false;
  }
  return true;
}

TEST(HalfToolkit, EveryFunctionGivesTheToolkitsBits) {
  const Table* theirs = ToolkitFunctions();
  if (theirs == nullptr) GTEST_SKIP() << "skipped: no CUDA toolkit";
  const Table ours = AllFunctions();
  ASSERT_EQ(ours.size(), theirs->size());
  RecordProperty("functions", static_cast<int>(ours.size()));
  for (size_t i = 0; i < ours.size(); i++) {
    SCOPED_TRACE(std::string(ours[i].type) + " " + ours[i].text);
    ASSERT_STREQ(ours[i].text, (*theirs)[i].text);
    int differences = 0;
    for (const Operands& o : OperandsOf(ours[i].domain)) {
      const uint64_t got = ours[i].compute(o.a, o.b);
      const uint64_t expected = (*theirs)[i].compute(o.a, o.b);
      if (got == expected || IsOfTheHostAlone(ours[i], got, expected)) continue;
      if (++differences == 1) {
        ADD_FAILURE() << std::hex << "a " << o.a << " b " << o.b << ": " << got << ", toolkit "
                      << expected;
      }
    }
    if (differences > 0) ADD_FAILURE() << differences << " differences";
  }
}

}  // namespace
}  // namespace padproof::toolkit
