#include "reference/emulation/arithmetic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace padproof::reference {
namespace {

constexpr float kMinNormal = std::numeric_limits<float>::min();
constexpr float kLog2E = 1.44269504f;

/// 2^exponent, for exponents of normal doubles.
double PowerOfTwo(int exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52);
}

/// The exponent of 1 <= |x| / 2^e < 2.
int ExponentOf(double x) {
  return static_cast<int>((std::bit_cast<uint64_t>(x) >> 52) & 0x7FF) - 1023;
}

}  // namespace

float TensorCoreAdd(const TensorCore& core, float acc, const float* x, const float* y, int n) {
  constexpr int kNone = -100000;
  double products[16];
  double plain = acc;
  for (int k = 0; k < n; ++k) {
    products[k] = static_cast<double>(x[k]) * static_cast<double>(y[k]);  // exact: 11 + 11 bits
    plain += products[k];
  }
  if (!std::isfinite(plain)) return static_cast<float>(plain);
  int largest = acc == 0 ? kNone : ExponentOf(acc);
  for (int k = 0; k < n; ++k) {
    if (products[k] == 0) continue;
    // Of the factors as they come: the product of two significands lies in [1, 4).
    largest = std::max(largest, ExponentOf(x[k]) + ExponentOf(y[k]));
  }
  if (largest == kNone) return 0;
  const int grid = std::max(largest - 23 - core.extra_bits, -1000);
  // Conversion to an integer cuts off towards zero; no term has more than 27 bits above the grid.
  const double units = PowerOfTwo(-grid);
  int64_t sum = static_cast<int64_t>(acc * units);
  for (int k = 0; k < n; ++k) sum += static_cast<int64_t>(products[k] * units);
  if (sum == 0) return 0;
  const double exact = static_cast<double>(sum) * PowerOfTwo(grid);
  const int last = std::max(ExponentOf(exact), -126) - 23;  // of the significand of the result
  return static_cast<float>(static_cast<double>(static_cast<int64_t>(exact * PowerOfTwo(-last))) *
                            PowerOfTwo(last));
}

float ToTf32(float x, bool truncated) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (!std::isfinite(x)) return x;
  if (truncated) return std::bit_cast<float>(bits & ~0x1FFFu);
  return std::bit_cast<float>((bits + 0xFFFu + ((bits >> 13) & 1u)) & ~0x1FFFu);
}

float CubicExp2(float x) {
  if (x < -126) return static_cast<float>(std::exp2(static_cast<double>(x)));
  const float whole = std::floor(x), f = x - whole;
  const float poly =
      std::fma(f, std::fma(f, std::fma(f, 0x1.3baadp-4f, 0x1.d23772p-3f), 0x1.63e65ap-1f), 1.0f);
  return std::ldexp(poly, static_cast<int>(whole));
}

Arithmetic::Arithmetic(const Emulation& e, Dtype dtype, uint64_t noise)
    : e_(e), dtype_(dtype), noise_(noise) {}

float Arithmetic::Flush(float x) const { return e_.flush && std::fabs(x) < kMinNormal ? 0.0f : x; }

float Arithmetic::Ordered(float sum, const float* x, const float* y, int n, Sum order) const {
  switch (order) {
    case Sum::tensor_core:
      for (int k = 0; k < n; k += e_.core.block) {
        sum = TensorCoreAdd(e_.core, sum, x + k, y + k, std::min(e_.core.block, n - k));
      }
      return sum;
    case Sum::fma:
      for (int k = 0; k < n; ++k) sum = Flush(std::fma(Flush(x[k]), Flush(y[k]), sum));
      return sum;
    case Sum::lanes8: {
      float lanes[8] = {};
      for (int k = 0; k < n; ++k) {
        lanes[k % 8] = Flush(std::fma(Flush(x[k]), Flush(y[k]), lanes[k % 8]));
      }
      for (int step = 4; step > 0; step /= 2) {
        for (int lane = 0; lane < step; ++lane) lanes[lane] = Add(lanes[lane], lanes[lane + step]);
      }
      return Add(sum, lanes[0]);
    }
    case Sum::pairwise: {
      if (n == 0) return sum;
      std::vector<float> tree(static_cast<size_t>(n));
      for (int k = 0; k < n; ++k) tree[static_cast<size_t>(k)] = Mul(x[k], y[k]);
      for (size_t size = tree.size(); size > 1; size = (size + 1) / 2) {
        for (size_t k = 0; k < size / 2; ++k) tree[k] = Add(tree[2 * k], tree[2 * k + 1]);
        if (size % 2 == 1) tree[size / 2] = tree[size - 1];
      }
      return Add(sum, tree[0]);
    }
    case Sum::mul_add:
      break;
  }
  for (int k = 0; k < n; ++k) sum = Add(sum, Mul(x[k], y[k]));
  return sum;
}

