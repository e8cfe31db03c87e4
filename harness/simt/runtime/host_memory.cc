// Allocating, copying and setting device memory: which pointers and ranges a device would take.
// The bytes move through memmove and memset, which every sanitizer intercepts.

#include <cstdint>
#include <cstring>

#include "harness/simt/host_api.h"
#include "harness/simt/runtime/give.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

static_assert(cudaDeviceProp{}.totalGlobalMem == kDeviceMemoryBytes);

enum class Side { host, device, any };

/// One end of a copy: `rows` rows of `width` bytes, `pitch` bytes from one to the next.
struct Area {
  const void* start;
  size_t pitch;
  size_t width;
  size_t rows;
};

bool IsDevices(MemoryKind kind) {
  return kind == MemoryKind::device || kind == MemoryKind::variable;
}

/// Whether the area is memory of that side. Pinned and managed memory is of both.
bool Fits(const Area& area, Side side) {
  DeviceAllocation allocation;
  bool near_allocation = false;
  if (!FindDeviceMemory(area.start, allocation, near_allocation)) {
    return area.start != nullptr && side != Side::device && !near_allocation;
  }
  if (side == Side::host && IsDevices(allocation.kind)) return false;
  const auto offset =
      static_cast<size_t>(static_cast<const unsigned char*>(area.start) - allocation.data);
  const size_t room = allocation.bytes - offset;
  if (area.width > room) return false;
  return area.rows == 1 || area.pitch <= (room - area.width) / (area.rows - 1);
}

cudaError_t SidesOf(cudaMemcpyKind kind, Side& to, Side& from) {
  switch (kind) {
    case cudaMemcpyHostToHost:
      to = from = Side::host;
      return cudaSuccess;
    case cudaMemcpyHostToDevice:
      to = Side::device, from = Side::host;
      return cudaSuccess;
    case cudaMemcpyDeviceToHost:
      to = Side::host, from = Side::device;
      return cudaSuccess;
    case cudaMemcpyDeviceToDevice:
      to = from = Side::device;
      return cudaSuccess;
    case cudaMemcpyDefault:
      to = from = Side::any;
      return cudaSuccess;
  }
  return cudaErrorInvalidMemcpyDirection;
}

cudaError_t Copy(const Area& to, const Area& from, cudaMemcpyKind kind, cudaStream_t stream) {
  if (const cudaError_t error = CheckStream(stream); error != cudaSuccess) return error;
  Side to_side, from_side;
  if (const cudaError_t error = SidesOf(kind, to_side, from_side); error != cudaSuccess) {
    return Record(error);
  }
  if (to.width == 0 || to.rows == 0) return cudaSuccess;
  if (!Fits(to, to_side) || !Fits(from, from_side)) return Record(cudaErrorInvalidValue);
  auto* into = static_cast<unsigned char*>(const_cast<void*>(to.start));
  const auto* out_of = static_cast<const unsigned char*>(from.start);
  for (size_t row = 0; row < to.rows; row++) {
    std::memmove(into + row * to.pitch, out_of + row * from.pitch, to.width);
  }
  return cudaSuccess;
}

cudaError_t Set(const Area& to, int value, cudaStream_t stream) {
  if (const cudaError_t error = CheckStream(stream); error != cudaSuccess) return error;
  if (to.width == 0 || to.rows == 0) return cudaSuccess;
  if (!Fits(to, Side::device)) return Record(cudaErrorInvalidValue);
  auto* into = static_cast<unsigned char*>(const_cast<void*>(to.start));
  for (size_t row = 0; row < to.rows; row++) std::memset(into + row * to.pitch, value, to.width);
  return cudaSuccess;
}

/// Whether `count` bytes at `offset` of a symbol may be copied to or from `other`, which is the
/// host's if `kind` is `with_host`.
cudaError_t CheckSymbolCopy(const void* other, size_t symbol_bytes, size_t count, size_t offset,
                            cudaMemcpyKind kind, cudaMemcpyKind with_host, cudaStream_t stream) {
  if (const cudaError_t error = CheckStream(stream); error != cudaSuccess) return error;
  if (kind != with_host && kind != cudaMemcpyDeviceToDevice && kind != cudaMemcpyDefault) {
    return Record(cudaErrorInvalidMemcpyDirection);
  }
  const Side side = kind == with_host           ? Side::host
                    : kind == cudaMemcpyDefault ? Side::any
                                                : Side::device;
  const bool within = offset <= symbol_bytes && count <= symbol_bytes - offset;
  if (within && (count == 0 || Fits({other, count, count, 1}, side))) return cudaSuccess;
  return Record(cudaErrorInvalidValue);
}

}  // namespace

