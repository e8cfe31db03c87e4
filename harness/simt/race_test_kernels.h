// Kernels for race_test.cc: right with kRight, else with one race. They also compile with nvcc.

#pragma once

#include "harness/simt/launch_test_util.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

constexpr int kThreads = 64;

struct Buffers {
  int* out;  // 4096 words of zeros
  const int* in;
  __half* half;         // 64 zeros
  unsigned char* mask;  // 64 zeros
  unsigned* counter;    // 16 zeros
};

template <bool kRight>
__global__ void Broadcast(Buffers b) {
  SIMT_SHARED(value, int);
  if (threadIdx.x == 0) value = b.in[blockIdx.x];
  if (kRight) __syncthreads();
  b.out[blockIdx.x * kThreads + threadIdx.x] = value;
}

template <bool kRight>
__global__ void TileReusedTooEarly(Buffers b) {
  __shared__ int tile[kThreads];
  const int t = threadIdx.x;
  int sum = 0;
  for (int round = 0; round < 3; round++) {
    tile[t] = b.in[t] + round;
    __syncthreads();
    sum += tile[(t + 1) % kThreads];
    if (kRight) __syncthreads();
  }
  b.out[blockIdx.x * kThreads + t] = sum;
}

template <bool kRight>
__global__ void DoubleBuffered(Buffers b) {
  SIMT_SHARED(tiles, int[2][kThreads]);
  const int t = threadIdx.x;
  int sum = 0;
  for (int round = 0; round < 6; round++) {
    int* tile = tiles[kRight ? round % 2 : 0];
    tile[t] = b.in[t] + round;
    __syncthreads();
    sum += tile[(t + 33) % kThreads];
  }
  b.out[blockIdx.x * kThreads + t] = sum;
}

template <bool kRight>
__global__ void WarpExchange(Buffers b) {
  SIMT_DYNAMIC_SHARED(int, tile);
  const int t = threadIdx.x;
  tile[t] = b.in[t];
  if (kRight) {
    __syncwarp();
  } else {
    __shfl_sync(kAll, t, 0);  // waits for the warp, but does not order its memory
  }
  b.out[blockIdx.x * kThreads + t] = tile[t ^ 1];
}

template <bool kRight>
__global__ void PartialSyncWarp(Buffers b) {
  SIMT_SHARED(tile, int[kThreads]);
  const int t = threadIdx.x, lane = t % 32;
  tile[t] = t;
  __syncwarp(0xfu << lane / 4 * 4);
  b.out[blockIdx.x * kThreads + t] = tile[kRight ? t ^ 3 : t ^ 4];
}

template <bool kRight>
__global__ void ShuffleReduction(Buffers b) {
  SIMT_SHARED(partial, int[kThreads / 32]);
  const int t = threadIdx.x;
  int sum = b.in[t];
  for (int m = 16; m != 0; m >>= 1) sum += __shfl_xor_sync(kAll, sum, m);
  if (t % 32 == 0) partial[t / 32] = sum;
  if (kRight) __syncthreads();
  if (t == 0) b.out[blockIdx.x] = partial[0] + partial[1];
}

template <bool kRight>
__global__ void Count(Buffers b) {
  SIMT_SHARED(count, int);
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if (kRight) {
    atomicAdd(&count, 1);
  } else {
    count = count + 1;
  }
  __syncthreads();
  b.out[blockIdx.x * kThreads + threadIdx.x] = count;
}

template <bool kRight>
__global__ void ReadsWhatAtomicsCount(Buffers b) {
  SIMT_SHARED(count, int);
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  atomicAdd(&count, 1);
  if (kRight) __syncthreads();
  b.out[blockIdx.x * kThreads + threadIdx.x] = count;
}

template <bool kRight>
__global__ void SameValueByAll(Buffers b) {
  SIMT_SHARED(flag, int);
  if (!kRight || threadIdx.x == 3) flag = 1;
  __syncthreads();
  b.out[blockIdx.x * kThreads + threadIdx.x] = flag;
}

