// The shared memory of the running block. Included by runtime.cc only.
//
// Under AddressSanitizer every array is a heap block of its exact size. Elsewhere arrays lie in one
// arena with canaries around them, which are looked at when the block ends: a write outside an
// array is reported then, by the name of the array.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/fiber.h"
#include "harness/simt/runtime/sanitizer.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

constexpr size_t kDefaultSharedBytes = 48 << 10;  // of a block, without opting in
constexpr size_t kMaxSharedBytes = 227 << 10;     // of a block on sm_90
constexpr size_t kCanaryBytes = 64;               // on either side of an array
// NaN as f16, bf16, f32 and f64, not the usual fill, and an atomicOr of a flag changes it.
constexpr uint16_t kCanary = 0xFFC2;

class SharedMemory {
 public:
  /// Fresh memory filled with `fill`; null when the arena is used up.
  void* Allocate(const char* name, Site where, size_t bytes, size_t alignment, unsigned char fill) {
    void* data =
        kRuntimeKnowsAsan ? AllocateExactly(bytes, alignment) : AllocateInArena(bytes, alignment);
    if (data == nullptr) return nullptr;
    std::memset(data, fill, bytes);
    auto* begin = static_cast<unsigned char*>(data);
    if constexpr (kRuntimeKnowsAsan) {
      MarkUnwritten(begin, bytes);
    } else {
      FillCanary(begin - kCanaryBytes);
      FillCanary(begin + bytes);
      MarkUnwritten(begin - kCanaryBytes, bytes + 2 * kCanaryBytes);
    }
    live_.push_back({name, where, begin, bytes});
    used_bytes_ += bytes;
    return data;
  }

  /// "shared array 'tile', byte 132", or "".
  std::string NameOf(const void* address) const {
    for (const Allocation& a : live_) {
      const auto byte = static_cast<size_t>(static_cast<const unsigned char*>(address) - a.data);
      if (byte < a.bytes) {
        return "shared array '" + std::string(a.name) + "', byte " + std::to_string(byte);
      }
    }
    return "";
  }

  size_t used_bytes() const { return used_bytes_; }

  /// Ends the block. Reports the first array outside of which was written.
  void Release() {
    for (const Allocation& a : live_) {
      if constexpr (kRuntimeKnowsAsan) {
        std::free(a.data);
      } else if (!CanaryIntact(a.data + a.bytes)) {
        ReportOverrun(a, "past the end");
      } else if (!CanaryIntact(a.data - kCanaryBytes)) {
        ReportOverrun(a, "before the start");
      }
    }
    live_.clear();
    used_bytes_ = 0;
    arena_used_ = 0;
  }

 private:
  struct Allocation {
    const char* name;
    Site where;
    unsigned char* data;
    size_t bytes;
  };

  static void* AllocateExactly(size_t bytes, size_t alignment) {
    void* data = nullptr;
    if (alignment < 16) alignment = 16;
    return posix_memalign(&data, alignment, bytes) == 0 ? data : nullptr;
  }

  void* AllocateInArena(size_t bytes, size_t alignment) {
    if (alignment < 16) alignment = 16;
    if (arena_.empty()) arena_.resize(2 * kMaxSharedBytes);
    const uintptr_t base = reinterpret_cast<uintptr_t>(arena_.data());
    const size_t canary_end = base + arena_used_ + kCanaryBytes;
    const size_t begin = ((canary_end + alignment - 1) & ~(alignment - 1)) - base;
    if (begin + bytes + kCanaryBytes > arena_.size()) return nullptr;
    arena_used_ = begin + bytes + kCanaryBytes;
    return arena_.data() + begin;
  }

  static unsigned char CanaryByte(size_t i) {
    return static_cast<unsigned char>(i % 2 == 0 ? kCanary & 0xFF : kCanary >> 8);
  }

  static void FillCanary(unsigned char* data) {
    for (size_t i = 0; i < kCanaryBytes; i++) data[i] = CanaryByte(i);
  }
  static bool CanaryIntact(const unsigned char* data) {
    for (size_t i = 0; i < kCanaryBytes; i++) {
      if (data[i] != CanaryByte(i)) return false;
    }
    return true;
  }

  [[noreturn]] static void ReportOverrun(const Allocation& a, const char* where);

  std::vector<Allocation> live_;
  std::vector<unsigned char> arena_;
  size_t arena_used_ = 0;
  size_t used_bytes_ = 0;
};

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
