#include "harness/judge/problem.h"

#include <cmath>
#include <cstdio>
#include <cstring>

namespace padproof {
namespace {

// Long enough that a store one row past the end stays inside it.
constexpr size_t kGuardBytes = 1024;

// The first half of a guard is NaN in every storage type; the second counts 1, 2, 3, ... as int32,
// which are subnormal floats, so that a stray atomic add of +0 that flushes them is seen too.
uint8_t GuardByte(size_t at) {
  if (at < kGuardBytes / 2) return 0xFF;
  const uint32_t word = static_cast<uint32_t>(at / 4) + 1;
  return static_cast<uint8_t>(word >> (8 * (at % 4)));
}

uint8_t PrefillByte(Prefill prefill) {
  return prefill == Prefill::nan_pattern ? 0xFF : 0x42;  // 0x42..: 48.6 in f32, 3.13 in f16
}

bool IsInput(Operand op) {
  return op == Operand::q || op == Operand::k || op == Operand::v || op == Operand::d_o;
}

}  // namespace

Problem::Problem(const Case& c, Prefill prefill) : case_(c), prefill_(prefill) {
  for (int b = 0; b < c.batch(); ++b) {  // asked for with every element
    regions_[0].push_back(RegionQ(c, b));
    regions_[1].push_back(RegionK(c, b));
  }
  for (int o = 0; o < kOperands; ++o) {
    const auto op = static_cast<Operand>(o);
    const bool used = c.backward || (op != Operand::d_o && op != Operand::dq && op != Operand::dk &&
                                     op != Operand::dv);
    if (!used) continue;
    const int64_t rows = int64_t{c.packed() ? 1 : c.batch()} * Heads(op) * BufferSlots(op);
    Allocate(buffers_[static_cast<size_t>(o)],
             static_cast<size_t>(rows * Columns(op)) * SizeOf(DtypeOf(op)));
    PrefillOutput(op, prefill);
    if (!IsInput(op)) continue;
    FillReal(op);
    FillPads(op, c.fill);
  }
  BuildLengths();
  if (c.mask_form != MaskForm::lengths) BuildMask();
  for (int h = 0; h < c.heads; ++h) {
    const bool by_slope = c.bias == Bias::alibi && c.mask_form == MaskForm::lengths;
    if (by_slope) alibi_slopes_.push_back(AlibiSlope(h));
    if (c.sink) sink_.push_back(SinkOf(c, h));
  }
}

void Problem::FillReal(Operand op) {
  for (int b = 0; b < case_.batch(); ++b) {
    for (int h = 0; h < Heads(op); ++h) {
      for (int i = 0; i < RealRows(op, b); ++i) {
        for (int d = 0; d < Columns(op); ++d) {
          SetBits(op, b, h, Slot(op, b, i), d, RealBits(case_, op, b, h, i, d));
        }
      }
    }
  }
}

/// A mask tensor tells of pads itself: to its kernel every slot is in use.
void Problem::BuildLengths() {
  const Case& c = case_;
  const bool told = c.mask_form == MaskForm::lengths;
  for (int side = 0; side < 2; ++side) {
    const auto& lens = side == 0 ? c.lens_q : c.lens_k;
    const auto at = static_cast<size_t>(side);
    for (int b = 0; b < c.batch(); ++b) {
      const Region& region = regions_[at][static_cast<size_t>(b)];
      const int len = lens[static_cast<size_t>(b)];
      lengths_[at].push_back(told ? len : region.slots);
      lengths_[2 + at].push_back(told && !c.packed() ? region.leftpad : 0);
      if (!c.packed()) continue;
      lengths_[4 + at].push_back(region.begin + region.leftpad);
      const bool last = b + 1 == c.batch();
      const int end = c.pad_side == PadSide::between ? region.slots : region.leftpad + len;
      if (last) lengths_[4 + at].push_back(region.begin + end);
    }
  }
}

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
  for (Index at{b, 0, 0, 0}; at.h < MaskHeads(); ++at.h) {
    for (at.i = 0; at.i < RealRows(Operand::q, b); ++at.i) {
      for (int j = 0; j < RealRows(Operand::k, b); ++j) {
        SetKeeps(at, j, from.Keeps({from_b, at.h, at.i, 0}, j));
      }
    }
  }
}

