// Reads and writes outside of objects, misaligned accesses, and values that were never written or
// are left from before: of stacks, shared memory and global memory.

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

constexpr int kThreads = 64;
constexpr int kDim = 32;

/// Runs a kernel (out, in, rows) on three blocks of 64 threads; in is [rows, 32] with 20 rows, out
/// has 64 values a block and starts at zero.
void RunOnRows(void (*kernel)(float* out, const float* in, int rows), size_t dynamic_bytes = 0) {
  constexpr int kRows = 20, kBlocks = 3;
  Buffer<float> in(kRows * kDim), out(kBlocks * kThreads);
  FillWithValues(in, 1);
  out.Zero();
  RequireLaunched(simt::launch(kernel, dim3(kBlocks), dim3(kThreads), dynamic_bytes, nullptr,
                               out.data(), in.data(), kRows));
  Record(out);
}

}  // namespace

namespace visible_overrun {

/// The one kernel here that is not in an anonymous namespace: see what that costs.
template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  __shared__ float row[kThreads];
  const int t = threadIdx.x, shift = in[0] > -2.0f && kBug ? 1 : 0;  // 1 to the compiler unknown
  (&row[0])[t + shift] = in[t];
  __syncthreads();
  out[blockIdx.x * kThreads + t] = t + shift < kThreads ? row[t + shift] : in[t];
}

namespace {

#if defined(__clang__)
constexpr Tool kAsan = Found("global-buffer-overflow");
#else
// No redzone around variables of such templates: AddressSanitizer alone would miss it.
constexpr Tool kAsan = Found("insufficient space");
#endif

SIMT_BUG(
    {.name = "memory/visible_overrun",
     .title = "a raw __shared__ array of a template with external linkage, written past its end",
     .source = "flash-attention #2391 (class)",
     .kind = Kind::memory,
     .clean = [] { RunOnRows(Kernel<false>); },
     .broken = [] { RunOnRows(Kernel<true>); },
     .schedules = UndefinedOutput(kLinkerDecides),
     .runtime = Missed("raw __shared__ arrays are plain static variables here"),
     .asan = kAsan,
     .msan = Undefined(kLinkerDecides),
     .tsan = Undefined(kLinkerDecides),
     .race = Undefined(kLinkerDecides)});

}  // namespace
}  // namespace visible_overrun

namespace {
namespace local_overrun {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int rows) {
  int counts[4] = {};
  for (int row = 0; row < rows; row++) {
    const float x = in[row * kDim + threadIdx.x % kDim];  // in [-1, 1)
    const int bin = static_cast<int>((x + 1.0f) * (kBug ? 2.1f : 2.0f));
    counts[bin]++;
  }
  out[blockIdx.x * kThreads + threadIdx.x] = static_cast<float>(counts[3] * 100 + counts[0]);
}

SIMT_BUG({.name = "memory/local_overrun",
          .title = "a histogram on the thread's stack is written past its end",
          .source = "flash-attention #1830 (class)",
          .kind = Kind::memory,
          .clean = [] { RunOnRows(Kernel<false>); },
          .broken = [] { RunOnRows(Kernel<true>); },
          .schedules = UndefinedOutput(kCompilerDecides),
          .asan = Found("out of bounds|stack-buffer-overflow"),
          .msan = Undefined(kCompilerDecides)});

}  // namespace local_overrun

namespace row_read_past_end {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int rows) {
  const int lane = threadIdx.x % kDim;
  float sum = 0.0f, ahead = in[lane];
  for (int row = 0; row < rows; row++) {
    const float x = ahead;
    if (kBug || row + 1 < rows) ahead = in[(row + 1) * kDim + lane];
    sum += x;
  }
  // The row read ahead last is not used, and that is decided at run time.
  out[blockIdx.x * kThreads + threadIdx.x] = rows < 0 ? ahead : sum;
}

SIMT_BUG({.name = "memory/row_read_past_end",
          .title = "a prefetch reads one row past the end of K and drops it",
          .source = "FlagGems #774, xformers 3e4a1b4b",
          .kind = Kind::memory,
          .clean = [] { RunOnRows(Kernel<false>); },
          .broken = [] { RunOnRows(Kernel<true>); },
          .schedules = All(kHidden),
          // Optimisers make one load of the two, which then has the line of neither.
          .asan = FoundWithoutLine("heap-(buffer-overflow|use-after-free)"),
          .msan = Missed("the row past the end is not used")});

}  // namespace row_read_past_end

namespace misaligned_vector {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int rows) {
  const int lane = threadIdx.x % 4;
  const float* view = in + 1;  // it starts at an odd element
  float sum = 0.0f;
  for (int row = 0; row < rows - 1; row++) {
    const float* x = view + row * kDim + 4 * lane;
    if (kBug) {
      const float4 v = *reinterpret_cast<const float4*>(x);
      sum += v.x + v.y + v.z + v.w;
    } else {
      sum += x[0] + x[1] + x[2] + x[3];
    }
  }
  out[blockIdx.x * kThreads + threadIdx.x] = sum;
}

#if defined(__clang__)
constexpr Tool kAsan = Missed("clang checks the alignment of scalars, not of copied aggregates");
#else
constexpr Tool kAsan = Found("misaligned address");
#endif

SIMT_BUG({.name = "memory/misaligned_vector",
          .title = "float4 loads from a pointer aligned to 4 bytes",
          .source = "views with an odd storage offset; 16-byte loads",
          .kind = Kind::memory,
          .clean = [] { RunOnRows(Kernel<false>); },
          .broken = [] { RunOnRows(Kernel<true>); },
          // A fault if the compiler chose an aligned instruction.
          .schedules = UndefinedOutput(kCompilerDecides),
          .asan = kAsan});

}  // namespace misaligned_vector

