// Kernels for the test of MemorySanitizer: each as a broken twin, in which a branch, an address or
// the output depends on memory that nobody wrote, and as a clean one. Instrumented, so no standard
// container is used here. The line that a report must name is marked.

#include <cstdlib>

#include "harness/simt/host_api.h"
#include "harness/simt/pipeline.h"
#include "harness/simt/runtime/sanitizer.h"
#include "harness/simt/simt.h"
#include "harness/simt/unwritten/pair.h"
#include "harness/simt/wmma.h"

namespace padproof::simt_unwritten {
namespace {

constexpr unsigned kBlocks = 2, kThreads = 64, kOutputs = kBlocks * kThreads;
constexpr unsigned kFullWarp = 0xffffffffu;

__device__ unsigned Here() { return blockIdx.x * kThreads + threadIdx.x; }

/// Out of line, so that the `if` before a call stays a branch.
__device__ __attribute__((noinline)) void Note(float* out) { *out += 1.f; }

/// One element more than threads; the last stays unwritten in a broken twin.
template <bool broken, class T>
__device__ void FillTile(T* tile) {
  tile[threadIdx.x] = T(0.f);
  if (!broken && threadIdx.x == 0) tile[kThreads] = T(0.f);
  __syncthreads();
}

// ---- kinds of memory ----------------------------------------------------------------------------

template <bool broken>
__global__ void SharedByMacro(float* out) {
  SIMT_SHARED(tile, float[kThreads + 1]);
  FillTile<broken>(tile);
  out[Here()] = 0.f;
  if (tile[threadIdx.x + 1] > 0.f) Note(&out[Here()]);  // unwritten: shared_by_macro
}

/// Rows 6 and 7 of 8 are pads: their weight is 0, and they are not cleared.
template <bool broken>
__global__ void PadRows(float* out) {
  SIMT_DYNAMIC_SHARED(float, tile);
  if (!broken || threadIdx.x / 8 < 6) tile[threadIdx.x] = 1.f;
  __syncthreads();
  float sum = 0.f;
  for (unsigned r = 0; r < 8; ++r) sum += (r < 6 ? 1.f : 0.f) * tile[r * 8 + threadIdx.x % 8];
  out[Here()] = sum;  // unwritten: pad_rows
}

/// The second block finds what the first one left.
template <bool broken>
__global__ void RawShared(float* out) {
  __shared__ float tile[kThreads];
  if (!broken || blockIdx.x == 0 || threadIdx.x < 32) tile[threadIdx.x] = 1.f;
  __syncthreads();
  out[Here()] = tile[kThreads - 1 - threadIdx.x];  // unwritten: raw_shared
}

/// A broken twin has no store at all: on the host the array is a zero that optimisers know.
template <bool broken>
__global__ void RawSharedNeverWritten(float* out) {
  __shared__ float bias;
  if (!broken && threadIdx.x == 0) bias = 1.f;
  __syncthreads();
  out[Here()] = bias;  // unwritten: raw_shared_never_written
}

template <class T>
__device__ inline T* RawTile() {
  __shared__ T tile[kThreads];
  return tile;
}

template <bool broken>
__global__ void RawSharedOfTemplate(float* out) {
  float* tile = RawTile<float>();
  if (!broken || threadIdx.x != 5) tile[threadIdx.x] = 1.f;
  __syncthreads();
  out[Here()] = tile[kThreads - 1 - threadIdx.x];  // unwritten: raw_shared_of_template
}

/// Past the end of an array there is memory of the runtime, which no kernel has written.
template <bool broken>
__global__ void SharedOverrun(float* out) {
  SIMT_SHARED(tile, float[kThreads]);
  tile[threadIdx.x] = 1.f;
  __syncthreads();
  const float* next = &tile[0] + threadIdx.x + (broken || threadIdx.x + 1 < kThreads ? 1 : 0);
  out[Here()] = *next;  // unwritten: shared_overrun
}

template <bool broken>
__global__ void FreshBuffer(float* out) {
  if (!broken) out[Here()] = 0.f;
  out[Here()] += 1.f;  // unwritten: fresh_buffer
}

template <bool broken>
__global__ void ScaleOnDevice(const float* scale, float* out) {
  out[Here()] = *scale * 2.f;  // unwritten: device_memory
}

/// Device memory that nobody copied to.
template <bool broken>
void DeviceMemory() {
  float *scale = nullptr, *out = nullptr;
  const float one = 1.f;
  float results[kOutputs];
  if (cudaMalloc(&scale, sizeof one) != cudaSuccess) std::abort();
  if (cudaMalloc(&out, sizeof results) != cudaSuccess) std::abort();
  if (!broken) cudaMemcpy(scale, &one, sizeof one, cudaMemcpyHostToDevice);
  simt::launch(ScaleOnDevice<broken>, dim3(kBlocks), dim3(kThreads), 0, nullptr, scale, out);
  cudaMemcpy(results, out, sizeof results, cudaMemcpyDeviceToHost);
  simt::RequireWritten(results, sizeof results);
  if (cudaFree(scale) != cudaSuccess || cudaFree(out) != cudaSuccess) std::abort();
}

template <bool broken>
__global__ void Flag(float* out) {
  SIMT_SHARED(seen, int);
  if (!broken && threadIdx.x == 0) seen = 0;
  __syncthreads();
  if (blockIdx.x == 7) seen = 1;
  __syncthreads();
  out[Here()] = 0.f;
  if (seen) Note(&out[Here()]);  // unwritten: flag
}

template <bool broken>
__global__ void Index(float* out) {
  SIMT_SHARED(order, unsigned[kThreads]);
  if (!broken || threadIdx.x != 40) order[threadIdx.x] = threadIdx.x;
  __syncthreads();
  float* row = &out[blockIdx.x * kThreads];
  row[order[kThreads - 1 - threadIdx.x] % kThreads] = 1.f;  // unwritten: index
}

// ---- 16-bit types -------------------------------------------------------------------------------

template <bool broken>
__global__ void Half(float* out) {
  SIMT_SHARED(tile, __half[kThreads + 1]);
  FillTile<broken>(tile);
  out[Here()] = 0.f;
  if (tile[threadIdx.x + 1] > __half(0.f)) Note(&out[Here()]);  // unwritten: half
}

template <bool broken>
__global__ void Bfloat16(float* out) {
  SIMT_SHARED(tile, __nv_bfloat16[kThreads + 1]);
  FillTile<broken>(tile);
  const __nv_bfloat16 sum = tile[threadIdx.x] + tile[threadIdx.x + 1];  // unwritten: bfloat16
  out[Here()] = __bfloat162float(sum);
}

// ---- collectives --------------------------------------------------------------------------------

template <bool broken>
__global__ void Shuffle(float* out) {
  SIMT_SHARED(tile, float[kThreads + 1]);
  FillTile<broken>(tile);
  const float other = __shfl_xor_sync(kFullWarp, tile[threadIdx.x + 1], 1);
  out[Here()] = other;  // unwritten: shuffle
}

template <bool broken>
__global__ void ShuffleOfSome(float* out) {
  SIMT_SHARED(tile, float[kThreads + 1]);
  FillTile<broken>(tile);
  out[Here()] = 0.f;
  if (threadIdx.x % 32 < 16) return;
  const float other = __shfl_xor_sync(0xffff0000u, tile[threadIdx.x + 1], 1);
  out[Here()] = other;  // unwritten: shuffle_of_some
}

/// Nobody gave lane 31 a value; a device hands out anything.
template <bool broken>
__global__ void AbsentLane(float* out) {
  out[Here()] = 0.f;
  if (threadIdx.x % 32 == 31) return;
  const float next = __shfl_down_sync(0x7fffffffu, 1.f, 1);
  out[Here()] = broken || threadIdx.x % 32 != 30 ? next : 0.f;  // unwritten: absent_lane
}

template <bool broken>
__global__ void Ballot(float* out) {
  SIMT_SHARED(tile, float[kThreads + 1]);
  FillTile<broken>(tile);
  const unsigned votes = __ballot_sync(kFullWarp, tile[threadIdx.x + 1] > 0.f);
  out[Here()] = 0.f;
  if (votes != 0) Note(&out[Here()]);  // unwritten: ballot
}

template <bool broken>
__global__ void Reduce(float* out) {
  SIMT_SHARED(tile, unsigned[kThreads + 1]);
  FillTile<broken>(tile);
  const unsigned sum = __reduce_add_sync(kFullWarp, tile[threadIdx.x + 1]);
  out[Here()] = static_cast<float>(sum);  // unwritten: reduce
}

template <bool broken>
__global__ void BarrierCount(float* out) {
  SIMT_SHARED(tile, float[kThreads + 1]);
  FillTile<broken>(tile);
  const int count = __syncthreads_count(tile[threadIdx.x + 1] > 0.f);  // unwritten: barrier_count
  out[Here()] = static_cast<float>(count);
}

template <bool broken>
__global__ void AtomicCounter(float* out) {
  SIMT_SHARED(counter, unsigned);
  if (!broken && threadIdx.x == 0) counter = 0;
  __syncthreads();
  out[Here()] = 0.f;
  if (atomicAdd(&counter, 1u) == kThreads - 1) Note(&out[Here()]);  // unwritten: atomic_counter
}

// ---- what copies and matrix operations move -----------------------------------------------------

/// The second of two copies has not been waited for.
template <bool broken>
__global__ void AsyncCopy(float* out) {
  SIMT_SHARED(tile, float[2][kThreads]);
  const float one = 1.f;
  __pipeline_memcpy_async(&tile[0][threadIdx.x], &one, sizeof one);
  __pipeline_commit();
  __pipeline_memcpy_async(&tile[1][threadIdx.x], &one, sizeof one);
  __pipeline_commit();
  __pipeline_wait_prior(broken ? 1 : 0);
  out[Here()] = tile[0][threadIdx.x] + tile[1][threadIdx.x];  // unwritten: async_copy
}

/// Row 15 of A was not loaded.
template <bool broken>
__global__ void Matrix(float* out) {
  using namespace nvcuda;
  SIMT_SHARED(a, __half[16 * 16]);
  SIMT_SHARED(c, float[16 * 16]);
  for (unsigned i = threadIdx.x; i < (broken ? 15u : 16u) * 16; i += kThreads) a[i] = __half(1.f);
  __syncthreads();
  if (threadIdx.x < 32) {
    wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::row_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.f);
    wmma::fill_fragment(right, __half(1.f));
    wmma::load_matrix_sync(left, a, 16);
    wmma::mma_sync(sum, left, right, sum);
    wmma::store_matrix_sync(c, sum, 16, wmma::mem_row_major);  // unwritten: matrix
  }
  __syncthreads();
  out[Here()] = c[15 * 16 + threadIdx.x % 16];
}

/// Nothing is unwritten here, but the runtime ends the process with a report of its own, which goes
/// through the C library.
template <bool broken>
__global__ void DivergentBarrier(float* out) {
  out[Here()] = 1.f;
  if (broken && threadIdx.x == 3) __syncthreads();
  __syncthreads();
}

// ---- launches -----------------------------------------------------------------------------------

void Launch(void (*kernel)(float*), size_t dynamic_bytes) {
  constexpr size_t kBytes = kOutputs * sizeof(float);
  auto* out = static_cast<float*>(std::malloc(kBytes));
  const cudaError_t error =
      simt::launch(kernel, dim3(kBlocks), dim3(kThreads), dynamic_bytes, nullptr, out);
  if (out == nullptr || error != cudaSuccess) std::abort();
  simt::RequireWritten(out, kBytes);
  std::free(out);
}

template <void (*broken_kernel)(float*), void (*clean_kernel)(float*), size_t dynamic_bytes = 0>
void Run(bool broken) {
  Launch(broken ? broken_kernel : clean_kernel, dynamic_bytes);
}

}  // namespace

