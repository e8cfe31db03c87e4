// What the host side knows of device memory: which ranges exist, who allocated them, and whether
// anything was written outside them. Ranges are allocations, registered host memory and device
// variables whose address was asked for.
//
// Under AddressSanitizer (SIMT_ASAN) an allocation is a heap block of its exact size. Elsewhere it
// lies between guard bands, and freed memory is kept for a while, filled with the same pattern: NaN
// in every dtype for who reads it, and a report for who writes it.

#pragma once

#include <cstddef>

#include "harness/simt/runtime.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

enum class MemoryKind {
  device,      // cudaMalloc and its relatives
  managed,     // cudaMallocManaged
  pinned,      // cudaMallocHost, cudaHostAlloc
  registered,  // the caller's, by cudaHostRegister
  variable,    // a __device__ or __constant__ variable
};

struct DeviceAllocation {
  unsigned char* data;
  size_t bytes;
  MemoryKind kind;
  const char* function;  // that made it
  Site where;            // of its caller
};

/// Device memory in all, and the most that one pinned allocation gets; beyond that, allocating is
/// cudaErrorMemoryAllocation. Not the 80 GB of a device: fresh memory is filled, and the machine is
/// to survive it.
inline constexpr size_t kDeviceMemoryBytes = size_t{4} << 30;

/// Memory of `bytes` > 0 at a multiple of 256 bytes, filled with Options::fill, or null. Under
/// MemorySanitizer it is uninitialised to the sanitizer.
void* AllocateDeviceMemory(size_t bytes, MemoryKind kind, const char* function, Site where);

/// False unless `data` is the start of a live range of `kind` (or of `other_kind`).
bool FreeDeviceMemory(void* data, MemoryKind kind, MemoryKind other_kind);
void FreeAllDeviceMemory();

/// Adds memory that exists anyway. False if it overlaps a known range, unless it equals that range.
bool KnowMemory(void* data, size_t bytes, MemoryKind kind, const char* function, Site where);

/// Copies the range that `address` lies in. False if none: then it is the host's, unless
/// `near_allocation`: it lies in a guard band or in freed memory.
bool FindDeviceMemory(const void* address, DeviceAllocation& found, bool& near_allocation);

size_t DeviceBytesInUse();

/// Aborts with a report if anything was written outside live device memory. The runtime calls it at
/// the end of each launch, and exit does; `when` completes "found when ...".
void CheckDeviceMemory(const char* when);

void VisitDeviceAllocations(void (*visit)(const DeviceAllocation&, void*), void* context);

/// Calls `callback` with each live range, by address. It must not allocate or free device memory.
template <class Callback>
void ForEachDeviceAllocation(Callback callback) {
  VisitDeviceAllocations([](const DeviceAllocation& allocation,
                            void* context) { (*static_cast<Callback*>(context))(allocation); },
                         &callback);
}

}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