namespace dynamic_too_small {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  SIMT_DYNAMIC_SHARED(float, row);
  const int t = threadIdx.x;
  row[t] = in[t];
  if (t == 0) row[kThreads] = 1.0f;
  __syncthreads();
  out[blockIdx.x * kThreads + t] = row[t + 1];
}

SIMT_BUG({.name = "memory/dynamic_too_small",
          .title = "the launch asks for less dynamic shared memory than the kernel uses",
          .source = "launch parameters in general",
          .kind = Kind::memory,
          .clean = [] { RunOnRows(Kernel<false>, (kThreads + 1) * sizeof(float)); },
          .broken = [] { RunOnRows(Kernel<true>, kThreads * sizeof(float)); },
          .schedules = All(kExposed),
          .runtime = FoundWithoutLine("write past the end"),
          .asan = Found("heap-(buffer-overflow|use-after-free)")});

}  // namespace dynamic_too_small

namespace shared_read_past_end {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  SIMT_SHARED(row, float[kThreads]);
  const int t = threadIdx.x;
  row[t] = in[t];
  __syncthreads();
  float largest = row[t];
  if (kBug || t + 1 < kThreads) largest = fmaxf(largest, row[t + 1]);
  out[blockIdx.x * kThreads + t] = largest;
}

SIMT_BUG({.name = "memory/shared_read_past_end",
          .title = "a maximum over neighbours reads past a SIMT_SHARED array",
          .source = "flash-attention #2391 (class)",
          .kind = Kind::memory,
          .clean = [] { RunOnRows(Kernel<false>); },
          .broken = [] { RunOnRows(Kernel<true>); },
          .schedules = All(kHidden),
          .runtime = Missed("what lies behind is NaN, which fmaxf drops; reads leave no trace"),
          .asan = Found("out of bounds|heap-(buffer-overflow|use-after-free)"),
          .msan = Found("use-of-uninitialized-value")});

}  // namespace shared_read_past_end

namespace pad_rows_times_zero {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int rows) {
  SIMT_SHARED(tile, float[24][kDim]);
  const int t = threadIdx.x, d = t % kDim;
  for (int row = t / kDim; row < 24; row += kThreads / kDim) {
    if (row < rows) {
      tile[row][d] = in[row * kDim + d];
    } else if (!kBug) {
      tile[row][d] = 0.0f;
    }
  }
  __syncthreads();
  float sum = 0.0f;
  for (int row = 0; row < 24; row++) sum += (row < rows ? 0.5f : 0.0f) * tile[row][d];
  out[blockIdx.x * kThreads + t] = sum;
}

SIMT_BUG({.name = "memory/pad_rows_times_zero",
          .title = "shared rows of the padding are never written and meet a weight of zero",
          .source = "SageAttention #376, vLLM #936",
          .kind = Kind::memory,
          .clean = [] { RunOnRows(Kernel<false>); },
          .broken = [] { RunOnRows(Kernel<true>); },
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value")});

}  // namespace pad_rows_times_zero

namespace stale_block {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  __shared__ float row[kThreads];
  const int t = threadIdx.x;
  const int filled = kThreads - 16 * static_cast<int>(blockIdx.x);
  if (t < filled) {
    row[t] = in[t];
  } else if (!kBug) {
    row[t] = 0.0f;
  }
  __syncthreads();
  out[blockIdx.x * kThreads + t] = row[kThreads - 1 - t];
}

SIMT_BUG({.name = "memory/stale_block",
          .title = "the tail of a raw __shared__ array holds what the previous block left",
          .source = "FlashInfer #1018, #1046",
          .kind = Kind::memory,
          .clean = [] { RunOnRows(Kernel<false>); },
          .broken = [] { RunOnRows(Kernel<true>); },
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value")});

}  // namespace stale_block

namespace counter_not_reset {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  __shared__ int count;
  const int t = threadIdx.x;
  if (!kBug) {
    if (t == 0) count = 0;
    __syncthreads();
  }
  if (in[t] > 0.0f) atomicAdd(&count, 1);
  __syncthreads();
  out[blockIdx.x * kThreads + t] = static_cast<float>(count);
}

SIMT_BUG({.name = "memory/counter_not_reset",
          .title = "a __shared__ counter starts from what the previous block left",
          .source = "FlashInfer #1018 (class)",
          .kind = Kind::memory,
          .clean = [] { RunOnRows(Kernel<false>); },
          .broken = [] { RunOnRows(Kernel<true>); },
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value")});

}  // namespace counter_not_reset

namespace two_passes {

template <bool kBug>
__global__ void Kernel(float* out, const float* in, int) {
  __shared__ float scratch[kThreads];
  const int t = threadIdx.x;
  const float x = in[t];
  scratch[t] = x;
  __syncthreads();
  for (int stride = kThreads / 2; stride > 0; stride /= 2) {
    if (t < stride) scratch[t] = fmaxf(scratch[t], scratch[t + stride]);
    __syncthreads();
  }
  const float largest = scratch[0];
  if (!kBug) __syncthreads();
  scratch[t] = x == largest ? 1.0f : 0.0f;
  __syncthreads();
  out[blockIdx.x * kThreads + t] = scratch[t] + scratch[t ^ 1];
}

SIMT_BUG({.name = "memory/two_passes",
          .title = "the second pass overwrites scratch[0] while others still read it",
          .source = "llama.cpp #13438 (class)",
          .kind = Kind::race,
          .clean = [] { RunOnRows(Kernel<false>); },
          .broken = [] { RunOnRows(Kernel<true>); },
          // Thread 0 comes last in reverse order, and then nobody is left to be misled.
          .schedules = {kExposed, kHidden, kExposed, kExposed, kExposed},
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace two_passes

}  // namespace
}  // namespace padproof::simt_bugs