float Arithmetic::Accumulate(float sum, const float* x, const float* y, int n) const {
  return Ordered(sum, x, y, n, e_.sum);
}

float Arithmetic::AccumulateSimt(float sum, const float* x, const float* y, int n) const {
  return Ordered(sum, x, y, n, e_.sum == Sum::tensor_core ? Sum::mul_add : e_.sum);
}

float Arithmetic::Total(float sum, const float* x, int n) const {
  const std::vector<float> ones(static_cast<size_t>(n), 1.0f);
  return AccumulateSimt(sum, x, ones.data(), n);
}

int Arithmetic::Ulps(int most, float value) {
  switch (e_.noise) {
    case Noise::random:
      return noise_.Between(-most, most);
    case Noise::up:
      return most;
    case Noise::down:
      return -most;
    case Noise::by_value:
      break;
  }
  return value < 0 ? -most : most;
}

float Arithmetic::Noisy(double exact, int ulps) const {
  const float y = static_cast<float>(exact);
  if (y == 0 || std::isinf(y)) return y;
  const int64_t bits = static_cast<int64_t>(std::bit_cast<uint32_t>(y)) + ulps;
  return Flush(
      std::bit_cast<float>(static_cast<uint32_t>(std::clamp<int64_t>(bits, 0, 0x7F7FFFFF))));
}

float Arithmetic::Exp2(float x, int key, float value) {
  if (x == 0) return 1;
  x = Flush(x);
  if (e_.exponential == Exponential::cubic && key % 2 == 0) return Flush(CubicExp2(x));
  return Noisy(std::exp2(static_cast<double>(x)), Ulps(e_.exp_ulps, value));
}

float Arithmetic::Exp(float x, int key, float value) {
  if (x == 0) return 1;
  if (e_.exponential == Exponential::cubic) return Exp2(Mul(x, kLog2E), key, value);
  int most = e_.exp_ulps;
  // The table of CUDA's manual; ulps of the correctly rounded result, argument rounding included.
  if (e_.exponential == Exponential::fast) {
    most = 2 + static_cast<int>(std::fmin(1.173 * std::fabs(static_cast<double>(x)), 200.0));
  }
  return Noisy(std::exp(static_cast<double>(Flush(x))), Ulps(most, value));
}

float Arithmetic::Log(float x) {
  const double exact = std::log(static_cast<double>(x));
  if (e_.log_ulps == 0) return static_cast<float>(exact);
  const int ulps = Ulps(e_.log_ulps, 0);
  if (x >= 0.5f && x <= 2) {  // __logf: within 2^-21.41 here, before rounding
    return static_cast<float>(exact + 0x1.6p-22 * static_cast<double>(ulps) / e_.log_ulps);
  }
  const float y = static_cast<float>(exact);
  return std::bit_cast<float>(static_cast<uint32_t>(
      static_cast<int64_t>(std::bit_cast<uint32_t>(y)) + (y < 0 ? -ulps : ulps)));
}

float Arithmetic::Tanh(float x) {
  const double exact = std::tanh(static_cast<double>(Flush(x)));
  const double off = e_.tanh_error * Ulps(1 << 10, x) / (1 << 10);
  return Flush(static_cast<float>(exact * (1 + off)));
}

float Arithmetic::RoundToStorage(float x) const {
  return static_cast<float>(Decode(dtype_, Encode(dtype_, x)));
}

float Arithmetic::RoundOperand(float x) const {
  return e_.tf32 == Tf32Rounding::none ? x : ToTf32(x, e_.tf32 == Tf32Rounding::truncated);
}

}  // namespace padproof::reference