#define PADPROOF_UNWRITTEN_RUN(kernel, ...) Run<kernel<true>, kernel<false>, ##__VA_ARGS__>
const Pair kPairs[] = {
    {"shared_by_macro", "thread (63,0,0) of block (64,1,1)", PADPROOF_UNWRITTEN_RUN(SharedByMacro)},
    {"pad_rows", "", PADPROOF_UNWRITTEN_RUN(PadRows, kThreads * sizeof(float))},
    {"raw_shared", "at offset 256", PADPROOF_UNWRITTEN_RUN(RawShared)},
    {"raw_shared_never_written", "", PADPROOF_UNWRITTEN_RUN(RawSharedNeverWritten)},
    {"raw_shared_of_template", "", PADPROOF_UNWRITTEN_RUN(RawSharedOfTemplate)},
    {"shared_overrun", "", PADPROOF_UNWRITTEN_RUN(SharedOverrun)},
    {"fresh_buffer", "", PADPROOF_UNWRITTEN_RUN(FreshBuffer)},
    {"device_memory", "at offset 0 ",
     [](bool broken) { broken ? DeviceMemory<true>() : DeviceMemory<false>(); }},
    {"flag", "", PADPROOF_UNWRITTEN_RUN(Flag)},
    {"index", "thread (23,0,0) of block (64,1,1)", PADPROOF_UNWRITTEN_RUN(Index)},
    {"half", "", PADPROOF_UNWRITTEN_RUN(Half)},
    {"bfloat16", "", PADPROOF_UNWRITTEN_RUN(Bfloat16)},
    {"shuffle", "at offset 248", PADPROOF_UNWRITTEN_RUN(Shuffle)},
    {"shuffle_of_some", "at offset 248", PADPROOF_UNWRITTEN_RUN(ShuffleOfSome)},
    {"absent_lane", "at offset 120", PADPROOF_UNWRITTEN_RUN(AbsentLane)},
    {"ballot", "", PADPROOF_UNWRITTEN_RUN(Ballot)},
    {"reduce", "at offset 128", PADPROOF_UNWRITTEN_RUN(Reduce)},
    {"barrier_count", "", PADPROOF_UNWRITTEN_RUN(BarrierCount)},
    {"atomic_counter", "", PADPROOF_UNWRITTEN_RUN(AtomicCounter)},
    {"async_copy", "", PADPROOF_UNWRITTEN_RUN(AsyncCopy)},
    {"matrix", "", PADPROOF_UNWRITTEN_RUN(Matrix)},
};
#undef PADPROOF_UNWRITTEN_RUN
const Pair kDivergent{"divergent_barrier", "threads of one block wait at different __syncthreads",
                      Run<DivergentBarrier<true>, DivergentBarrier<false>>};
const size_t kPairCount = sizeof kPairs / sizeof kPairs[0];

}  // namespace padproof::simt_unwritten
