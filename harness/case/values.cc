// Decides the bits of every real token. A number is a hash turned into a short binary fraction;
// the only floating-point operations are exact ones and the final rounding to the storage type.

#include "harness/case/values.h"

#include <array>
#include <bit>
#include <cstdlib>

#include "harness/case/recipe.h"

namespace padproof {
namespace {

/// Roughly N(0, 1): twelve uniform nibbles (variance 255/12 each, hence a deviation of 16), centred
/// and refined to a multiple of 2^-8. Seed 0 stops there, so that minimal cases show short numbers;
/// other seeds go on to 2^-20, so that fp32 arithmetic rounds.
double Normal(uint64_t seed, uint64_t hash) {
  constexpr uint64_t kNibbles = 0x0F0F0F0F0F0F, kOnes = 0x0101010101010101;
  const uint64_t pairs = (hash & kNibbles) + ((hash >> 4) & kNibbles);
  const int sum = static_cast<int>((pairs * kOnes) >> 56) - 90;
  const int coarse = sum * 16 + static_cast<int>((hash >> 48) & 15) - 8;
  if (seed == 0) return coarse * 0x1p-8;
  return (coarse * 4096 + static_cast<int>(hash >> 52)) * 0x1p-20;
}

/// A whole number in [-spread, spread].
int Around(uint64_t hash, int spread) {
  return static_cast<int>((hash >> 32) % static_cast<uint64_t>(2 * spread + 1)) - spread;
}

double SignOf(uint64_t hash) { return (hash & 1) != 0 ? -1.0 : 1.0; }

/// About 4 log2(key + 1), piecewise linear: grows by whole units in the first tiles and stays below
/// 52 up to the longest sequence.
double Growth(int key) {
  const auto rank = static_cast<uint32_t>(key) + 1;
  const int octave = std::bit_width(rank) - 1;
  const uint32_t inside = rank - (1u << octave);
  return 4 * (octave + static_cast<double>(inside) / static_cast<double>(1u << octave));
}

double QueryOrKey(const Case& c, Values values, Operand op, const Element& at, uint64_t hash) {
  const double normal = Normal(c.seed, hash);
  switch (values) {
    case Values::large:
      return normal * 16;
    case Values::tied:
      return 1;
    case Values::one_hot: {
      const uint64_t row = HashOf({hash_salt::kRow, c.seed, static_cast<uint64_t>(op), at.stream,
                                   static_cast<uint64_t>(at.b), static_cast<uint64_t>(at.h),
                                   static_cast<uint64_t>(at.i)});
      return row % static_cast<uint64_t>(c.dim) == static_cast<uint64_t>(at.d) ? 8 : 0;
    }
    case Values::increasing: {
      // Queries stay positive and near 1; the elements of a key are all equal. Its logit is then
      // Growth times the mean of the query, minus an offset that tells sequences and heads apart.
      if (op == Operand::q) return 1 + Around(hash, 8) * 0x1p-7;
      const uint64_t offset = HashOf(
          {hash_salt::kOffset, c.seed, static_cast<uint64_t>(at.b), static_cast<uint64_t>(at.h)});
      return (Growth(at.i) - static_cast<double>(offset % 8)) * PerScore(c);
    }
    case Values::outlier: {
      const uint64_t channel = HashOf({hash_salt::kChannel, c.seed}) % static_cast<uint64_t>(c.dim);
      return channel == static_cast<uint64_t>(at.d) ? normal * 32 : normal;
    }
    case Values::deep: {
      const double near_one = 1 + Around(hash, 3) * 0x1p-7;
      return op == Operand::q ? near_one : -120 * near_one * PerScore(c);
    }
    case Values::sunken: {
      const double near_one = 1 + Around(hash, 3) * 0x1p-16;
      return op == Operand::q ? 256 : -70000.0 / 256 * near_one * PerScore(c);
    }
    case Values::normal:
    case Values::near_max:
    case Values::subnormal:
      break;
  }
  return normal;
}

uint32_t ValueBits(const Case& c, Values values, uint64_t hash) {
  switch (values) {
    case Values::large:
      return Encode(c.dtype, Normal(c.seed, hash) * 16);
    case Values::near_max: {
      // f16 accumulates in fp32 and has room. f32 and bf16 share fp32's range with the unnormalised
      // sum over up to 512 keys, which a kernel may leave 2^8 behind the maximum.
      const double magnitude = 1 + static_cast<double>(hash >> 44) * 0x1p-20;
      const double scale = c.dtype == Dtype::f16 ? 0x1p14 : 0x1p109;
      return Encode(c.dtype, SignOf(hash) * magnitude * scale);
    }
    case Values::subnormal: {
      const uint32_t count = c.dtype == Dtype::f32   ? (1u << 23) - 1
                             : c.dtype == Dtype::f16 ? (1u << 10) - 1
                                                     : (1u << 7) - 1;
      const uint32_t sign = c.dtype == Dtype::f32 ? 0x80000000u : 0x8000u;
      const uint32_t magnitude = 1 + static_cast<uint32_t>((hash >> 32) % count);
      return (hash & 1) != 0 ? sign | magnitude : magnitude;
    }
    default:
      return Encode(c.dtype, Normal(c.seed, hash));
  }
}

/// What Bias::masking writes in the place of -infinity. Far below is 2^120: a score beside it,
/// times what the oracle's domain asks of scores, still is a number of fp32.
double MaskingOf(const Case& c) {
  constexpr double kFar = -0x1p120, kLowestF16 = -65504;
  const uint64_t hash = HashOf({hash_salt::kMasking, c.seed}) >> 32;
  if (c.dtype == Dtype::f16) return hash % 2 == 0 ? kLowestF16 : -1e4;
  return std::array{kFar, -1e9, -1e4}[hash % 3];
}

/// Of the pair (i, j): some keys for all queries, like padding, and all keys for some queries.
bool IsMasked(const Case& c, const Element& at) {
  const auto word = [](int x) { return static_cast<uint64_t>(x); };
  const uint64_t key = HashOf({hash_salt::kMasking, c.seed, word(at.b), 0, word(at.d)});
  const uint64_t row = HashOf({hash_salt::kMasking, c.seed, word(at.b), 1, word(at.i)});
  return (key >> 32) % 3 == 0 || (row >> 32) % 4 == 0;
}

}  // namespace

uint64_t HashOfRow(const Case& c, Operand op, const Element& at) {
  return HashOf({at.stream, c.seed, static_cast<uint64_t>(op), static_cast<uint64_t>(at.b),
                 static_cast<uint64_t>(at.h), static_cast<uint64_t>(at.i)});
}

uint32_t TokenBits(const Case& c, Values values, Operand op, const Element& at, uint64_t hash) {
  if (op == Operand::q || op == Operand::k) {
    return Encode(c.dtype, QueryOrKey(c, values, op, at, hash));
  }
  if (op == Operand::v) return ValueBits(c, values, hash);
  if (op == Operand::bias && c.bias == Bias::masking && IsMasked(c, at)) {
    return Encode(c.dtype, MaskingOf(c));
  }
  return Encode(op == Operand::lse ? Dtype::f32 : c.dtype, Normal(c.seed, hash));
}

const char* NameOf(Operand op) {
  static constexpr const char* kNames[kOperands] = {"q",  "k",  "v",  "out",  "lse",  "dout",
                                                    "dq", "dk", "dv", "bias", "dbias"};
  return kNames[static_cast<int>(op)];
}

Strides StridesOf(const Case& c, Operand op) {
  const bool has = c.strided == kAllOperands || c.strided == static_cast<int>(op);
  const bool shares = c.strides == Strides::expanded && !IsInput(op);
  return has && !shares ? c.strides : Strides::contiguous;
}

RealRow::RealRow(const Case& c, Operand op, int b, int h, int i)
    : c_(c),
      op_(op),
      b_(b),
      h_(h),
      i_(i),
      hash_(HashOfRow(c, op, {.stream = hash_salt::kReal, .b = b, .h = h, .i = i, .d = 0})) {}

uint32_t RealRow::operator[](int d) const {
  const Element at{.stream = hash_salt::kReal, .b = b_, .h = h_, .i = i_, .d = d};
  return TokenBits(c_, c_.values, op_, at, Mix(hash_ ^ static_cast<uint64_t>(d)));
}

float AlibiSlope(int h) {
  return (1 - static_cast<float>(h / 8) / 16) / static_cast<float>(2 << (h % 8));
}

double BiasOf(const Case& c, int b, int h, int i, int j) {
  if (c.bias == Bias::none) return 0;
  if (IsDense(c.bias)) return Decode(c.dtype, RealBits(c, Operand::bias, b, h, i, j));
  const bool top_left = c.mask == Mask::causal_tl || c.mask == Mask::window_tl;
  const size_t at = static_cast<size_t>(b);
  const int shift = top_left ? 0 : c.lens_k[at] - c.lens_q[at];
  const double bias = -static_cast<double>(AlibiSlope(h)) * std::abs(i + shift - j);
  // A tensor holds it in the storage type, which has no room for every far distance.
  const bool stored = c.mask_form == MaskForm::additive;
  return stored ? Decode(c.dtype, Encode(c.dtype, bias)) : bias;
}

float SinkOf(const Case& c, int h) {
  const uint64_t hash = HashOf({hash_salt::kSink, c.seed, static_cast<uint64_t>(h)});
  return static_cast<float>(1 + Normal(c.seed, hash));
}

float DropoutOf(const Case& c) { return static_cast<float>(c.dropout / 100.0); }

uint64_t DropoutSeedOf(const Case& c) { return HashOf({hash_salt::kDropout, c.seed}); }

namespace {

constexpr float InverseRootOf(int of) {
  // 1/sqrt(dim) = m * 2^-shift with 2^23 <= m < 2^24. The floor of m by bisection on m*m*dim, which
  // stays below 2^57; then up if the true value is past the middle (it is never on it: an odd
  // number squared times dim is no power of four that large).
  const auto dim = static_cast<uint64_t>(of);
  int shift = 23;
  while ((uint64_t{1} << 46) * dim > (uint64_t{1} << (2 * shift))) ++shift;
  const uint64_t one = uint64_t{1} << (2 * shift);
  uint64_t low = uint64_t{1} << 23, high = (uint64_t{1} << 24);
  while (high - low > 1) {
    const uint64_t middle = (low + high) / 2;
    (middle * middle * dim <= one ? low : high) = middle;
  }
  if ((2 * low + 1) * (2 * low + 1) * dim < 4 * one) ++low;
  return static_cast<float>(low) / static_cast<float>(uint64_t{1} << shift);
}

/// Asked for with every score.
float InverseRoot(int dim) {
  static constexpr auto kOfDim = [] {
    std::array<float, kMaxDim + 1> roots{};
    for (int n = 1; n <= kMaxDim; ++n) roots[static_cast<size_t>(n)] = InverseRootOf(n);
    return roots;
  }();
  return dim <= kMaxDim ? kOfDim[static_cast<size_t>(dim)] : InverseRootOf(dim);
}

}  // namespace

float SoftmaxScale(const Case& c) {
  return c.scale == 0 ? InverseRoot(c.dim) : static_cast<float>(c.scale / 100.0);
}

double PerScore(const Case& c) {
  return c.scale == 0 ? InverseRoot(c.dim) : 100.0 / (c.scale * c.dim);
}

}  // namespace padproof