namespace host_api {

cudaError_t Allocate(void** pointer, size_t bytes, MemoryKind kind, const char* function,
                     Site where) {
  void* data = nullptr;
  if (bytes != 0) {
    data = AllocateDeviceMemory(bytes, kind, function, where);
    if (data == nullptr) return Record(cudaErrorMemoryAllocation);
  }
  Give(pointer, data);
  return cudaSuccess;
}

cudaError_t Free(void* pointer, MemoryKind kind, MemoryKind other_kind) {
  if (pointer == nullptr || FreeDeviceMemory(pointer, kind, other_kind)) return cudaSuccess;
  return Record(cudaErrorInvalidValue);
}

cudaError_t Copy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                   size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  if (to_pitch < width || from_pitch < width) return Record(cudaErrorInvalidPitchValue);
  return Copy({to, to_pitch, width, height}, {from, from_pitch, width, height}, kind, stream);
}

cudaError_t Set2D(void* to, size_t pitch, int value, size_t width, size_t height,
                  cudaStream_t stream) {
  if (pitch < width) return Record(cudaErrorInvalidValue);
  return Set({to, pitch, width, height}, value, stream);
}

cudaError_t CopyToSymbol(const void* symbol, size_t symbol_bytes, const void* from, size_t count,
                         size_t offset, cudaMemcpyKind kind, cudaStream_t stream) {
  const cudaError_t error =
      CheckSymbolCopy(from, symbol_bytes, count, offset, kind, cudaMemcpyHostToDevice, stream);
  if (error != cudaSuccess || count == 0) return error;
  std::memmove(static_cast<unsigned char*>(const_cast<void*>(symbol)) + offset, from, count);
  return cudaSuccess;
}

cudaError_t CopyFromSymbol(void* to, const void* symbol, size_t symbol_bytes, size_t count,
                           size_t offset, cudaMemcpyKind kind, cudaStream_t stream) {
  const cudaError_t error =
      CheckSymbolCopy(to, symbol_bytes, count, offset, kind, cudaMemcpyDeviceToHost, stream);
  if (error != cudaSuccess || count == 0) return error;
  std::memmove(to, static_cast<const unsigned char*>(symbol) + offset, count);
  return cudaSuccess;
}

void KnowSymbol(const void* symbol, size_t bytes, Site where) {
  KnowMemory(const_cast<void*>(symbol), bytes, MemoryKind::variable, "cudaGetSymbolAddress", where);
}

}  // namespace host_api

inline namespace toolkit_names {

cudaError_t cudaFree(void* pointer) {
  return host_api::Free(pointer, MemoryKind::device, MemoryKind::managed);
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  if (const cudaError_t error = CheckStream(stream); error != cudaSuccess) return error;
  return host_api::Free(pointer, MemoryKind::device, MemoryKind::device);
}

cudaError_t cudaFreeHost(void* pointer) {
  return host_api::Free(pointer, MemoryKind::pinned, MemoryKind::pinned);
}

cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned flags, Site where) {
  if (pointer == nullptr || bytes == 0 || flags > 15) return Record(cudaErrorInvalidValue);
  DeviceAllocation known;
  bool near_allocation = false;
  if (FindDeviceMemory(pointer, known, near_allocation) ||
      !KnowMemory(pointer, bytes, MemoryKind::registered, "cudaHostRegister", where)) {
    return Record(cudaErrorHostMemoryAlreadyRegistered);
  }
  return cudaSuccess;
}

cudaError_t cudaHostUnregister(void* pointer) {
  if (FreeDeviceMemory(pointer, MemoryKind::registered, MemoryKind::registered)) return cudaSuccess;
  return Record(cudaErrorHostMemoryNotRegistered);
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  if (attributes == nullptr) return Record(cudaErrorInvalidValue);
  DeviceAllocation known;
  bool near_allocation = false;
  void* const address = const_cast<void*>(pointer);
  cudaPointerAttributes result{cudaMemoryTypeUnregistered, -2, nullptr, address};
  if (FindDeviceMemory(pointer, known, near_allocation)) {
    result = {cudaMemoryTypeHost, 0, address, address};
    if (IsDevices(known.kind)) result = {cudaMemoryTypeDevice, 0, address, nullptr};
    if (known.kind == MemoryKind::managed) result.type = cudaMemoryTypeManaged;
  }
  Give(attributes, result);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  if (free_bytes == nullptr || total_bytes == nullptr) return Record(cudaErrorInvalidValue);
  Give(free_bytes, kDeviceMemoryBytes - DeviceBytesInUse());
  Give(total_bytes, kDeviceMemoryBytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t count, cudaMemcpyKind kind) {
  return Copy({to, count, count, 1}, {from, count, count, 1}, kind, nullptr);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t count, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return Copy({to, count, count, 1}, {from, count, count, 1}, kind, stream);
}

cudaError_t cudaMemset(void* to, int value, size_t count) {
  return Set({to, count, count, 1}, value, nullptr);
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t count, cudaStream_t stream) {
  return Set({to, count, count, 1}, value, stream);
}

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
