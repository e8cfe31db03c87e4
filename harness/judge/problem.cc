#include "harness/judge/problem.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace padproof {
Problem::Problem(const Case& c, Prefill prefill) : case_(c), prefill_(prefill) {
  for (int b = 0; b < c.batch(); ++b) {  // asked for with every element
    regions_[0].push_back(RegionQ(c, b));
    regions_[1].push_back(RegionK(c, b));
  }
  OrderPages(0);
  for (int o = 0; o < kOperands; ++o) {
    const auto op = static_cast<Operand>(o);
    if (!HasTensor(c, op)) continue;
    Place(op);
    const Placement& place = places_[static_cast<size_t>(o)];
    Allocate(buffers_[static_cast<size_t>(o)],
             static_cast<size_t>(place.shift + place.elements) * SizeOf(DtypeOf(op)));
    PrefillOutput(op, prefill);
    if (!IsInput(op)) continue;
    FillReal(op);
    FillPads(op, c.fill);
  }
  BuildArrays();
  BuildBlockTable();
  if (c.mask_form != MaskForm::lengths) BuildMask();
}

template <class Content>
void Problem::WriteRow(Operand op, const Index& first, int columns, const Content& row) {
  if (columns == 0) return;
  const size_t size = SizeOf(DtypeOf(op)), step = StepOf(op);
  uint8_t* to = Data(op) + Offset(op, first.b, first.h, first.i, first.d);
  for (int d = 0; d < columns; ++d, to += step) {
    const uint32_t bits = row[d];
    std::memcpy(to, &bits, size);
  }
}

void Problem::FillReal(Operand op) {
  for (int b = 0; b < case_.batch(); ++b) {
    for (int h = 0; h < Heads(op); ++h) {
      for (int i = 0; i < RealRows(op, b); ++i) {
        WriteRow(op, {b, h, Slot(op, b, i), Column(op, {b, h, i, 0})}, RealColumns(op, b),
                 RealRow(case_, op, b, h, i));
      }
    }
  }
}

/// A mask tensor tells of pads itself: to its kernel every slot is in use.
void Problem::BuildArrays() {
  const Case& c = case_;
  std::array<std::vector<int32_t>, kLengths> lengths;
  const bool told = c.mask_form == MaskForm::lengths;
  for (int side = 0; side < 2; ++side) {
    const auto& lens = side == 0 ? c.lens_q : c.lens_k;
    const auto at = static_cast<size_t>(side);
    for (int b = 0; b < c.batch(); ++b) {
      const Region& region = regions_[at][static_cast<size_t>(b)];
      const int len = lens[static_cast<size_t>(b)];
      lengths[at].push_back(told ? len : region.slots);
      lengths[2 + at].push_back(told && !c.packed() ? region.leftpad : 0);
      if (!c.packed()) continue;
      lengths[4 + at].push_back(region.begin + region.leftpad);
      const bool last = b + 1 == c.batch();
      const int end = c.pad_side == PadSide::between ? region.slots : region.leftpad + len;
      if (last) lengths[4 + at].push_back(region.begin + end);
    }
  }
  for (size_t n = 0; n < kBlockTable; ++n) StoreArray(n, lengths[n]);
  std::vector<float> slopes, sink;
  for (int h = 0; h < c.heads; ++h) {
    if (c.bias == Bias::alibi && told) slopes.push_back(AlibiSlope(h));
    if (c.sink) sink.push_back(SinkOf(c, h));
  }
  StoreArray(kSlopes, slopes);
  StoreArray(kSink, sink);
}

template <class T>
void Problem::StoreArray(size_t which, const std::vector<T>& values) {
  if (values.empty()) return;
  Allocate(arrays_[which], values.size() * sizeof(T));
  std::memcpy(arrays_[which].storage.data() + kGuardBytes, values.data(), arrays_[which].bytes);
}

template void Problem::StoreArray(size_t, const std::vector<int32_t>&);

template <class T>
const T* Problem::Array(size_t which) const {
  const Buffer& buffer = arrays_[which];
  if (buffer.storage.empty()) return nullptr;
  return reinterpret_cast<const T*>(buffer.storage.data() + kGuardBytes);
}

