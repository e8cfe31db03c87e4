// Decides the bits of every padded slot, one rule a fill.

#include <algorithm>
#include <cmath>

#include "harness/case/recipe.h"
#include "harness/case/values.h"

namespace padproof {
namespace {

Dtype DtypeOf(const Case& c, Operand op) { return op == Operand::lse ? Dtype::f32 : c.dtype; }

uint64_t Word(int x) { return static_cast<uint64_t>(x); }

Element InNoise(int b, int h, int pad, int d) {
  return {.stream = hash_salt::kNoise, .b = b, .h = h, .i = pad, .d = d};
}

uint32_t SignBit(Dtype dtype) { return dtype == Dtype::f32 ? 0x80000000u : 0x8000u; }
uint32_t InfinityBits(Dtype dtype) {
  return dtype == Dtype::f32 ? 0x7F800000u : dtype == Dtype::f16 ? 0x7C00u : 0x7F80u;
}

uint32_t Signed(Dtype dtype, uint32_t magnitude, uint64_t hash) {
  return (hash & 1) != 0 ? magnitude | SignBit(dtype) : magnitude;
}

/// 512 to 1024, either sign.
uint32_t Large(Dtype dtype, uint64_t hash) {
  const double magnitude = 512 + static_cast<double>((hash >> 32) % 513);
  return Signed(dtype, Encode(dtype, magnitude), hash);
}

/// Largest |k| that the recipe of real keys can make in channel `d` is at most this.
double LargestKey(const Case& c) {
  switch (c.values) {
    case Values::large:
      return 6 * 16;
    case Values::outlier:
      return 6 * 32;
    case Values::one_hot:
      return 8;
    case Values::tied:
      return 1;
    case Values::increasing:
      return 52 * PerScore(c);
    case Values::deep:
    case Values::sunken:
      return 0;  // every real logit is negative
    default:
      return 6;
  }
}

constexpr int kHotMargin = 32;      // above any real row maximum
constexpr double kHotLimit = 4096;  // of an element: scores of other queries stay far from overflow

/// Sign and payload vary; the quiet bit is set.
uint32_t QuietNan(Dtype dtype, uint64_t hash) {
  const uint32_t mantissa = dtype == Dtype::f32 ? 23 : dtype == Dtype::f16 ? 10 : 7;
  const uint32_t quiet = 1u << (mantissa - 1);
  const uint32_t payload = static_cast<uint32_t>(hash >> 32) & (quiet - 1);
  return Signed(dtype, InfinityBits(dtype) | quiet | payload, hash);
}

}  // namespace

PadRow::PadRow(const Case& c, Fill fill, Operand op, int b, int h, int pad)
    : c_(c), fill_(fill), op_(op), b_(b), h_(h), pad_(pad) {
  if (fill == Fill::zero) return;
  if (fill == Fill::copy && IsOfForward(op)) fill_ = Fill::noise;  // it is not known here
  if (fill_ == Fill::noise) {
    hash_ = HashOfRow(c, op, InNoise(b, h, pad, 0));
    return;
  }
  hash_ = HashOf({hash_salt::kPad, c.seed, static_cast<uint64_t>(fill), static_cast<uint64_t>(op),
                  Word(b), Word(h), Word(pad)});
  if (fill != Fill::copy && fill != Fill::hot) return;
  const uint64_t pick =
      HashOf({hash_salt::kPick, c.seed, static_cast<uint64_t>(op), Word(b), Word(h), Word(pad)});
  const int len = (HasQueryRows(op) ? c.lens_q : c.lens_k)[static_cast<size_t>(b)];
  if (fill == Fill::copy && len > 0)
    copied_.emplace(c, op, b, h, static_cast<int>(pick % Word(len)));
  if (fill == Fill::hot && op == Operand::k) ChooseHotKey(pick);
}

// The longest of up to four hashed queries, and the least power of two that lifts its logit over
// every real one by kHotMargin.
void PadRow::ChooseHotKey(uint64_t hash) {
  const int len_q = c_.lens_q[static_cast<size_t>(b_)];
  if (len_q == 0) return;
  double best_square = -1, best_sum = 0, best_max = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    const int query = static_cast<int>(((hash >> (16 * attempt)) & 0xFFFF) % Word(len_q));
    const RealRow row(c_, Operand::q, b_, h_ * c_.group, query);
    double square = 0, sum = 0, largest = 0;
    for (int d = 0; d < c_.dim; ++d) {
      const double magnitude = std::abs(Decode(c_.dtype, row[d]));
      square += magnitude * magnitude;
      sum += magnitude;
      largest = std::max(largest, magnitude);
    }
    if (square <= best_square) continue;
    copied_.emplace(row);
    best_square = square;
    best_sum = sum;
    best_max = largest;
  }
  const double target = SoftmaxScale(c_) * best_sum * LargestKey(c_) + kHotMargin;
  while (SoftmaxScale(c_) * best_square * times_ < target && best_max * times_ * 2 <= kHotLimit) {
    times_ *= 2;
  }
}

uint32_t PadRow::operator[](int d) const {
  if (fill_ == Fill::zero) return 0;
  const Dtype dtype = DtypeOf(c_, op_);
  const uint64_t hash = Mix(hash_ ^ Word(d));
  switch (fill_) {
    case Fill::noise: {
      // Tied pads would be the real tokens' own bits.
      const Values values = c_.values == Values::tied ? Values::normal : c_.values;
      return TokenBits(c_, values, op_, InNoise(b_, h_, pad_, d), hash);
    }
    case Fill::copy:
      return copied_ ? (*copied_)[d] : 0;
    case Fill::hot:
      return copied_ ? Encode(dtype, Decode(dtype, (*copied_)[d]) * times_) : Large(dtype, hash);
    case Fill::huge:
      return Signed(dtype, InfinityBits(dtype) - 1, hash);
    case Fill::inf:
      return Signed(dtype, InfinityBits(dtype), hash);
    case Fill::nan:
      return QuietNan(dtype, hash);
    case Fill::bits:
      return static_cast<uint32_t>(hash >> 32) & (dtype == Dtype::f32 ? 0xFFFFFFFFu : 0xFFFFu);
    case Fill::zero:
      break;
  }
  return 0;
}

}  // namespace padproof
