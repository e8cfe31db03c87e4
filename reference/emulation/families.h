// Families of inputs that are hard for the bound, each for a reason of its own.

#pragma once

#include <cstdint>
#include <string_view>

#include "reference/attention.h"

namespace padproof::reference {

enum class Family : int {
  randn,
  logits_30,        // logits of about 30, near ties at the top
  logits_1e4,       // logits of about 1e4, near ties at the top
  qk_cancellation,  // large products that nearly cancel in each score
  pv_cancellation,  // V = +-1000
  subnormal,        // V, Q or K below the smallest normal of fp32 or of the storage type
  near_max,         // V near the largest finite number
  equal_logits,     // one key repeated
  increasing,       // every tile moves the maximum
  decreasing,
  one_hot,           // one logit 50 above the rest
  coherent_p,        // every weight halfway between two numbers of the storage type
  mixed_magnitudes,  // V over eight decades
  long_tail,         // logits down to -100: weights underflow in f16, then in fp32
  constant_v,
  massive_dimension,      // one channel of Q and K a thousand times the others
  coherent_accumulation,  // equal addends whose partial sums all round the same way
  tiny_logits,
  two_peaks,  // two equal peaks with opposite V
};
inline constexpr int kFamilies = 19;

std::string_view NameOf(Family family);

/// A head of `len_q` queries on `n` keys: a function of the arguments alone. dO is random,
/// sometimes huge or tiny; a query sees all keys or, now and then, fewer.
struct HeadShape {
  int len_q = 1, n = 1, dim = 8;
  Dtype dtype = Dtype::f32;
};
Head HeadOf(Family family, const HeadShape& shape, uint64_t seed);

/// The head with one more key, K = 0 and V = 0, that every query sees: padding left unmasked. Every
/// query must see all keys before.
Head WithZeroKey(Head head);

}  // namespace padproof::reference