void Problem::Allocate(Buffer& buffer, size_t bytes) {
  buffer.bytes = bytes;
  buffer.storage.assign(bytes + 2 * kGuardBytes, 0);
  for (size_t at = 0; at < kGuardBytes; ++at) {
    buffer.storage[at] = GuardByte(at);
    buffer.storage[kGuardBytes + bytes + at] = GuardByte(at);
  }
}

int Problem::Slots(Operand op, int b) const { return RegionOf(op, b).slots; }

int Problem::BufferSlots(Operand op) const {
  const Region& last = RegionOf(op, case_.batch() - 1);
  return last.begin + last.slots;
}

int Problem::Columns(Operand op) const {
  if (op == Operand::lse) return 1;
  return HasValueColumns(op) ? case_.value_dim() : case_.dim;
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

Tensor Problem::View(Operand op) {
  const int64_t s = BufferSlots(op), d = Columns(op), h = Heads(op);
  const int64_t b = case_.packed() ? 1 : case_.batch();
  Tensor t{Data(op), {b, h, s, d}, {h * s * d, s * d, d, 1}};
  // LSE is always [b, h, s]; the other tensors follow the case's layout.
  if (op != Operand::lse && case_.layout != Layout::bhsd) {
    t.stride[1] = d;
    t.stride[2] = h * d;
  }
  return t;
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

size_t Problem::Offset(Operand op, int b, int h, int slot, int d) const {
  const Region& region = RegionOf(op, b);
  const size_t rows = static_cast<size_t>(case_.packed() ? BufferSlots(op) : region.slots);
  const size_t entry = case_.packed() ? 0 : static_cast<size_t>(b);
  const size_t heads = static_cast<size_t>(Heads(op)), head = static_cast<size_t>(h);
  const size_t at = static_cast<size_t>(region.begin + slot);
  const size_t columns = static_cast<size_t>(Columns(op));
  const bool heads_inside = op != Operand::lse && case_.layout != Layout::bhsd;
  const size_t row =
      heads_inside ? (entry * rows + at) * heads + head : (entry * heads + head) * rows + at;
  return (row * columns + static_cast<size_t>(d)) * SizeOf(DtypeOf(op));
}

uint32_t Problem::Bits(Operand op, int b, int h, int slot, int d) const {
  uint32_t bits = 0;
  std::memcpy(&bits, Data(op) + Offset(op, b, h, slot, d), SizeOf(DtypeOf(op)));
  return bits;
}

void Problem::SetBits(Operand op, int b, int h, int slot, int d, uint32_t bits) {
  std::memcpy(Data(op) + Offset(op, b, h, slot, d), &bits, SizeOf(DtypeOf(op)));
}

double Problem::Real(Operand op, const Index& at) const {
  return Decode(DtypeOf(op), Bits(op, at.b, at.h, Slot(op, at.b, at.i), at.d));
}

void Problem::SetReal(Operand op, const Index& at, double value) {
  SetBits(op, at.b, at.h, Slot(op, at.b, at.i), at.d, Encode(DtypeOf(op), value));
}

void Problem::FillTokens(Fill fill, const std::function<bool(Operand op, const Index& at)>& which) {
  constexpr int kNoPad = 1 << 20;  // beyond the number of any pad: noise of its own
  for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o}) {
    if (Data(op) == nullptr) continue;
    for (Index at{0, 0, 0, 0}; at.b < case_.batch(); ++at.b) {
      for (at.h = 0; at.h < Heads(op); ++at.h) {
        for (at.i = 0; at.i < RealRows(op, at.b); ++at.i) {
          if (!which(op, at)) continue;
          for (int d = 0; d < Columns(op); ++d) {
            SetBits(op, at.b, at.h, Slot(op, at.b, at.i), d,
                    PadBits(case_, fill, op, at.b, at.h, kNoPad + at.i, d));
          }
        }
      }
    }
  }
}