std::array<std::vector<int32_t>, 7> Problem::lengths() const {
  std::array<std::vector<int32_t>, kLengths> lengths;
  for (size_t n = 0; n < kLengths; ++n) {
    const int32_t* first = Array<int32_t>(n);
    if (first != nullptr) lengths[n].assign(first, first + arrays_[n].bytes / sizeof(int32_t));
  }
  return lengths;
}

std::array<std::vector<float>, 2> Problem::head_numbers() const {
  std::array<std::vector<float>, 2> numbers;
  for (size_t n : {kSlopes, kSink}) {
    const float* first = Array<float>(n);
    if (first == nullptr) continue;
    numbers[n - kSlopes].assign(first, first + arrays_[n].bytes / sizeof(float));
  }
  return numbers;
}

int Problem::Slots(Operand op, int b) const { return RegionOf(op, b).slots; }

int Problem::BufferSlots(Operand op) const {
  const Region& last = RegionOf(op, case_.batch() - 1);
  return last.begin + last.slots;
}

int Problem::Columns(Operand op) const {
  if (op == Operand::lse) return 1;
  if (HasKeyColumns(op)) return case_.seqlen_k();
  return HasValueColumns(op) ? case_.value_dim() : case_.dim;
}

int Problem::RealColumns(Operand op, int b) const {
  return HasKeyColumns(op) ? case_.lens_k[static_cast<size_t>(b)] : Columns(op);
}

int Problem::RealRows(Operand op, int b) const {
  const auto& lens = HasQueryRows(op) ? case_.lens_q : case_.lens_k;
  return lens[static_cast<size_t>(b)];
}

int Problem::Slot(Operand op, int b, int i) const { return RegionOf(op, b).leftpad + i; }

bool Problem::IsReal(Operand op, int b, int slot) const {
  const int token = slot - RegionOf(op, b).leftpad;
  return token >= 0 && token < RealRows(op, b);
}

bool Problem::IsReal(Operand op, int b, int slot, int d) const {
  return IsReal(op, b, slot) && (!HasKeyColumns(op) || IsReal(Operand::k, b, d));
}

Index Problem::QueryAt(int b, int head_kv, int row, int d) const {
  const int len_q = case_.lens_q[static_cast<size_t>(b)];
  return {b, head_kv * case_.group + row / len_q, row % len_q, d};
}

uint8_t* Problem::Data(Operand op) {
  Buffer& buffer = buffers_[static_cast<size_t>(op)];
  return buffer.storage.empty() ? nullptr : buffer.storage.data() + kGuardBytes;
}

const uint8_t* Problem::Data(Operand op) const {
  const Buffer& buffer = buffers_[static_cast<size_t>(op)];
  return buffer.storage.empty() ? nullptr : buffer.storage.data() + kGuardBytes;
}

/// LSE is [b, h, s] in every layout; its rows are those of a head.
void Problem::Place(Operand op) {
  const bool in_pages = InPages(op);
  const int64_t b = in_pages         ? static_cast<int64_t>(pages_.size() + spare_pages_.size())
                    : case_.packed() ? 1
                                     : case_.batch();
  const bool expanded = StridesOf(case_, op) == Strides::expanded;
  const int64_t heads = Heads(op), d = Columns(op);
  const int64_t size = in_pages ? case_.page_size : BufferSlots(op);
  const bool is_lse = op == Operand::lse;
  const Strides strides = StridesOf(case_, op);
  const auto padded = [&](int64_t row) {  // from one row to the next
    return strides == Strides::row_padded ? PaddedRow(row) : row;
  };
  const bool sliced = strides == Strides::sliced;
  const int64_t h = (expanded ? 1 : heads) + (sliced ? 1 : 0), s = size + (sliced ? 2 : 0);
  const int64_t slots = is_lse ? padded(s) : s, row = is_lse ? d : padded(d);
  Placement& place = places_[static_cast<size_t>(op)];
  place.size = {b, heads, size, d};
  if (strides == Strides::transposed && is_lse) {
    place.stride = {s * h, 1, h, 1};
  } else if (strides == Strides::transposed) {
    place.stride = {h * d * s, d * s, 1, s};
  } else if (is_lse || case_.layout == Layout::bhsd) {
    place.stride = {h * slots * row, slots * row, row, 1};
  } else {
    place.stride = {s * h * row, row, h * row, 1};
  }
  if (expanded) place.stride[1] = 0;
  place.shift = strides == Strides::offset ? 1 : 0;
  place.gaps = strides == Strides::row_padded || sliced || place.shift > 0;
  if (b * heads * size * d == 0) return;
  place.elements = 1;
  for (size_t n = 0; n < 4; ++n) place.elements += (place.size[n] - 1) * place.stride[n];
}

