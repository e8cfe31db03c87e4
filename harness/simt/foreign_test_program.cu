// A program as other projects write it: the toolkit's headers, its own check macro, a table in
// constant memory, a counter in device memory. It compiles with nvcc and on the host.

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdio>
#include <vector>

#include "harness/simt/foreign_test_program.h"
#include "harness/simt/simt.h"

#define CHECK(call)                                                                \
  do {                                                                             \
    const cudaError_t error = (call);                                              \
    if (error != cudaSuccess) {                                                    \
      std::printf("%s: %s\n", cudaGetErrorName(error), cudaGetErrorString(error)); \
      return {};                                                                   \
    }                                                                              \
  } while (0)

namespace padproof {
namespace {

__constant__ float factors[2];
__device__ int rows_done;

__device__ __forceinline__ float WarpSum(float x) {
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffff, x, offset);
  return x;
}

/// One warp a row: out[row] = factors[row % 2] * sum of the row.
__global__ void __launch_bounds__(32)
    SumRows(const __half* __restrict__ in, float* out, int columns) {
  const int row = static_cast<int>(blockIdx.x);
  float sum = 0;
  for (int j = static_cast<int>(threadIdx.x); j < columns; j += 32) {
    sum += __half2float(in[row * columns + j]);
  }
  sum = WarpSum(sum);
  if (threadIdx.x == 0) {
    out[row] = factors[row % 2] * sum;
    atomicAdd(&rows_done, 1);
  }
}

}  // namespace

std::vector<float> SumRowsOnDevice(const std::vector<float>& in, int rows, int columns) {
  const std::vector<__half> halves(in.begin(), in.end());
  const float host_factors[] = {1.0f, 10.0f};
  const int none = 0;
  __half* device_in = nullptr;
  float* device_out = nullptr;
  cudaStream_t stream;
  CHECK(cudaStreamCreate(&stream));
  CHECK(cudaMalloc((void**)&device_in, halves.size() * sizeof(__half)));
  CHECK(cudaMalloc(&device_out, rows * sizeof(float)));
  CHECK(cudaMemcpyToSymbol(factors, host_factors, sizeof(host_factors)));
  CHECK(cudaMemcpyToSymbol(rows_done, &none, sizeof(none)));
  CHECK(cudaMemcpyAsync(device_in, halves.data(), halves.size() * sizeof(__half),
                        cudaMemcpyHostToDevice, stream));
  simt::launch(SumRows, rows, 32, 0, stream, device_in, device_out, columns);
  CHECK(cudaGetLastError());
  std::vector<float> out(rows);
  int done = 0;
  CHECK(cudaMemcpyAsync(out.data(), device_out, rows * sizeof(float), cudaMemcpyDeviceToHost,
                        stream));
  CHECK(cudaStreamSynchronize(stream));
  CHECK(cudaMemcpyFromSymbol(&done, rows_done, sizeof(done)));
  CHECK(cudaFree(device_in));
  CHECK(cudaFree(device_out));
  CHECK(cudaStreamDestroy(stream));
  if (done != rows) return {};
  return out;
}

}  // namespace padproof
