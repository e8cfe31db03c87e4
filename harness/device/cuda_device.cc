// The CUDA runtime behind the harness's table: linked into each plugin of kernels built by nvcc.

#include <cuda_runtime_api.h>

#include <cstdio>

#include "harness/device/device.h"

namespace padproof {
namespace {

/// What a machine without a usable device answers; anything else is a device that does not work.
bool MeansNoDevice(cudaError_t error) {
  return error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver ||
         error == cudaErrorStubLibrary;
}

int32_t Start(int32_t* devices) {
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  *devices = 0;
  if (MeansNoDevice(error)) {
    (void)cudaGetLastError();
    return cudaSuccess;
  }
  if (error != cudaSuccess) return error;
  *devices = count;
  if (count == 0) return cudaSuccess;
  error = cudaSetDevice(0);
  if (error == cudaSuccess) error = cudaFree(nullptr);  // makes the context
  return error;
}

const char* DescribeDevice() {
  static char text[512];
  cudaDeviceProp device{};
  int driver = 0, runtime = 0;
  if (cudaGetDeviceProperties(&device, 0) != cudaSuccess) return "a device that has no properties";
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  std::snprintf(text, sizeof text, "%s, sm_%d%d, driver for CUDA %d.%d, runtime %d.%d", device.name,
                device.major, device.minor, driver / 1000, driver % 1000 / 10, runtime / 1000,
                runtime % 1000 / 10);
  return text;
}

int32_t Allocate(void** data, size_t bytes) { return cudaMalloc(data, bytes); }
int32_t Release(void* data) { return cudaFree(data); }
int32_t Upload(void* device, const void* host, size_t bytes) {
  const cudaError_t error = cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice);
  // From pageable memory the copy may return before it is done, and kernels may use any stream.
  return error != cudaSuccess ? error : cudaDeviceSynchronize();
}
int32_t Download(void* host, const void* device, size_t bytes) {
  return cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost);
}
int32_t Synchronise() { return cudaDeviceSynchronize(); }
int32_t TakeError() { return cudaGetLastError(); }
const char* ErrorName(int32_t error) { return cudaGetErrorName(static_cast<cudaError_t>(error)); }

constexpr DeviceTable kCuda{Start,    DescribeDevice, Allocate,  Release,  Upload,
                            Download, Synchronise,    TakeError, ErrorName};

}  // namespace

KernelRow OnDevice(KernelRow row) {
  row.device = &kCuda;
  return row;
}

}  // namespace padproof