Tensor Problem::View(Operand op) {
  const Placement& place = places_[static_cast<size_t>(op)];
  const size_t shift = static_cast<size_t>(place.shift) * SizeOf(DtypeOf(op));
  Tensor t{Data(op) + shift, {}, {}};
  std::copy(place.size.begin(), place.size.end(), t.size);
  std::copy(place.stride.begin(), place.stride.end(), t.stride);
  return t;
}

size_t Problem::Offset(Operand op, int b, int h, int slot, int d) const {
  int entry = case_.packed() ? 0 : b, row = RegionOf(op, b).begin + slot;
  if (InPages(op)) {
    const int page = b * case_.pages() + slot / case_.page_size;
    entry = pages_[static_cast<size_t>(page)];
    row = slot % case_.page_size;
  }
  return OffsetIn(op, entry, h, row, d);
}

size_t Problem::OffsetIn(Operand op, int entry, int h, int row, int d) const {
  const Placement& place = places_[static_cast<size_t>(op)];
  const int64_t at = place.shift + entry * place.stride[0] + h * place.stride[1] +
                     row * place.stride[2] + d * place.stride[3];
  return static_cast<size_t>(at) * SizeOf(DtypeOf(op));
}

size_t Problem::StepOf(Operand op) const {
  const int64_t stride = places_[static_cast<size_t>(op)].stride[3];
  return static_cast<size_t>(stride) * SizeOf(DtypeOf(op));
}

void Problem::ForEachElement(Operand op, const std::function<void(size_t offset)>& visit) const {
  for (int b = 0; b < case_.batch(); ++b) {
    for (int h = 0; h < Heads(op); ++h) {
      for (int slot = 0; slot < Slots(op, b); ++slot) {
        for (int d = 0; d < Columns(op); ++d) visit(Offset(op, b, h, slot, d));
      }
    }
  }
  ForEachSpareRow(op, [&](int page, int h, int slot) {
    for (int d = 0; d < Columns(op); ++d) visit(OffsetIn(op, page, h, slot, d));
  });
}

uint32_t Problem::Bits(Operand op, int b, int h, int slot, int d) const {
  uint32_t bits = 0;
  std::memcpy(&bits, Data(op) + Offset(op, b, h, slot, d), SizeOf(DtypeOf(op)));
  return bits;
}

void Problem::SetBits(Operand op, int b, int h, int slot, int d, uint32_t bits) {
  std::memcpy(Data(op) + Offset(op, b, h, slot, d), &bits, SizeOf(DtypeOf(op)));
}

Problem::StoredRow Problem::Row(Operand op, int b, int h, int i) const {
  const Index first{b, h, i, 0};
  return {.begin = Data(op) + Offset(op, b, h, Slot(op, b, i), Column(op, first)),
          .step = StepOf(op),
          .dtype = DtypeOf(op)};
}

double Problem::Real(Operand op, const Index& at) const {
  return Decode(DtypeOf(op), BitsAt(op, at));
}

void Problem::SetReal(Operand op, const Index& at, double value) {
  SetBitsAt(op, at, Encode(DtypeOf(op), value));
}

void Problem::FillTokens(Fill fill, const std::function<bool(Operand op, const Index& at)>& which) {
  constexpr int kNoPad = 1 << 20;  // beyond the number of any pad: noise of its own
  for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o}) {
    if (Data(op) == nullptr) continue;
    for (Index at{0, 0, 0, 0}; at.b < case_.batch(); ++at.b) {
      for (at.h = 0; at.h < Heads(op); ++at.h) {
        for (at.i = 0; at.i < RealRows(op, at.b); ++at.i) {
          if (!which(op, at)) continue;
          WriteRow(op, {at.b, at.h, Slot(op, at.b, at.i), 0}, Columns(op),
                   PadRow(case_, fill, op, at.b, at.h, kNoPad + at.i));
        }
      }
    }
  }
}

