// The memory of a problem: guard bands around every buffer, gaps between rows, and what a device
// gets a copy of.

#include <array>
#include <cstring>

#include "harness/judge/problem.h"

namespace padproof {
namespace {

constexpr std::array kArrayNames{"seqused_q",   "seqused_k",    "leftpad_q",
                                 "leftpad_k",   "cu_seqlens_q", "cu_seqlens_k",
                                 "block_table", "alibi_slopes", "sink"};

// The first half of a guard is NaN in every storage type, and an atomicOr of a flag changes it. The
// second counts 1, 2, 3, ... as int32, which are subnormal floats, so that a stray atomic add of +0
// that flushes them is seen too.
uint8_t GuardByte(size_t at) {
  if (at < kGuardBytes / 2) return at % 2 == 0 ? 0xFE : 0xFF;
  const uint32_t word = static_cast<uint32_t>(at / 4) + 1;
  return static_cast<uint8_t>(word >> (8 * (at % 4)));
}

const std::array<uint8_t, kGuardBytes>& Guard() {
  static const auto guard = [] {
    std::array<uint8_t, kGuardBytes> bytes{};
    for (size_t at = 0; at < kGuardBytes; ++at) bytes[at] = GuardByte(at);
    return bytes;
  }();
  return guard;
}

}  // namespace

void Problem::Allocate(Buffer& buffer, size_t bytes) {
  buffer.bytes = bytes;
  buffer.storage.assign(bytes + 2 * kGuardBytes, kGapByte);
  std::memcpy(buffer.storage.data(), Guard().data(), kGuardBytes);
  std::memcpy(buffer.storage.data() + kGuardBytes + bytes, Guard().data(), kGuardBytes);
}

void* Problem::PrepareWorkspace(size_t bytes) {
  Allocate(workspace_, bytes);
  std::memset(workspace_.storage.data() + kGuardBytes, PrefillByte(prefill_), bytes);
  return workspace_.storage.data() + kGuardBytes;
}

std::vector<Problem::Stretch> Problem::Memory() {
  using Written = Stretch::Written;
  std::vector<Stretch> memory;
  const auto add = [&](Buffer& buffer, Written written) {
    if (buffer.storage.empty()) return;
    memory.push_back({buffer.storage.data(), buffer.storage.size(), written});
  };
  for (int o = 0; o < kOperands; ++o) {
    const auto op = static_cast<Operand>(o);
    add(buffers_[static_cast<size_t>(o)], IsInput(op)       ? Written::never
                                          : IsOfForward(op) ? Written::by_forward
                                                            : Written::always);
  }
  for (Buffer& buffer : arrays_) add(buffer, Written::never);
  add(mask_, Written::never);
  add(workspace_, Written::always);
  return memory;
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

std::string Problem::BrokenGap(Operand op) const {
  const size_t bytes = buffers_[static_cast<size_t>(op)].bytes;
  if (!places_[static_cast<size_t>(op)].gaps || bytes == 0) return {};
  std::vector<bool> owned(bytes);
  ForEachElement(op, [&](size_t offset) {
    for (size_t n = 0; n < SizeOf(DtypeOf(op)); ++n) owned[offset + n] = true;
  });
  for (size_t at = 0; at < bytes; ++at) {
    if (owned[at] || Data(op)[at] == kGapByte) continue;
    return std::string(NameOf(op)) + ": byte " + std::to_string(at + 1) +
           ", in a gap between rows, was overwritten";
  }
  return {};
}

std::string Problem::BrokenGuard() const {
  for (int o = 0; o < kOperands; ++o) {
    const auto op = static_cast<Operand>(o);
    std::string broken = CheckGuard(buffers_[static_cast<size_t>(o)], NameOf(op));
    if (broken.empty()) broken = BrokenGap(op);
    if (!broken.empty()) return broken;
  }
  for (size_t n = 0; n < kArrays; ++n) {
    if (std::string broken = CheckGuard(arrays_[n], kArrayNames[n]); !broken.empty()) return broken;
  }
  std::string broken = CheckGuard(mask_, "attn_mask");
  return broken.empty() ? CheckGuard(workspace_, "workspace") : broken;
}

std::vector<uint8_t> Problem::Bytes(Operand op) const {
  const Buffer& buffer = buffers_[static_cast<size_t>(op)];
  if (buffer.storage.empty()) return {};
  return {Data(op), Data(op) + buffer.bytes};
}

}  // namespace padproof
