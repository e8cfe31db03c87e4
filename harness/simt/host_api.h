// The host side of CUDA's runtime API under the toolkit's names, for the code around a kernel.
// Included by simt.h; the functions are in runtime/host_*.cc.
//
// Everything is done when the call returns, so streams and events order nothing: a missing
// synchronisation shows nowhere. What a device refuses is refused with the device's code: wrong
// ranges and directions, foreign or freed pointers, destroyed handles. What a device leaves
// undefined is refused too. A kernel's own errors abort instead of becoming sticky codes.
//
// Types of the toolkit that only carry numbers are in host_api_types.h.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "harness/simt/errors.h"
#include "harness/simt/host_api_types.h"
#include "harness/simt/runtime.h"
#include "harness/simt/runtime/device_memory.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

/// Notes a failure for cudaGetLastError; returns `error`.
cudaError_t Record(cudaError_t error);

/// cudaErrorInvalidResourceHandle for a stream that is destroyed or never was.
cudaError_t CheckStream(cudaStream_t stream);

namespace host_api {
cudaError_t Allocate(void** pointer, size_t bytes, MemoryKind kind, const char* function,
                     Site where);
cudaError_t Free(void* pointer, MemoryKind kind, MemoryKind other_kind);
cudaError_t Copy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                   size_t height, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t Set2D(void* to, size_t pitch, int value, size_t width, size_t height,
                  cudaStream_t stream);
cudaError_t CopyToSymbol(const void* symbol, size_t symbol_bytes, const void* from, size_t count,
                         size_t offset, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t CopyFromSymbol(void* to, const void* symbol, size_t symbol_bytes, size_t count,
                           size_t offset, cudaMemcpyKind kind, cudaStream_t stream);
void KnowSymbol(const void* symbol, size_t bytes, Site where);
cudaError_t SetFunctionAttribute(const void* kernel, cudaFuncAttribute attribute, int value);
cudaError_t GetFunctionAttributes(cudaFuncAttributes* attributes, const void* kernel);
cudaError_t MaxActiveBlocks(int* blocks, const void* kernel, int threads, size_t dynamic_bytes);

template <class T>
const void* Address(T* kernel) {
  return reinterpret_cast<const void*>(kernel);
}

/// Out-parameters are written here, in code that sanitizers see.
template <class T>
cudaError_t AllocateAs(T** pointer, size_t bytes, MemoryKind kind, const char* function,
                       Site where) {
  if (pointer == nullptr) return Record(cudaErrorInvalidValue);
  void* data = nullptr;
  const cudaError_t error = Allocate(&data, bytes, kind, function, where);
  if (error == cudaSuccess) *pointer = static_cast<T*>(data);
  return error;
}
}  // namespace host_api

inline namespace toolkit_names {

// ---- errors, of the calling host thread ---------------------------------------------------------

const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();  // and resets it
cudaError_t cudaPeekAtLastError();

// ---- the device: one, with the limits of an H100 ------------------------------------------------

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDeviceSynchronize();
/// Frees what was allocated and destroys streams and events. Device variables keep their values,
/// and kernels what cudaFuncSetAttribute allowed them.
cudaError_t cudaDeviceReset();
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest);
cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache config);  // a hint, here as there
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes);

// ---- memory -------------------------------------------------------------------------------------