template <bool kRight>
__global__ void BlocksMeetInGlobalMemory(Buffers b) {
  if (threadIdx.x == 0) b.out[kRight ? blockIdx.x : 0] = 1;
}

template <bool kRight>
__global__ void HalvesOfWords(Buffers b) {
  SIMT_SHARED(tile, __half[kThreads]);
  const int t = threadIdx.x;
  if (blockIdx.x != 0) return;
  tile[t] = static_cast<__half>(1.0f);
  b.half[t] = tile[kRight ? t : t ^ 1];
}

template <bool kRight>
__global__ void BytesOfWords(Buffers b) {
  const int t = threadIdx.x;
  if (blockIdx.x != 0) return;
  b.mask[kRight ? t : t / 2] = 1;
}

struct Row {
  int values[5];
};

template <bool kRight>
__global__ void Aggregates(Buffers b) {
  SIMT_SHARED(rows, Row[kThreads]);
  const int t = threadIdx.x;
  rows[t] = *reinterpret_cast<const Row*>(b.in + t % 32);
  if (kRight) __syncthreads();
  const Row neighbour = rows[(t + 1) % kThreads];
  b.out[blockIdx.x * kThreads + t] = neighbour.values[t % 5];
}

template <bool kRight>
__global__ void VectorLoads(Buffers b) {
  SIMT_SHARED(tile, float4[kThreads]);
  const int t = threadIdx.x;
  reinterpret_cast<float*>(tile)[t] = 1.0f;
  if (kRight) __syncthreads();
  const float4 four = tile[t % 16];
  b.out[blockIdx.x * kThreads + t] = static_cast<int>(four.x + four.w);
}

// The sums of the blocks, by the last one to finish. `kBy` is where the fence and the count are.
enum class By { all_fence, one_fences, all_count, no_fence, no_second_barrier };

template <By kBy>
__global__ void SumByLastBlock(Buffers b) {
  SIMT_SHARED(last, bool);
  const int t = threadIdx.x;
  int* partial = b.out + 1024;
  partial[blockIdx.x * kThreads + t] = b.in[t];
  if (kBy == By::all_count) {
    __threadfence();
    const unsigned ticket = atomicAdd(b.counter, 1u);
    if (t == 0) last = false;
    __syncthreads();
    if (ticket == gridDim.x * kThreads - 1) last = true;
  } else {
    if (kBy == By::all_fence) __threadfence();
    __syncthreads();
    if (t == 0) {
      if (kBy == By::one_fences || kBy == By::no_second_barrier) __threadfence();
      last = atomicAdd(b.counter, 1u) == gridDim.x - 1;
    }
  }
  if (kBy != By::no_second_barrier) __syncthreads();
  if (!last) return;
  int sum = 0;
  for (unsigned block = 0; block < gridDim.x; block++) sum += partial[block * kThreads + t];
  b.out[t] = sum;
  if (t == 0) *b.counter = 0;  // ready for the next launch: every block has counted
}

/// The Programming Guide's loop around atomicCAS begins with a plain read.
template <bool kRight>
__global__ void MaximumByCas(Buffers b) {
  const int mine = static_cast<int>(threadIdx.x * 37 % kThreads);
  int old = b.out[0], assumed;
  do {
    assumed = old;
    old = atomicCAS(&b.out[0], assumed, max(mine, assumed));
  } while (old != assumed);
  if (!kRight) b.out[1 + blockIdx.x * kThreads + threadIdx.x] = b.out[0];
}

template <bool kRight>
__global__ void LeavesEarly(Buffers b) {
  SIMT_SHARED(tile, int[kThreads]);
  const int t = threadIdx.x;
  tile[t] = t;
  if (t >= 32) return;
  if (kRight) __syncthreads();
  b.out[blockIdx.x * kThreads + t] = tile[t + 32];
}

}  // namespace
}  // namespace padproof
