// Device memory on the host, and its guards. Compiled without instrumentation; see device_memory.h.

#include "harness/simt/runtime/device_memory.h"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>

#include "harness/simt/runtime/give.h"
#include "harness/simt/runtime/sanitizer.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

#if defined(SIMT_ASAN)
constexpr bool kExact = true;  // AddressSanitizer's redzones and quarantine do the rest
#else
constexpr bool kExact = false;
#endif

constexpr size_t kAlignment = 256;
constexpr size_t kGuardBytes = 512;
constexpr size_t kMaxFreedBlocks = 16;
constexpr size_t kMaxFreedBytes = size_t{16} << 20;
constexpr size_t kFreedBytesLookedAt = 2048;       // of each freed block, at the end of a launch
constexpr uint64_t kPattern = 0xFFC2FFC2FFC2FFC2;  // that of shared memory's canaries

// By hand: memset and memcmp of a sanitizer's library would make it initialised, or complain.
void FillWithPattern(unsigned char* data, size_t bytes) {
  for (size_t i = 0; i < bytes; i += sizeof kPattern) {
    std::memcpy(data + i, &kPattern, bytes - i < sizeof kPattern ? bytes - i : sizeof kPattern);
  }
}

/// From the first byte that is not the pattern's to the last one.
struct Damage {
  size_t begin = 0;
  size_t end = 0;
  explicit operator bool() const { return end != 0; }
};

bool HasPattern(const unsigned char* data, size_t bytes) {
  uint64_t differs = 0, word = 0;
  size_t i = 0;
  for (; i + sizeof word <= bytes; i += sizeof word) {
    __builtin_memcpy(&word, data + i, sizeof word);
    differs |= word ^ kPattern;
  }
  for (; i < bytes; i++) differs |= data[i] ^ (kPattern >> (i % 8 * 8) & 0xFF);
  return differs == 0;
}

Damage DamageOf(const unsigned char* data, size_t bytes) {
  Damage damage;
  if (HasPattern(data, bytes)) return damage;
  for (size_t i = 0; i < bytes; i++) {
    if (data[i] == (kPattern >> (i % 8 * 8) & 0xFF)) continue;
    if (!damage) damage.begin = i;
    damage.end = i + 1;
  }
  return damage;
}

[[noreturn]] __attribute__((cold)) void Report(const char* what, const DeviceAllocation& a,
                                               long long first, long long last, const char* when) {
  std::fflush(stdout);
  std::fprintf(stderr,
               "padproof simt: a write %s device memory: bytes %lld to %lld of %zu bytes\n"
               "  allocated by %s at %s:%u:%u\n"
               "  found when %s\n",
               what, first, last, a.bytes, a.function, a.where.file_name(),
               static_cast<unsigned>(a.where.line()), static_cast<unsigned>(a.where.column()),
               when);
  std::fflush(stderr);
  std::abort();
}

bool Owned(MemoryKind kind) {
  return kind != MemoryKind::registered && kind != MemoryKind::variable;
}

/// All ranges by address. The caller holds the lock.
class DeviceMemory {
 public:
  void* Allocate(size_t bytes, MemoryKind kind, const char* function, Site where) {
    const size_t guard = kExact ? 0 : kGuardBytes;
    const size_t in_use = kind == MemoryKind::pinned ? 0 : device_bytes_;
    if (bytes > kDeviceMemoryBytes - in_use) return nullptr;
    void* raw = nullptr;
    if (posix_memalign(&raw, kAlignment, bytes + 2 * guard) != 0) return nullptr;
    auto* data = static_cast<unsigned char*>(raw) + guard;
    FillWithPattern(data - guard, guard);
    FillWithPattern(data + bytes, guard);
    std::memset(data, CurrentOptions().fill, bytes);
    MarkUnwritten(raw, guard + bytes + guard);
    live_.emplace(data, DeviceAllocation{data, bytes, kind, function, where});
    if (kind != MemoryKind::pinned) device_bytes_ += bytes;
    return data;
  }

  bool Free(void* data, MemoryKind kind, MemoryKind other_kind) {
    const auto found = live_.find(static_cast<unsigned char*>(data));
    if (found == live_.end()) return false;
    const DeviceAllocation a = found->second;
    if (a.kind != kind && a.kind != other_kind) return false;
    CheckGuards(a, "it was freed");
    live_.erase(found);
    if (!Owned(a.kind)) return true;
    if (a.kind != MemoryKind::pinned) device_bytes_ -= a.bytes;
    if constexpr (kExact) {
      std::free(a.data);
    } else {
      Retire(a);
    }
    return true;
  }

  void FreeAll() {
    for (auto next = live_.begin(); next != live_.end();) {
      const DeviceAllocation a = (next++)->second;
      if (Owned(a.kind)) Free(a.data, a.kind, a.kind);
    }
  }

  bool Know(const DeviceAllocation& a) {
    const auto after = live_.lower_bound(a.data);
    if (after != live_.end() && after->second.data < a.data + a.bytes) {
      return after->second.data == a.data && after->second.bytes == a.bytes &&
             after->second.kind == a.kind;
    }
    if (after != live_.begin()) {
      const DeviceAllocation& before = std::prev(after)->second;
      if (a.data < before.data + before.bytes) return false;
    }
    live_.emplace(a.data, a);
    return true;
  }

