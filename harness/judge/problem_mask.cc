// What a problem says of single pairs: its mask tensor, with what is added to the score, and which
// of them dropout drops.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "harness/judge/problem.h"

namespace padproof {

size_t Problem::MaskElement() const {
  return case_.mask_form == MaskForm::boolean ? 1 : SizeOf(case_.dtype);
}

void Problem::PlaceMask() {
  const Case& c = case_;
  const bool pairs_differ = c.holes > 0 || c.bias != Bias::none;
  const auto alike = [](const std::vector<int>& lens) {
    return std::equal(lens.begin() + 1, lens.end(), lens.begin());
  };
  // A mask that tells of padded queries differs between queries, and between sequences.
  const bool no_padded_query = alike(c.lens_q) && c.pad_q == 0;
  const bool by_key = !pairs_differ && c.mask == Mask::none && no_padded_query;
  const bool batch_differs = pairs_differ || !alike(c.lens_q) || !alike(c.lens_k);
  const int64_t k = c.seqlen_k(), q = c.seqlen_q();
  const bool gaps = c.strides == Strides::row_padded || c.strides == Strides::sliced;
  const bool row_padded = gaps && c.strided == kAllOperands;
  const int64_t row = row_padded ? PaddedRow(k) : k;
  const int64_t rows = by_key ? 1 : q, heads = pairs_differ ? c.heads : 1;
  const int64_t batches = batch_differs ? c.batch() : 1;
  mask_place_ = {.heads = static_cast<int>(heads),
                 .row = row,
                 .elements = batches * heads * rows * row,
                 .stride = {batches < c.batch() ? 0 : heads * rows * row,
                            heads < c.heads ? 0 : rows * row, rows < q ? 0 : row, 1}};
}

size_t Problem::MaskOffset(const Index& at, int j) const {
  const std::array<int64_t, 4> slots{at.b, at.h, Slot(Operand::q, at.b, at.i),
                                     Slot(Operand::k, at.b, j)};
  int64_t element = 0;
  for (size_t n = 0; n < 4; ++n) element += slots[n] * mask_place_.stride[n];
  return kGuardBytes + static_cast<size_t>(element) * MaskElement();
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
  PlaceMask();
  Allocate(mask_, static_cast<size_t>(mask_place_.elements) * MaskElement());
  const bool boolean = c.mask_form == MaskForm::boolean;
  const uint32_t hide = boolean ? 0 : Encode(c.dtype, -INFINITY);
  const uint32_t gap = boolean ? 1 : Encode(c.dtype, NAN);  // behind a row: nobody's
  uint8_t* data = mask_.storage.data() + kGuardBytes;
  for (int64_t n = 0; n < mask_place_.elements; ++n) {
    const uint32_t bits = n % mask_place_.row < c.seqlen_k() ? hide : gap;
    std::memcpy(data + static_cast<size_t>(n) * MaskElement(), &bits, MaskElement());
  }
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < mask_place_.heads; ++at.h) {
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
  for (Index at{b, 0, 0, 0}; at.h < mask_place_.heads; ++at.h) {
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
  Tensor t{mask_.storage.data() + kGuardBytes,
           {case_.batch(), case_.heads, case_.seqlen_q(), case_.seqlen_k()},
           {}};
  std::copy(mask_place_.stride.begin(), mask_place_.stride.end(), t.stride);
  return t;
}

std::vector<uint8_t> Problem::MaskBytes() const {
  if (mask_.storage.empty()) return {};
  const uint8_t* data = mask_.storage.data() + kGuardBytes;
  return {data, data + mask_.bytes};
}

}  // namespace padproof