void Problem::FillPads(Fill fill) {
  for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o}) {
    if (Data(op) != nullptr) FillPads(op, fill);
  }
}

void Problem::FillPads(Operand op, Fill fill) {
  for (int b = 0; b < case_.batch(); ++b) {
    for (int h = 0; h < Heads(op); ++h) {
      for (int slot = 0, pad = 0; slot < Slots(op, b); ++slot) {
        if (IsReal(op, b, slot)) continue;
        for (int d = 0; d < Columns(op); ++d) {
          SetBits(op, b, h, slot, d, PadBits(case_, fill, op, b, h, pad, d));
        }
        ++pad;
      }
    }
  }
}

void Problem::PrefillOutput(Operand op, Prefill prefill) {
  const Buffer& buffer = buffers_[static_cast<size_t>(op)];
  if (buffer.bytes > 0) std::memset(Data(op), PrefillByte(prefill), buffer.bytes);
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
  args.alibi_slopes = alibi_slopes_.empty() ? nullptr : alibi_slopes_.data();
  args.sink = sink_.empty() ? nullptr : sink_.data();
  args.softmax_scale = SoftmaxScale(case_);
  args.seqused_q = lengths_[0].data();
  args.seqused_k = lengths_[1].data();
  args.leftpad_q = lengths_[2].data();
  args.leftpad_k = lengths_[3].data();
  args.cu_seqlens_q = lengths_[4].empty() ? nullptr : lengths_[4].data();
  args.cu_seqlens_k = lengths_[5].empty() ? nullptr : lengths_[5].data();
  args.q = View(Operand::q);
  args.k = View(Operand::k);
  args.v = View(Operand::v);
  args.o = View(Operand::o);
  args.lse = View(Operand::lse);
  if (backward) {
    args.d_o = View(Operand::d_o);
    args.dq = View(Operand::dq);
    args.dk = View(Operand::dk);
    args.dv = View(Operand::dv);
  }
  args.schedule_order = case_.schedule.order;
  args.schedule_seed = case_.schedule.seed;
  args.schedule_preempt = case_.schedule.preempt;
  args.fresh_memory = PrefillByte(prefill_);
  return args;
}

void* Problem::PrepareWorkspace(size_t bytes) {
  Allocate(workspace_, bytes);
  std::memset(workspace_.storage.data() + kGuardBytes, PrefillByte(prefill_), bytes);
  return workspace_.storage.data() + kGuardBytes;
}

std::string Problem::CheckGuard(const Buffer& buffer, const char* name) {
  const Bytes64& storage = buffer.storage;
  for (size_t at = 0; at < kGuardBytes && !storage.empty(); ++at) {
    if (storage[at] != GuardByte(at)) {
      return std::string(name) + ": byte " + std::to_string(kGuardBytes - at) +
             " before its start was overwritten";
    }
    if (storage[kGuardBytes + buffer.bytes + at] != GuardByte(at)) {
      return std::string(name) + ": byte " + std::to_string(at + 1) +
             " past its end was overwritten";
    }
  }
  return {};
}

std::string Problem::BrokenGuard() const {
  for (int o = 0; o < kOperands; ++o) {
    std::string broken =
        CheckGuard(buffers_[static_cast<size_t>(o)], NameOf(static_cast<Operand>(o)));
    if (!broken.empty()) return broken;
  }
  std::string broken = CheckGuard(mask_, "attn_mask");
  return broken.empty() ? CheckGuard(workspace_, "workspace") : broken;
}

std::vector<uint8_t> Problem::MaskBytes() const {
  if (mask_.storage.empty()) return {};
  const uint8_t* data = mask_.storage.data() + kGuardBytes;
  return {data, data + mask_.bytes};
}

std::vector<uint8_t> Problem::Bytes(Operand op) const {
  const Buffer& buffer = buffers_[static_cast<size_t>(op)];
  if (buffer.storage.empty()) return {};
  return {Data(op), Data(op) + buffer.bytes};
}

}  // namespace padproof