  bool Find(const unsigned char* address, DeviceAllocation& result, bool& near_allocation) const {
    near_allocation = false;
    const auto after = live_.upper_bound(const_cast<unsigned char*>(address));
    if (after != live_.begin()) {
      const DeviceAllocation& a = std::prev(after)->second;
      result = a;
      if (address < a.data + a.bytes) return true;
      near_allocation = !kExact && Owned(a.kind) && address < a.data + a.bytes + kGuardBytes;
    }
    if (after != live_.end() && !kExact && Owned(after->second.kind)) {
      near_allocation |= address >= after->second.data - kGuardBytes;
    }
    for (const DeviceAllocation& freed : freed_) {
      near_allocation |= address >= freed.data && address < freed.data + freed.bytes;
    }
    return false;
  }

  void Check(const char* when) const {
    if constexpr (kExact) return;
    for (const auto& [data, allocation] : live_) CheckGuards(allocation, when);
    for (const DeviceAllocation& freed : freed_) CheckFreed(freed, kFreedBytesLookedAt, when);
  }

  void CheckAll(const char* when) const {
    Check(when);
    for (const DeviceAllocation& freed : freed_) CheckFreed(freed, SIZE_MAX, when);
  }

  size_t device_bytes() const { return device_bytes_; }
  const std::map<unsigned char*, DeviceAllocation>& live() const { return live_; }

 private:
  static void CheckGuards(const DeviceAllocation& a, const char* when) {
    if (kExact || !Owned(a.kind)) return;
    const auto end = static_cast<long long>(a.bytes);
    if (const Damage d = DamageOf(a.data + a.bytes, kGuardBytes)) {
      Report("past the end of", a, end + static_cast<long long>(d.begin),
             end + static_cast<long long>(d.end) - 1, when);
    }
    if (const Damage d = DamageOf(a.data - kGuardBytes, kGuardBytes)) {
      const auto guard = static_cast<long long>(kGuardBytes);
      Report("before the start of", a, static_cast<long long>(d.begin) - guard,
             static_cast<long long>(d.end) - guard - 1, when);
    }
  }

  static void CheckFreed(const DeviceAllocation& a, size_t bytes, const char* when) {
    if (const Damage d = DamageOf(a.data, bytes < a.bytes ? bytes : a.bytes)) {
      Report("to freed", a, static_cast<long long>(d.begin), static_cast<long long>(d.end) - 1,
             when);
    }
  }

  void Retire(const DeviceAllocation& a) {
    if (a.bytes > kMaxFreedBytes) {
      std::free(a.data - kGuardBytes);
      return;
    }
    FillWithPattern(a.data, a.bytes);
    MarkUnwritten(a.data, a.bytes);
    freed_.push_back(a);
    freed_bytes_ += a.bytes;
    while (freed_.size() > kMaxFreedBlocks || freed_bytes_ > kMaxFreedBytes) {
      const DeviceAllocation oldest = freed_.front();
      CheckFreed(oldest, SIZE_MAX, "another allocation was freed");
      freed_.pop_front();
      freed_bytes_ -= oldest.bytes;
      std::free(oldest.data - kGuardBytes);
    }
  }

  std::map<unsigned char*, DeviceAllocation> live_;
  std::deque<DeviceAllocation> freed_;  // oldest first
  size_t freed_bytes_ = 0;
  size_t device_bytes_ = 0;
};

constinit std::mutex mutex;
constinit std::atomic<bool> used = false;  // spares a launch the lock where nothing was allocated

// Never destroyed: destructors of the program's statics may still free.
DeviceMemory& Memory() {
  static auto* const memory = new DeviceMemory;
  used.store(true, std::memory_order_relaxed);
  return *memory;
}

struct CheckAtExit {
  ~CheckAtExit() {
    if (!used) return;
    const std::lock_guard lock(mutex);
    Memory().CheckAll("the program ended");
  }
} check_at_exit;

}  // namespace

void* AllocateDeviceMemory(size_t bytes, MemoryKind kind, const char* function, Site where) {
  const std::lock_guard lock(mutex);
  return Memory().Allocate(bytes, kind, function, where);
}

bool FreeDeviceMemory(void* data, MemoryKind kind, MemoryKind other_kind) {
  const std::lock_guard lock(mutex);
  return Memory().Free(data, kind, other_kind);
}

void FreeAllDeviceMemory() {
  const std::lock_guard lock(mutex);
  Memory().FreeAll();
}

bool KnowMemory(void* data, size_t bytes, MemoryKind kind, const char* function, Site where) {
  const std::lock_guard lock(mutex);
  return Memory().Know({static_cast<unsigned char*>(data), bytes, kind, function, where});
}

bool FindDeviceMemory(const void* address, DeviceAllocation& found, bool& near_allocation) {
  const std::lock_guard lock(mutex);
  DeviceAllocation range{};
  bool is_near = false;
  const bool inside = Memory().Find(static_cast<const unsigned char*>(address), range, is_near);
  Give(&found, range);
  Give(&near_allocation, is_near);
  return inside;
}

size_t DeviceBytesInUse() {
  const std::lock_guard lock(mutex);
  return Memory().device_bytes();
}

void CheckDeviceMemory(const char* when) {
  if (!used.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex);
  Memory().Check(when);
}

void VisitDeviceAllocations(void (*visit)(const DeviceAllocation&, void*), void* context) {
  if (!used.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex);
  for (const auto& [data, allocation] : Memory().live()) {
    DeviceAllocation given;
    Give(&given, allocation);
    visit(given, context);
  }
}

}  // namespace host_build
}  // namespace padproof::simt
