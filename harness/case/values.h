// The numbers of a case: every element is a function of (case, operand, b, h, token, d) alone, made
// with integer arithmetic and exact conversions, so that it has the same bits on every machine and
// does not move when shapes, pads or neighbours change.

#pragma once

#include <cstdint>
#include <optional>

#include "harness/base/dtype.h"
#include "harness/case/case.h"

namespace padproof {

/// The tensors of attention. Index order is b, h, s, d.
enum class Operand : int { q, k, v, o, lse, d_o, dq, dk, dv, bias, dbias };
inline constexpr int kOperands = 11;

/// "q", "k", "v", "out", "lse", "dout", "dq", "dk", "dv", "bias", "dbias".
const char* NameOf(Operand op);

/// True when the rows of `op` are queries, false when they are keys.
constexpr bool HasQueryRows(Operand op) {
  return op == Operand::q || op == Operand::o || op == Operand::lse || op == Operand::d_o ||
         op == Operand::dq || op == Operand::bias || op == Operand::dbias;
}

/// True when an element belongs to a query and a key: d counts keys.
constexpr bool HasKeyColumns(Operand op) { return op == Operand::bias || op == Operand::dbias; }

/// True for what a forward computes.
constexpr bool IsOfForward(Operand op) { return op == Operand::o || op == Operand::lse; }

/// True for what only a backward call has.
constexpr bool IsOfBackward(Operand op) { return op >= Operand::d_o && op != Operand::bias; }

/// Whether a kernel gets a tensor for the bias alone: it is dense, and no mask tensor holds it.
inline bool HasBiasTensor(const Case& c) {
  return IsDense(c.bias) && c.mask_form == MaskForm::lengths;
}

/// Whether a run of the case has this tensor.
inline bool HasTensor(const Case& c, Operand op) {
  return (!HasKeyColumns(op) || HasBiasTensor(c)) && (!IsOfBackward(op) || c.backward);
}

/// True for what a kernel reads and never writes.
constexpr bool IsInput(Operand op) {
  return op == Operand::q || op == Operand::k || op == Operand::v || op == Operand::d_o ||
         op == Operand::bias;
}

Strides StridesOf(const Case& c, Operand op);

/// Bits of real token `i` of an input (q, k, v, d_o, bias), in c.dtype, element by element. What a
/// row's elements have in common is made once. The case must outlive it.
class RealRow {
 public:
  RealRow(const Case& c, Operand op, int b, int h, int i);
  uint32_t operator[](int d) const;

 private:
  const Case& c_;
  Operand op_;
  int b_, h_, i_;
  uint64_t hash_;
};

/// Bits of padded slot number `pad` (0, 1, ... over the padded slots of sequence b) under `fill`,
/// in c.dtype, or f32 for lse. The case must outlive it.
class PadRow {
 public:
  PadRow(const Case& c, Fill fill, Operand op, int b, int h, int pad);
  uint32_t operator[](int d) const;

 private:
  void ChooseHotKey(uint64_t hash);

  const Case& c_;
  Fill fill_;
  Operand op_;
  int b_, h_, pad_;
  uint64_t hash_ = 0;              // of the row under this fill
  std::optional<RealRow> copied_;  // the token that copy copies, or the query of a hot key
  double times_ = 1;               // that hot key: a power of two times the query
};

inline uint32_t RealBits(const Case& c, Operand op, int b, int h, int i, int d) {
  return RealRow(c, op, b, h, i)[d];
}
inline uint32_t PadBits(const Case& c, Fill fill, Operand op, int b, int h, int pad, int d) {
  return PadRow(c, fill, op, b, h, pad)[d];
}

/// True when `op` has the heads of K and V, false when it has those of Q.
constexpr bool HasKeyHeads(Operand op) { return !HasQueryRows(op); }

/// True when the rows of `op` are of value_dim elements, like V.
constexpr bool HasValueColumns(Operand op) {
  return op == Operand::v || op == Operand::o || op == Operand::d_o || op == Operand::dv;
}

/// ALiBi's slope of query head `h`: 2^-1, 2^-2, ... 2^-8 (Press et al. 2022, for 8 heads), and from
/// there on 15/16 of those, 14/16 and so on: no two heads share one.
float AlibiSlope(int h);

/// The bias of the pair (i, j) of real tokens in query head `h`: an exact number.
double BiasOf(const Case& c, int b, int h, int i, int j);

/// The sink of query head `h`, roughly N(0, 1) plus 1.
float SinkOf(const Case& c, int h);

/// The exact probability that kernels and oracle use: c.dropout / 100, rounded to nearest.
float DropoutOf(const Case& c);
/// The key of a kernel's generator.
uint64_t DropoutSeedOf(const Case& c);

/// float(scale / 100), or float(1/sqrt(dim)), rounded to nearest: the exact number that kernels and
/// oracle use.
float SoftmaxScale(const Case& c);

/// About 1 / (scale dim): `dim` products of this with 1 score 1.
double PerScore(const Case& c);

}  // namespace padproof