void Problem::FillPads(Fill fill) {
  for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o, Operand::bias}) {
    if (Data(op) != nullptr) FillPads(op, fill);
  }
}

void Problem::FillPads(Operand op, Fill fill) {
  constexpr int kRealRow = 1 << 19;  // pads in the row of a real query: numbers beyond any pad's
  for (int b = 0; b < case_.batch(); ++b) {
    for (int h = 0; h < Heads(op); ++h) {
      for (int slot = 0, pad = 0; slot < Slots(op, b); ++slot) {
        const bool whole = !IsReal(op, b, slot);
        if (!whole && !HasKeyColumns(op)) continue;
        const int number = whole ? pad++ : kRealRow + slot;
        const PadRow row(case_, fill, op, b, h, number);
        if (whole) {
          WriteRow(op, {b, h, slot, 0}, Columns(op), row);
          continue;
        }
        for (int d = 0; d < Columns(op); ++d) {
          if (!IsReal(op, b, slot, d)) SetBits(op, b, h, slot, d, row[d]);
        }
      }
    }
  }
  FillSparePages(op, fill);
}

void Problem::PrefillOutput(Operand op, Prefill prefill) {
  const Buffer& buffer = buffers_[static_cast<size_t>(op)];
  if (buffer.bytes == 0) return;
  if (!places_[static_cast<size_t>(op)].gaps) {
    std::memset(Data(op), PrefillByte(prefill), buffer.bytes);
    return;
  }
  ForEachElement(op, [&](size_t offset) {
    std::memset(Data(op) + offset, PrefillByte(prefill), SizeOf(DtypeOf(op)));
  });
}

AttentionArgs Problem::Args(bool backward) {
  PADPROOF_CHECK(!backward || case_.backward);
  AttentionArgs args{};
  args.struct_size = sizeof args;
  args.dtype = case_.dtype;
  args.batch = case_.batch();
  args.heads = case_.heads;
  args.seqlen_q = case_.seqlen_q();
  args.seqlen_k = case_.seqlen_k();
  args.heads_kv = case_.heads_kv();
  args.dim = case_.dim;
  args.dim_v = case_.value_dim();
  args.mask_form = case_.mask_form;
  const bool by_name = case_.mask_form == MaskForm::lengths;
  args.mask = by_name ? case_.mask : Mask::none;
  args.window_left = by_name ? case_.window.left : -1;
  args.window_right = by_name ? case_.window.right : -1;
  if (!by_name) args.attn_mask = MaskView();
  args.softcap = static_cast<float>(case_.softcap);
  args.alibi_slopes = Array<float>(kSlopes);
  args.sink = Array<float>(kSink);
  args.softmax_scale = SoftmaxScale(case_);
  args.dropout_p = DropoutOf(case_);
  if (case_.dropout > 0) args.dropout_seed = DropoutSeedOf(case_) ^ flipped_seed_bits_;
  args.num_splits = case_.splits;
  args.seqused_q = Array<int32_t>(0);
  args.seqused_k = Array<int32_t>(1);
  args.leftpad_q = Array<int32_t>(2);
  args.leftpad_k = Array<int32_t>(3);
  args.cu_seqlens_q = Array<int32_t>(4);
  args.cu_seqlens_k = Array<int32_t>(5);
  args.block_table = Array<int32_t>(kBlockTable);
  args.page_size = case_.page_size;
  args.max_pages = case_.pages();
  args.q = View(Operand::q);
  args.k = View(Operand::k);
  args.v = View(Operand::v);
  args.o = View(Operand::o);
  args.lse = View(Operand::lse);
  if (HasBiasTensor(case_)) args.attn_bias = View(Operand::bias);
  if (backward) {
    args.d_o = View(Operand::d_o);
    args.dq = View(Operand::dq);
    args.dk = View(Operand::dk);
    args.dv = View(Operand::dv);
    if (HasBiasTensor(case_)) args.dbias = View(Operand::dbias);
  }
  args.schedule_order = case_.schedule.order;
  args.schedule_seed = case_.schedule.seed;
  args.schedule_preempt = case_.schedule.preempt;
  args.fresh_memory = PrefillByte(prefill_);
  return args;
}

}  // namespace padproof
