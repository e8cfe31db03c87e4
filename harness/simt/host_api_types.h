// The toolkit's structures, enumerations and flags that the host side of the runtime API takes and
// gives. Numbers are the toolkit's. Structures have the members that code reads; their layout is
// not the toolkit's. What only later or earlier toolkits have is here too.

#pragma once

#include <cstddef>

#define CUDART_VERSION 13000
#define CUDA_VERSION 13000
#define CUDART_CB
#define CUDAAPI
#define CUDARTAPI

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {

inline constexpr int kMultiprocessors = 132;

inline namespace toolkit_names {

using cudaEvent_t = struct CUevent_st*;
using cudaHostFn_t = void (*)(void* data);

enum cudaMemcpyKind {
  cudaMemcpyHostToHost = 0,
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3,
  cudaMemcpyDefault = 4,
};

enum cudaMemoryType {
  cudaMemoryTypeUnregistered = 0,
  cudaMemoryTypeHost = 1,
  cudaMemoryTypeDevice = 2,
  cudaMemoryTypeManaged = 3,
};

struct cudaPointerAttributes {
  cudaMemoryType type;
  int device;
  void* devicePointer;
  void* hostPointer;
};

enum cudaFuncAttribute {
  cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
  cudaFuncAttributePreferredSharedMemoryCarveout = 9,
};

enum cudaSharedCarveout {
  cudaSharedmemCarveoutDefault = -1,
  cudaSharedmemCarveoutMaxL1 = 0,
  cudaSharedmemCarveoutMaxShared = 100,
};

enum cudaFuncCache {
  cudaFuncCachePreferNone = 0,
  cudaFuncCachePreferShared = 1,
  cudaFuncCachePreferL1 = 2,
  cudaFuncCachePreferEqual = 3,
};

/// What only a compiler for the device knows is a plausible constant.
struct cudaFuncAttributes {
  size_t sharedSizeBytes = 0;
  size_t constSizeBytes = 0;
  size_t localSizeBytes = 0;
  int maxThreadsPerBlock = 1024;
  int numRegs = 32;
  int ptxVersion = 90;
  int binaryVersion = 90;
  int cacheModeCA = 0;
  int maxDynamicSharedSizeBytes = 48 << 10;
};

enum cudaDeviceAttr {
  cudaDevAttrMaxThreadsPerBlock = 1,
  cudaDevAttrMaxBlockDimX = 2,
  cudaDevAttrMaxBlockDimY = 3,
  cudaDevAttrMaxBlockDimZ = 4,
  cudaDevAttrMaxGridDimX = 5,
  cudaDevAttrMaxGridDimY = 6,
  cudaDevAttrMaxGridDimZ = 7,
  cudaDevAttrMaxSharedMemoryPerBlock = 8,
  cudaDevAttrTotalConstantMemory = 9,
  cudaDevAttrWarpSize = 10,
  cudaDevAttrMaxPitch = 11,
  cudaDevAttrMaxRegistersPerBlock = 12,
  cudaDevAttrClockRate = 13,
  cudaDevAttrTextureAlignment = 14,
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrKernelExecTimeout = 17,
  cudaDevAttrIntegrated = 18,
  cudaDevAttrCanMapHostMemory = 19,
  cudaDevAttrComputeMode = 20,
  cudaDevAttrConcurrentKernels = 31,
  cudaDevAttrEccEnabled = 32,
  cudaDevAttrMemoryClockRate = 36,
  cudaDevAttrGlobalMemoryBusWidth = 37,
  cudaDevAttrL2CacheSize = 38,
  cudaDevAttrMaxThreadsPerMultiProcessor = 39,
  cudaDevAttrAsyncEngineCount = 40,
  cudaDevAttrUnifiedAddressing = 41,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrStreamPrioritiesSupported = 78,
  cudaDevAttrMaxSharedMemoryPerMultiprocessor = 81,
  cudaDevAttrMaxRegistersPerMultiprocessor = 82,
  cudaDevAttrManagedMemory = 83,
  cudaDevAttrPageableMemoryAccess = 88,
  cudaDevAttrConcurrentManagedAccess = 89,
  cudaDevAttrCooperativeLaunch = 95,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
  cudaDevAttrMaxBlocksPerMultiprocessor = 106,
  cudaDevAttrMaxPersistingL2CacheSize = 108,
  cudaDevAttrReservedSharedMemoryPerBlock = 111,
  cudaDevAttrMemoryPoolsSupported = 115,
  cudaDevAttrClusterLaunch = 120,
};

/// The defaults are what cudaGetDeviceProperties gives: an H100's limits, 4 GiB of memory, and no
/// feature that is not emulated. Clocks in kHz, memory in bytes, the bus in bits.
struct cudaDeviceProp {
  char name[256] = "padproof SIMT (host)";
  size_t totalGlobalMem = size_t{4} << 30;
  size_t sharedMemPerBlock = 48 << 10;
  int regsPerBlock = 65536;
  int warpSize = 32;
  size_t memPitch = 0x7fffffff;
  int maxThreadsPerBlock = 1024;
  int maxThreadsDim[3] = {1024, 1024, 64};
  int maxGridSize[3] = {0x7fffffff, 0xffff, 0xffff};
  int clockRate = 1980000;
  size_t totalConstMem = 65536;
  int major = 9;
  int minor = 0;
  size_t textureAlignment = 512;
  size_t texturePitchAlignment = 32;
  int deviceOverlap = 1;
  int multiProcessorCount = kMultiprocessors;
  int kernelExecTimeoutEnabled = 0;
  int integrated = 0;
  int canMapHostMemory = 1;
  int computeMode = 0;
  int concurrentKernels = 1;
  int ECCEnabled = 1;
  int pciBusID = 0;
  int pciDeviceID = 0;
  int pciDomainID = 0;
  int tccDriver = 0;
  int asyncEngineCount = 3;
  int unifiedAddressing = 1;
  int memoryClockRate = 2619000;
  int memoryBusWidth = 5120;
  int l2CacheSize = 50 << 20;
  int persistingL2CacheMaxSize = 0;
  int maxThreadsPerMultiProcessor = 2048;
  int streamPrioritiesSupported = 1;
  int globalL1CacheSupported = 1;
  int localL1CacheSupported = 1;
  size_t sharedMemPerMultiprocessor = 228 << 10;
  int regsPerMultiprocessor = 65536;
  int managedMemory = 1;
  int isMultiGpuBoard = 0;
  int pageableMemoryAccess = 0;
  int concurrentManagedAccess = 1;
  int cooperativeLaunch = 0;
  size_t sharedMemPerBlockOptin = 227 << 10;
  int maxBlocksPerMultiProcessor = 32;
  size_t reservedSharedMemPerBlock = 1024;
  int hostRegisterSupported = 1;
  int memoryPoolsSupported = 1;
  int clusterLaunch = 0;
};

inline constexpr unsigned cudaHostAllocDefault = 0, cudaHostAllocPortable = 1,
                          cudaHostAllocMapped = 2, cudaHostAllocWriteCombined = 4;
inline constexpr unsigned cudaHostRegisterDefault = 0, cudaHostRegisterPortable = 1,
                          cudaHostRegisterMapped = 2, cudaHostRegisterIoMemory = 4,
                          cudaHostRegisterReadOnly = 8;
inline constexpr unsigned cudaMemAttachGlobal = 1, cudaMemAttachHost = 2, cudaMemAttachSingle = 4;
inline constexpr unsigned cudaStreamDefault = 0, cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDefault = 0, cudaEventBlockingSync = 1,
                          cudaEventDisableTiming = 2, cudaEventInterprocess = 4;
inline constexpr unsigned cudaOccupancyDefault = 0, cudaOccupancyDisableCachingOverride = 1;

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt

// Streams that always exist.
#define cudaStreamLegacy (reinterpret_cast<::padproof::simt::cudaStream_t>(1))
#define cudaStreamPerThread (reinterpret_cast<::padproof::simt::cudaStream_t>(2))
#pragma GCC visibility pop
