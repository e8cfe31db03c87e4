// What a problem says of single pairs: its mask tensor, with what is added to the score, and which
// of them dropout drops.

#include <cmath>
#include <cstring>

#include "harness/judge/problem.h"

namespace padproof {

size_t Problem::MaskElement() const {
  return case_.mask_form == MaskForm::boolean ? 1 : SizeOf(case_.dtype);
}

size_t Problem::MaskOffset(const Index& at, int j) const {
  const int head = at.b * MaskHeads() + (MaskHeads() > 1 ? at.h : 0);
  const size_t row = static_cast<size_t>(head * case_.seqlen_q() + Slot(Operand::q, at.b, at.i));
  const size_t slot_k = static_cast<size_t>(Slot(Operand::k, at.b, j));
  return kGuardBytes + (row * static_cast<size_t>(case_.seqlen_k()) + slot_k) * MaskElement();
}

void Problem::SetKeeps(const Index& at, int j, bool keep) {
  const bool boolean = case_.mask_form == MaskForm::boolean;
  const double added = keep ? BiasOf(case_, at.b, at.h, at.i, j) : -INFINITY;
  const uint32_t bits = boolean ? keep : Encode(case_.dtype, added);
  std::memcpy(mask_.storage.data() + MaskOffset(at, j), &bits, MaskElement());
}

bool Problem::Keeps(const Index& at, int j) const {
  if (mask_.storage.empty()) return Sees(case_, at.b, at.h, at.i, j);
  uint32_t bits = 0;
  std::memcpy(&bits, mask_.storage.data() + MaskOffset(at, j), MaskElement());
  return case_.mask_form == MaskForm::boolean ? bits != 0 : Decode(case_.dtype, bits) > -INFINITY;
}

double Problem::BiasAt(const Index& at, int j) const {
  if (HasBiasTensor(case_)) return Real(Operand::bias, {at.b, at.h, at.i, j});
  if (case_.mask_form != MaskForm::additive) return BiasOf(case_, at.b, at.h, at.i, j);
  uint32_t bits = 0;
  std::memcpy(&bits, mask_.storage.data() + MaskOffset(at, j), MaskElement());
  const double added = Decode(case_.dtype, bits);
  return added > -INFINITY ? added : 0;
}

size_t Problem::PairOf(const Index& at, int j) const {
  const int most_q = case_.most_slots_q() - case_.pad_q, most_k = case_.most_slots_k();
  const int row = (at.b * case_.heads + at.h) * most_q + at.i;
  return static_cast<size_t>(row) * static_cast<size_t>(most_k) + static_cast<size_t>(j);
}

bool Problem::IsDropped(const Index& at, int j) const {
  return !dropped_.empty() && dropped_[PairOf(at, j)];
}

void Problem::SetDropped(const Index& at, int j, bool dropped) {
  const Index beyond{case_.batch(), 0, 0, 0};
  if (dropped_.empty()) dropped_.resize(PairOf(beyond, 0));
  dropped_[PairOf(at, j)] = dropped;
}

void Problem::BuildMask() {
  const Case& c = case_;
  const size_t pairs = static_cast<size_t>(c.seqlen_q()) * static_cast<size_t>(c.seqlen_k());
  Allocate(mask_, static_cast<size_t>(c.batch() * MaskHeads()) * pairs * MaskElement());
  const uint32_t hide = c.mask_form == MaskForm::boolean ? 0 : Encode(c.dtype, -INFINITY);
  for (size_t at = 0; at < mask_.bytes; at += MaskElement()) {
    std::memcpy(mask_.storage.data() + kGuardBytes + at, &hide, MaskElement());
  }
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < MaskHeads(); ++at.h) {
      for (at.i = 0; at.i < RealRows(Operand::q, at.b); ++at.i) {
        for (int j = 0; j < RealRows(Operand::k, at.b); ++j) {
          SetKeeps(at, j, Sees(c, at.b, at.h, at.i, j));
        }
      }
    }
  }
}

void Problem::CopyMask(int b, const Problem& from, int from_b) {
  if (mask_.storage.empty()) return;
  const bool same_form = case_.mask_form == from.case_.mask_form;
  for (Index at{b, 0, 0, 0}; at.h < MaskHeads(); ++at.h) {
    for (at.i = 0; at.i < RealRows(Operand::q, b); ++at.i) {
      for (int j = 0; j < RealRows(Operand::k, b); ++j) {
        const Index there{from_b, at.h, at.i, 0};
        if (same_form) {
          std::memcpy(mask_.storage.data() + MaskOffset(at, j),
                      from.mask_.storage.data() + from.MaskOffset(there, j), MaskElement());
        } else {
          SetKeeps(at, j, from.Keeps(there, j));
        }
      }
    }
  }
}

Tensor Problem::MaskView() {
  const int64_t b = case_.batch(), h = case_.heads, q = case_.seqlen_q(), k = case_.seqlen_k();
  Tensor t{mask_.storage.data() + kGuardBytes, {b, h, q, k}, {h * q * k, q * k, k, 1}};
  if (MaskHeads() < case_.heads) {
    t.stride[0] = q * k;
    t.stride[1] = 0;
  }
  return t;
}

std::vector<uint8_t> Problem::MaskBytes() const {
  if (mask_.storage.empty()) return {};
  const uint8_t* data = mask_.storage.data() + kGuardBytes;
  return {data, data + mask_.bytes};
}

}  // namespace padproof
