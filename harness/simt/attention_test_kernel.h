// A whole kernel for the tests of the SIMT layer: tiled online-softmax attention, plain CUDA with
// raw, macro and dynamic shared memory, barriers, shuffles and 16-bit storage. It also compiles
// with nvcc.

#pragma once

#include "harness/simt/simt.h"

namespace padproof::simt_test {
namespace {

template <class T>
__device__ __forceinline__ float Load(T value) {
  return static_cast<float>(value);
}

template <class T>
__device__ __forceinline__ T Store(float value) {
  return static_cast<T>(value);
}

__device__ __forceinline__ float WarpMax(float value) {
  for (int m = 16; m != 0; m >>= 1) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, m));
  return value;
}

__device__ __forceinline__ float WarpSum(float value) {
  for (int m = 16; m != 0; m >>= 1) value += __shfl_xor_sync(0xffffffffu, value, m);
  return value;
}

constexpr int kTileQ = 16;
constexpr int kTileK = 32;
constexpr int kThreads = 128;

/// q, k, v, o: [heads, seqlen, D]; one length of real keys for all heads.
template <class T>
struct AttentionTensors {
  const T* q;
  const T* k;
  const T* v;
  T* o;
  int heads, seqlen_q, seqlen_k, real_k;
  float scale;
};

template <class T, int D>
__global__ void __launch_bounds__(kThreads) AttentionKernel(AttentionTensors<T> t) {
  constexpr int kRows = kTileQ / (kThreads / 32);
  constexpr int kColumns = D / 32;
  __shared__ float tile_k[kTileK][D + 1];
  __shared__ float tile_q[kTileQ][D];
  SIMT_SHARED(tile_v, float[kTileK][D]);
  SIMT_DYNAMIC_SHARED(float, tile_p);
  const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5;
  const int first_row = blockIdx.x * kTileQ;
  const T* q = t.q + static_cast<size_t>(blockIdx.y) * t.seqlen_q * D;
  const T* k = t.k + static_cast<size_t>(blockIdx.y) * t.seqlen_k * D;
  const T* v = t.v + static_cast<size_t>(blockIdx.y) * t.seqlen_k * D;

  for (int i = tid; i < kTileQ * D; i += kThreads) {
    const int row = i / D, d = i % D;
    tile_q[row][d] = first_row + row < t.seqlen_q ? Load(q[(first_row + row) * D + d]) : 0.0f;
  }
  float row_max[kRows], row_sum[kRows], acc[kRows][kColumns];
  for (int r = 0; r < kRows; r++) {
    row_max[r] = -INFINITY;
    row_sum[r] = 0.0f;
    for (int d = 0; d < kColumns; d++) acc[r][d] = 0.0f;
  }
  for (int k0 = 0; k0 < t.real_k; k0 += kTileK) {
    __syncthreads();
    for (int i = tid; i < kTileK * D; i += kThreads) {
      const int j = i / D, d = i % D;
      const bool real = k0 + j < t.real_k;
      tile_k[j][d] = real ? Load(k[(k0 + j) * D + d]) : 0.0f;
      tile_v[j][d] = real ? Load(v[(k0 + j) * D + d]) : 0.0f;
    }
    __syncthreads();
    for (int r = 0; r < kRows; r++) {
      const int row = warp * kRows + r;
      float score = 0.0f;
      for (int d = 0; d < D; d++) score += tile_q[row][d] * tile_k[lane][d];
      score = k0 + lane < t.real_k ? score * t.scale : -INFINITY;
      const float new_max = fmaxf(row_max[r], WarpMax(score));
      const float p = __expf(score - new_max);
      const float rescale = __expf(row_max[r] - new_max);
      row_sum[r] = row_sum[r] * rescale + WarpSum(p);
      row_max[r] = new_max;
      tile_p[row * kTileK + lane] = p;
      __syncwarp();
      for (int d = 0; d < kColumns; d++) {
        float sum = acc[r][d] * rescale;
        for (int j = 0; j < kTileK; j++) {
          sum += tile_p[row * kTileK + j] * tile_v[j][d * 32 + lane];
        }
        acc[r][d] = sum;
      }
      __syncwarp();
    }
  }
  for (int r = 0; r < kRows; r++) {
    const int row = first_row + warp * kRows + r;
    if (row >= t.seqlen_q) continue;
    const float inverse = row_sum[r] > 0.0f ? 1.0f / row_sum[r] : 0.0f;
    T* out = t.o + (static_cast<size_t>(blockIdx.y) * t.seqlen_q + row) * D;
    for (int d = 0; d < kColumns; d++) out[d * 32 + lane] = Store<T>(acc[r][d] * inverse);
  }
}

template <class T, int D>
cudaError_t Attention(const AttentionTensors<T>& t) {
  const dim3 grid((t.seqlen_q + kTileQ - 1) / kTileQ, t.heads);
  return simt::launch(AttentionKernel<T, D>, grid, dim3(kThreads), kTileQ * kTileK * sizeof(float),
                      nullptr, t);
}

}  // namespace
}  // namespace padproof::simt_test
