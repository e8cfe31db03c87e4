// The arithmetic of kernels, bit by bit on the host: fp32 with and without flushing, sums of
// products in every order that a correct kernel may choose, tensor cores, TF32, exponentials and
// logarithms with the errors that their manuals admit. What is emulated is stated by an Emulation.

#pragma once

#include <cstdint>
#include <vector>

#include "harness/base/dtype.h"
#include "harness/base/random.h"
#include "harness/judge/numerics_profiles.h"

namespace padproof::reference {

/// How a sum of products is taken.
enum class Sum { mul_add, fma, pairwise, lanes8, tensor_core };

/// What a matrix unit makes of fp32 operands.
enum class Tf32Rounding { none, nearest, truncated };

/// Whose exponential: the correctly rounded one off by `exp_ulps` (expf, ex2.approx), __expf, whose
/// error grows with its argument, or a cubic for every other key as in FlashAttention-4.
enum class Exponential { rounded, fast, cubic };

/// Which way exponential and logarithm err: at random, or by all their ulps, up, down, or with the
/// sign of the value that the weight will meet (the worst there is).
enum class Noise { random, up, down, by_value };

/// Where the scale goes: on the scores; into the exponent of 2 by one fma; on Q in fp32; on Q in
/// the storage type.
enum class Scaling { scores, folded, q_in_fp32, q_in_storage };

/// How partial results of several softmaxes become one.
enum class Combine { by_max, by_lse };

/// A way to compute attention that a correct kernel may choose.
struct Emulation {
  const char* name = "three_pass";
  int tile = 0;          // keys a tile of the online softmax; 0: three passes
  bool reverse = false;  // keys from last to first
  int lanes = 1;         // strided lanes with softmaxes of their own, merged at the end
  int splits = 1;        // contiguous ranges of keys with softmaxes of their own
  Combine combine = Combine::by_max;
  Sum sum = Sum::mul_add;
  TensorCore core;  // of Sum::tensor_core
  Tf32Rounding tf32 = Tf32Rounding::none;
  Scaling scaling = Scaling::scores;
  Exponential exponential = Exponential::rounded;
  int exp_ulps = 0;
  int log_ulps = 0;  // outside [0.5, 2]; 2^-21.41 inside if not 0
  Noise noise = Noise::random;
  bool flush = false;          // fp32 operands and results below the smallest normal are 0
  bool round_p = false;        // P rounded to the storage type before it meets V
  bool sum_rounded = false;    // and its row sum takes the rounded P
  bool normalise_p = false;    // P divided by its sum before it meets V
  bool store_scores = false;   // scores stored in the storage type, as eager 16-bit kernels do
  double lag = 0;              // the maximum follows only when it grows by more than so many bits
  bool autograd = false;       // backward from a stored softmax, D = rowsum(P * dP)
  bool scattered = false;      // gradients by atomics: partial sums, terms and all in random order
  bool fused_rescale = false;  // exp2(fma(m_old, c, -m_new c)), the last product rounded
  bool expand_gradients = false;  // dK, dV of each query head stored before their sum
  double tanh_error = 0;          // relative, beside its rounding
  bool bias_first = false;        // the sum of a score begins with the bias; without a softcap
  bool sink_first = false;        // the sink is where the walk begins, not one term more at its end
  bool sink_shifts = true;        // a sink at the end may raise the maximum
  bool drop_late = false;  // P rounded, then dropped; outputs and gradients scaled at the end
};

/// fp32 arithmetic in the manner of one emulation.
class Arithmetic {
 public:
  Arithmetic(const Emulation& e, Dtype dtype, uint64_t noise);

  float Flush(float x) const;
  float Mul(float a, float b) const { return Flush(Flush(a) * Flush(b)); }
  float Add(float a, float b) const { return Flush(Flush(a) + Flush(b)); }

  /// sum + x[0] y[0] + ... + x[n-1] y[n-1] in the manner of `e.sum`.
  float Accumulate(float sum, const float* x, const float* y, int n) const;
  /// The same with mul_add where the emulation has tensor cores: row sums and D run on SIMT lanes.
  float AccumulateSimt(float sum, const float* x, const float* y, int n) const;
  /// sum + x[0] + ... + x[n-1].
  float Total(float sum, const float* x, int n) const;

  /// 2^x and e^x of key `key` with the error of the emulation; exact at 0 and -inf. `value` is the
  /// number that the weight will meet.
  float Exp2(float x, int key = 1, float value = 0);
  float Exp(float x, int key = 1, float value = 0);
  float Log(float x);
  float Tanh(float x);

  float RoundToStorage(float x) const;
  float RoundP(float p) const { return e_.round_p ? RoundToStorage(p) : p; }
  float RoundOperand(float x) const;

 private:
  int Ulps(int most, float value);
  float Noisy(double exact, int ulps) const;
  float Ordered(float sum, const float* x, const float* y, int n, Sum order) const;

  const Emulation& e_;
  Dtype dtype_;
  Random noise_;
};

/// One instruction of a tensor core: acc + the sum of `core.block` exact products or fewer, all
/// aligned to the largest exponent, cut off there, added exactly, and cut off to fp32.
float TensorCoreAdd(const TensorCore& core, float acc, const float* x, const float* y, int n);

/// x with the 11 significand bits of TF32.
float ToTf32(float x, bool truncated);

/// 2^x by a cubic on the fraction, relative error 8.6e-5: minimax for 1 + f (a + f (b + f c)).
float CubicExp2(float x);

}  // namespace padproof::reference
