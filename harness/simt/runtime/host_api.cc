// The host side of CUDA's runtime API that is about the device, errors and kernels' attributes.

#include "harness/simt/host_api.h"

#include <algorithm>
#include <utility>

#include "harness/simt/runtime/give.h"
#include "harness/simt/runtime/host_streams.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

thread_local cudaError_t last_error = cudaSuccess;

struct ErrorRow {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr ErrorRow kErrors[] = {
#define PADPROOF_SIMT_ERROR(name, number, text) {name, #name, text},
#include "harness/simt/error_codes.inc"
#undef PADPROOF_SIMT_ERROR
};

const ErrorRow* RowOf(cudaError_t error) {
  const auto* row = std::find_if(std::begin(kErrors), std::end(kErrors),
                                 [error](const ErrorRow& r) { return r.error == error; });
  return row == std::end(kErrors) ? nullptr : row;
}

/// -1 for an attribute that does not exist.
int ValueOf(cudaDeviceAttr attribute) {
  const cudaDeviceProp p;
  const std::pair<cudaDeviceAttr, size_t> values[] = {
      {cudaDevAttrMaxThreadsPerBlock, p.maxThreadsPerBlock},
      {cudaDevAttrMaxBlockDimX, p.maxThreadsDim[0]},
      {cudaDevAttrMaxBlockDimY, p.maxThreadsDim[1]},
      {cudaDevAttrMaxBlockDimZ, p.maxThreadsDim[2]},
      {cudaDevAttrMaxGridDimX, p.maxGridSize[0]},
      {cudaDevAttrMaxGridDimY, p.maxGridSize[1]},
      {cudaDevAttrMaxGridDimZ, p.maxGridSize[2]},
      {cudaDevAttrMaxSharedMemoryPerBlock, p.sharedMemPerBlock},
      {cudaDevAttrTotalConstantMemory, p.totalConstMem},
      {cudaDevAttrWarpSize, p.warpSize},
      {cudaDevAttrMaxPitch, p.memPitch},
      {cudaDevAttrMaxRegistersPerBlock, p.regsPerBlock},
      {cudaDevAttrClockRate, p.clockRate},
      {cudaDevAttrTextureAlignment, p.textureAlignment},
      {cudaDevAttrMultiProcessorCount, p.multiProcessorCount},
      {cudaDevAttrKernelExecTimeout, p.kernelExecTimeoutEnabled},
      {cudaDevAttrIntegrated, p.integrated},
      {cudaDevAttrCanMapHostMemory, p.canMapHostMemory},
      {cudaDevAttrComputeMode, p.computeMode},
      {cudaDevAttrConcurrentKernels, p.concurrentKernels},
      {cudaDevAttrEccEnabled, p.ECCEnabled},
      {cudaDevAttrMemoryClockRate, p.memoryClockRate},
      {cudaDevAttrGlobalMemoryBusWidth, p.memoryBusWidth},
      {cudaDevAttrL2CacheSize, p.l2CacheSize},
      {cudaDevAttrMaxThreadsPerMultiProcessor, p.maxThreadsPerMultiProcessor},
      {cudaDevAttrAsyncEngineCount, p.asyncEngineCount},
      {cudaDevAttrUnifiedAddressing, p.unifiedAddressing},
      {cudaDevAttrComputeCapabilityMajor, p.major},
      {cudaDevAttrComputeCapabilityMinor, p.minor},
      {cudaDevAttrStreamPrioritiesSupported, p.streamPrioritiesSupported},
      {cudaDevAttrMaxSharedMemoryPerMultiprocessor, p.sharedMemPerMultiprocessor},
      {cudaDevAttrMaxRegistersPerMultiprocessor, p.regsPerMultiprocessor},
      {cudaDevAttrManagedMemory, p.managedMemory},
      {cudaDevAttrPageableMemoryAccess, p.pageableMemoryAccess},
      {cudaDevAttrConcurrentManagedAccess, p.concurrentManagedAccess},
      {cudaDevAttrCooperativeLaunch, p.cooperativeLaunch},
      {cudaDevAttrMaxSharedMemoryPerBlockOptin, p.sharedMemPerBlockOptin},
      {cudaDevAttrMaxBlocksPerMultiprocessor, p.maxBlocksPerMultiProcessor},
      {cudaDevAttrMaxPersistingL2CacheSize, p.persistingL2CacheMaxSize},
      {cudaDevAttrReservedSharedMemoryPerBlock, p.reservedSharedMemPerBlock},
      {cudaDevAttrMemoryPoolsSupported, p.memoryPoolsSupported},
      {cudaDevAttrClusterLaunch, p.clusterLaunch},
  };
  for (const auto& [known, value] : values) {
    if (known == attribute) return static_cast<int>(value);
  }
  return -1;
}

template <class T>
cudaError_t Answer(T* result, T value) {
  if (result == nullptr) return Record(cudaErrorInvalidValue);
  Give(result, value);
  return cudaSuccess;
}

}  // namespace