// Zero bytes give null. Fresh memory holds Options::fill.
template <class T>
cudaError_t cudaMalloc(T** pointer, size_t bytes, Site where = Site::current()) {
  return host_api::AllocateAs(pointer, bytes, MemoryKind::device, "cudaMalloc", where);
}
template <class T>
cudaError_t cudaMallocAsync(T** pointer, size_t bytes, cudaStream_t stream,
                            Site where = Site::current()) {
  if (const cudaError_t error = CheckStream(stream); error != cudaSuccess) return error;
  return host_api::AllocateAs(pointer, bytes, MemoryKind::device, "cudaMallocAsync", where);
}
template <class T>
cudaError_t cudaMallocManaged(T** pointer, size_t bytes, unsigned flags = cudaMemAttachGlobal,
                              Site where = Site::current()) {
  if (bytes == 0 || (flags != cudaMemAttachGlobal && flags != cudaMemAttachHost)) {
    return Record(cudaErrorInvalidValue);
  }
  return host_api::AllocateAs(pointer, bytes, MemoryKind::managed, "cudaMallocManaged", where);
}
template <class T>
cudaError_t cudaHostAlloc(T** pointer, size_t bytes, unsigned flags, Site where = Site::current()) {
  if (flags > 7) return Record(cudaErrorInvalidValue);
  return host_api::AllocateAs(pointer, bytes, MemoryKind::pinned, "cudaHostAlloc", where);
}
template <class T>
cudaError_t cudaMallocHost(T** pointer, size_t bytes, unsigned flags = cudaHostAllocDefault,
                           Site where = Site::current()) {
  if (flags > 7) return Record(cudaErrorInvalidValue);
  return host_api::AllocateAs(pointer, bytes, MemoryKind::pinned, "cudaMallocHost", where);
}
/// `pitch`: bytes from row to row, a multiple of 512.
template <class T>
cudaError_t cudaMallocPitch(T** pointer, size_t* pitch, size_t width, size_t height,
                            Site where = Site::current()) {
  const size_t row = (width + 511) / 512 * 512;
  if (pitch == nullptr) return Record(cudaErrorInvalidValue);
  if (row < width || (height != 0 && row > SIZE_MAX / height)) {
    return Record(cudaErrorMemoryAllocation);
  }
  const cudaError_t error =
      host_api::AllocateAs(pointer, row * height, MemoryKind::device, "cudaMallocPitch", where);
  if (error == cudaSuccess) *pitch = row;
  return error;
}

// Null is fine. What is not the start of a live allocation is cudaErrorInvalidValue.
cudaError_t cudaFree(void* pointer);
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream);
cudaError_t cudaFreeHost(void* pointer);

cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned flags,
                             Site where = Site::current());
cudaError_t cudaHostUnregister(void* pointer);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer);
template <class T>
cudaError_t cudaHostGetDevicePointer(T** device, void* host, unsigned flags) {
  cudaPointerAttributes attributes;
  if (device == nullptr || flags != 0 ||
      cudaPointerGetAttributes(&attributes, host) != cudaSuccess ||
      attributes.type != cudaMemoryTypeHost) {
    return Record(cudaErrorInvalidValue);
  }
  *device = static_cast<T*>(host);
  return cudaSuccess;
}

// ---- copies: each device side lies in one allocation, each host side in none of the device's ----

cudaError_t cudaMemcpy(void* to, const void* from, size_t count, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t count, cudaMemcpyKind kind,
                            cudaStream_t stream = nullptr);
cudaError_t cudaMemset(void* to, int value, size_t count);
cudaError_t cudaMemsetAsync(void* to, int value, size_t count, cudaStream_t stream = nullptr);

// `width` and pitches in bytes; a pitch below `width` is cudaErrorInvalidPitchValue to a copy.
inline cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                                size_t width, size_t height, cudaMemcpyKind kind) {
  return host_api::Copy2D(to, to_pitch, from, from_pitch, width, height, kind, nullptr);
}
inline cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                                     size_t width, size_t height, cudaMemcpyKind kind,
                                     cudaStream_t stream = nullptr) {
  return host_api::Copy2D(to, to_pitch, from, from_pitch, width, height, kind, stream);
}
inline cudaError_t cudaMemset2D(void* to, size_t pitch, int value, size_t width, size_t height) {
  return host_api::Set2D(to, pitch, value, width, height, nullptr);
}
inline cudaError_t cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height,
                                     cudaStream_t stream = nullptr) {
  return host_api::Set2D(to, pitch, value, width, height, stream);
}

// ---- device variables. A host variable passes for one: cudaErrorInvalidSymbol never comes --

