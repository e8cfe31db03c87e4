// Decides the bits of every padded slot, one rule a fill.

#include <algorithm>

#include "harness/case/recipe.h"
#include "harness/case/values.h"

namespace padproof {
namespace {

struct Pad {
  Operand op;
  int b, h, pad, d;
};

Dtype DtypeOf(const Case& c, Operand op) { return op == Operand::lse ? Dtype::f32 : c.dtype; }

uint64_t HashOfPad(const Case& c, const Pad& at, Fill fill) {
  return HashOf({hash_salt::kPad, c.seed, static_cast<uint64_t>(fill), static_cast<uint64_t>(at.op),
                 static_cast<uint64_t>(at.b), static_cast<uint64_t>(at.h),
                 static_cast<uint64_t>(at.pad), static_cast<uint64_t>(at.d)});
}

/// A hash of the whole pad row, for what its elements have in common.
uint64_t HashOfRow(const Case& c, const Pad& at) {
  return HashOf({hash_salt::kPick, c.seed, static_cast<uint64_t>(at.op),
                 static_cast<uint64_t>(at.b), static_cast<uint64_t>(at.h),
                 static_cast<uint64_t>(at.pad)});
}

uint32_t SignBit(Dtype dtype) { return dtype == Dtype::f32 ? 0x80000000u : 0x8000u; }
uint32_t InfinityBits(Dtype dtype) {
  return dtype == Dtype::f32 ? 0x7F800000u : dtype == Dtype::f16 ? 0x7C00u : 0x7F80u;
}

uint32_t Signed(Dtype dtype, uint32_t magnitude, uint64_t hash) {
  return (hash & 1) != 0 ? magnitude | SignBit(dtype) : magnitude;
}

uint32_t Noise(const Case& c, const Pad& at) {
  const Element element{.stream = hash_salt::kNoise, .b = at.b, .h = at.h, .i = at.pad, .d = at.d};
  if (c.values != Values::tied) return TokenBits(c, at.op, element);
  Case untied = c;  // tied pads would be the real tokens' own bits
  untied.values = Values::normal;
  return TokenBits(untied, at.op, element);
}

uint32_t CopyOfReal(const Case& c, const Pad& at) {
  // What a kernel computes (O and LSE) is not known here.
  if (at.op == Operand::o || at.op == Operand::lse) return Noise(c, at);
  const int len = (HasQueryRows(at.op) ? c.lens_q : c.lens_k)[static_cast<size_t>(at.b)];
  if (len == 0) return 0;
  const uint64_t token = HashOfRow(c, at) % static_cast<uint64_t>(len);
  return RealBits(c, at.op, at.b, at.h, static_cast<int>(token), at.d);
}

/// 512 to 1024, either sign.
uint32_t Large(const Case& c, const Pad& at) {
  const uint64_t hash = HashOfPad(c, at, Fill::hot);
  const double magnitude = 512 + static_cast<double>((hash >> 32) % 513);
  const Dtype dtype = DtypeOf(c, at.op);
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

/// A hot key is 2^exponent times real query `query` of the first head that reads it.
struct HotKey {
  int query;
  int exponent;
};

constexpr int kHotMargin = 32;      // above any real row maximum
constexpr double kHotLimit = 4096;  // of an element: scores of other queries stay far from overflow

/// The longest of up to four hashed queries, and the least power of two that lifts its logit over
/// every real one by kHotMargin.
HotKey ChooseHotKey(const Case& c, const Pad& at, int len_q) {
  const uint64_t hash = HashOfRow(c, at);
  HotKey best{.query = 0, .exponent = 0};
  double best_square = -1, best_sum = 0, best_max = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    const int query =
        static_cast<int>(((hash >> (16 * attempt)) & 0xFFFF) % static_cast<uint64_t>(len_q));
    double square = 0, sum = 0, largest = 0;
    for (int d = 0; d < c.dim; ++d) {
      const double q = Decode(c.dtype, RealBits(c, Operand::q, at.b, at.h * c.group, query, d));
      const double magnitude = q < 0 ? -q : q;
      square += q * q;
      sum += magnitude;
      largest = std::max(largest, magnitude);
    }
    if (square <= best_square) continue;
    best.query = query;
    best_square = square;
    best_sum = sum;
    best_max = largest;
  }
  const double scale = SoftmaxScale(c);
  const double target = scale * best_sum * LargestKey(c) + kHotMargin;
  double factor = 1;
  while (scale * best_square * factor < target && best_max * factor * 2 <= kHotLimit) {
    factor *= 2;
    ++best.exponent;
  }
  return best;
}

uint32_t Hot(const Case& c, const Pad& at) {
  const int len_q = c.lens_q[static_cast<size_t>(at.b)];
  if (at.op != Operand::k || len_q == 0) return Large(c, at);
  // Elements of a row are asked for one after another and share the choice, which reads a whole
  // query: remember the last one. The key is all that the choice depends on.
  struct Memo {
    Values values;
    Dtype dtype;
    int dim, group, len_q, b, h, pad;
    uint64_t seed;
    bool operator==(const Memo&) const = default;
  };
  const Memo wanted{c.values, c.dtype, c.dim, c.group, len_q, at.b, at.h, at.pad, c.seed};
  thread_local Memo last{};
  thread_local HotKey choice{};
  if (!(last == wanted)) {
    choice = ChooseHotKey(c, at, len_q);
    last = wanted;
  }
  const double q =
      Decode(c.dtype, RealBits(c, Operand::q, at.b, at.h * c.group, choice.query, at.d));
  return Encode(c.dtype, q * static_cast<double>(uint64_t{1} << choice.exponent));
}

/// Sign and payload vary; the quiet bit is set.
uint32_t QuietNan(Dtype dtype, uint64_t hash) {
  const uint32_t mantissa = dtype == Dtype::f32 ? 23 : dtype == Dtype::f16 ? 10 : 7;
  const uint32_t quiet = 1u << (mantissa - 1);
  const uint32_t payload = static_cast<uint32_t>(hash >> 32) & (quiet - 1);
  return Signed(dtype, InfinityBits(dtype) | quiet | payload, hash);
}

}  // namespace

uint32_t PadBits(const Case& c, Fill fill, Operand op, int b, int h, int pad, int d) {
  const Pad at{.op = op, .b = b, .h = h, .pad = pad, .d = d};
  const Dtype dtype = DtypeOf(c, op);
  const uint64_t hash = HashOfPad(c, at, fill);
  switch (fill) {
    case Fill::zero:
      return 0;
    case Fill::noise:
      return Noise(c, at);
    case Fill::copy:
      return CopyOfReal(c, at);
    case Fill::hot:
      return Hot(c, at);
    case Fill::huge:
      return Signed(dtype, InfinityBits(dtype) - 1, hash);
    case Fill::inf:
      return Signed(dtype, InfinityBits(dtype), hash);
    case Fill::nan:
      return QuietNan(dtype, hash);
    case Fill::bits:
      return static_cast<uint32_t>(hash >> 32) & (dtype == Dtype::f32 ? 0xFFFFFFFFu : 0xFFFFu);
  }
  return 0;
}

}  // namespace padproof