cudaError_t Record(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

namespace host_api {

cudaError_t SetFunctionAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (kernel == nullptr) return Record(cudaErrorInvalidDeviceFunction);
  if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize && value >= 0) {
    return Record(SetDynamicSharedLimit(kernel, static_cast<size_t>(value)));
  }
  const bool is_hint = attribute == cudaFuncAttributePreferredSharedMemoryCarveout &&
                       value >= cudaSharedmemCarveoutDefault &&
                       value <= cudaSharedmemCarveoutMaxShared;
  return is_hint ? cudaSuccess : Record(cudaErrorInvalidValue);
}

cudaError_t GetFunctionAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  if (kernel == nullptr) return Record(cudaErrorInvalidDeviceFunction);
  cudaFuncAttributes result{};
  result.maxDynamicSharedSizeBytes = static_cast<int>(DynamicSharedLimit(kernel));
  return Answer(attributes, result);
}

cudaError_t MaxActiveBlocks(int* blocks, const void* kernel, int threads, size_t dynamic_bytes) {
  if (blocks == nullptr || threads <= 0) return Record(cudaErrorInvalidValue);
  if (kernel == nullptr) return Record(cudaErrorInvalidDeviceFunction);
  const cudaDeviceProp p;
  if (threads > p.maxThreadsPerBlock || dynamic_bytes > DynamicSharedLimit(kernel)) {
    return Answer(blocks, 0);
  }
  const int by_threads = p.maxThreadsPerMultiProcessor / ((threads + 31) / 32 * 32);
  const auto by_memory = static_cast<int>(p.sharedMemPerMultiprocessor /
                                          (dynamic_bytes + p.reservedSharedMemPerBlock));
  return Answer(blocks, std::min({p.maxBlocksPerMultiProcessor, by_threads, by_memory}));
}

}  // namespace host_api

inline namespace toolkit_names {

const char* cudaGetErrorName(cudaError_t error) {
  const ErrorRow* row = RowOf(error);
  return row == nullptr ? "unrecognized error code" : row->name;
}

const char* cudaGetErrorString(cudaError_t error) {
  const ErrorRow* row = RowOf(error);
  return row == nullptr ? "unrecognized error code" : row->text;
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaGetDeviceCount(int* count) { return Answer(count, 1); }
cudaError_t cudaGetDevice(int* device) { return Answer(device, 0); }
cudaError_t cudaSetDevice(int device) {
  return device == 0 ? cudaSuccess : Record(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return Record(cudaErrorInvalidDevice);
  return Answer(properties, cudaDeviceProp{});
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device != 0) return Record(cudaErrorInvalidDevice);
  const int known = ValueOf(attribute);
  return known < 0 ? Record(cudaErrorInvalidValue) : Answer(value, known);
}

cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }

cudaError_t cudaDeviceReset() {
  FreeAllDeviceMemory();
  DestroyStreamsAndEvents();
  return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  if (least != nullptr) Give(least, 0);
  if (greatest != nullptr) Give(greatest, kGreatestPriority);
  return cudaSuccess;
}

cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache) { return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return Answer(version, CUDART_VERSION); }
cudaError_t cudaDriverGetVersion(int* version) { return Answer(version, CUDA_VERSION); }

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