template <class T>
cudaError_t cudaMemcpyToSymbol(const T& symbol, const void* from, size_t count, size_t offset = 0,
                               cudaMemcpyKind kind = cudaMemcpyHostToDevice) {
  return host_api::CopyToSymbol(std::addressof(symbol), sizeof(T), from, count, offset, kind,
                                nullptr);
}
template <class T>
cudaError_t cudaMemcpyToSymbolAsync(const T& symbol, const void* from, size_t count, size_t offset,
                                    cudaMemcpyKind kind, cudaStream_t stream = nullptr) {
  return host_api::CopyToSymbol(std::addressof(symbol), sizeof(T), from, count, offset, kind,
                                stream);
}
template <class T>
cudaError_t cudaMemcpyFromSymbol(void* to, const T& symbol, size_t count, size_t offset = 0,
                                 cudaMemcpyKind kind = cudaMemcpyDeviceToHost) {
  return host_api::CopyFromSymbol(to, std::addressof(symbol), sizeof(T), count, offset, kind,
                                  nullptr);
}
template <class T>
cudaError_t cudaMemcpyFromSymbolAsync(void* to, const T& symbol, size_t count, size_t offset,
                                      cudaMemcpyKind kind, cudaStream_t stream = nullptr) {
  return host_api::CopyFromSymbol(to, std::addressof(symbol), sizeof(T), count, offset, kind,
                                  stream);
}
template <class Pointer, class T>
cudaError_t cudaGetSymbolAddress(Pointer** pointer, const T& symbol, Site where = Site::current()) {
  if (pointer == nullptr) return Record(cudaErrorInvalidValue);
  void* const address = const_cast<std::remove_const_t<T>*>(std::addressof(symbol));
  host_api::KnowSymbol(address, sizeof(T), where);
  *pointer = static_cast<Pointer*>(address);
  return cudaSuccess;
}
template <class T>
cudaError_t cudaGetSymbolSize(size_t* bytes, const T&) {
  if (bytes == nullptr) return Record(cudaErrorInvalidValue);
  *bytes = sizeof(T);
  return cudaSuccess;
}

// ---- streams and events -------------------------------------------------------------------------

cudaError_t cudaStreamCreate(cudaStream_t* stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority);
cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned* flags);
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
/// Calls `function` at once.
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data);

cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
inline cudaError_t cudaEventCreate(cudaEvent_t* event, unsigned flags) {
  return cudaEventCreateWithFlags(event, flags);
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
/// The host's time between both records, never 0: callers divide by it.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end);
cudaError_t cudaEventDestroy(cudaEvent_t event);

// ---- kernels ------------------------------------------------------------------------------------

template <class Function>
cudaError_t cudaFuncSetAttribute(Function* kernel, cudaFuncAttribute attribute, int value) {
  return host_api::SetFunctionAttribute(host_api::Address(kernel), attribute, value);
}
template <class Function>
cudaError_t cudaFuncSetCacheConfig(Function*, cudaFuncCache) {
  return cudaSuccess;
}
template <class Function>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Function* kernel) {
  return host_api::GetFunctionAttributes(attributes, host_api::Address(kernel));
}
/// The least of 32 blocks, 2048 threads in whole warps, and 228 KiB of shared memory, of which a
/// block takes its dynamic bytes and 1 KiB. Registers and static shared memory do not count.
template <class Function>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Function* kernel,
                                                          int threads, size_t dynamic_bytes) {
  return host_api::MaxActiveBlocks(blocks, host_api::Address(kernel), threads, dynamic_bytes);
}
template <class Function>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, Function* kernel,
                                                                   int threads,
                                                                   size_t dynamic_bytes, unsigned) {
  return host_api::MaxActiveBlocks(blocks, host_api::Address(kernel), threads, dynamic_bytes);
}
template <class Function>
cudaError_t cudaOccupancyMaxPotentialBlockSize(int* min_grid, int* threads, Function* kernel,
                                               size_t dynamic_bytes = 0, int limit = 0) {
  if (min_grid == nullptr || threads == nullptr) return Record(cudaErrorInvalidValue);
  const int most = limit > 0 && limit < 1024 ? limit : 1024;
  int blocks = 0;
  const cudaError_t error =
      host_api::MaxActiveBlocks(&blocks, host_api::Address(kernel), most, dynamic_bytes);
  if (error != cudaSuccess) return error;
  *threads = most;
  *min_grid = blocks * kMultiprocessors;
  return cudaSuccess;
}

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
#pragma GCC visibility pop
