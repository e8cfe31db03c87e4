// Idioms of blocks as strangers to this project write them: padded tiles, rows out of range, loops
// of barriers, and a float maximum through integer atomics.

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

constexpr int kTile = 16;

/// Runs a kernel (out, in, rows, columns) on 16 x 16 tiles of 20 rows and 24 columns.
void RunOnTiles(void (*kernel)(float* out, const float* in, int rows, int columns)) {
  constexpr int kRows = 20, kColumns = 24;
  Buffer<float> in(kRows * kColumns), out(kRows * kColumns);
  FillWithValues(in, 1);
  out.Zero();
  const dim3 grid((kColumns + kTile - 1) / kTile, (kRows + kTile - 1) / kTile);
  RequireLaunched(simt::launch(kernel, grid, dim3(kTile, kTile), 0, nullptr, out.data(), in.data(),
                               kRows, kColumns));
  Record(out);
}

namespace early_return {

template <bool kBug>
__global__ void transpose(float* out, const float* in, int rows, int columns) {
  __shared__ float tile[kTile][kTile + 1];
  const int row = blockIdx.y * kTile + threadIdx.y, column = blockIdx.x * kTile + threadIdx.x;
  if (kBug && (row >= rows || column >= columns)) return;
  if (row < rows && column < columns) tile[threadIdx.y][threadIdx.x] = in[row * columns + column];
  __syncthreads();
  const int out_row = blockIdx.x * kTile + threadIdx.y;
  const int out_column = blockIdx.y * kTile + threadIdx.x;
  if (out_row < columns && out_column < rows) {
    out[out_row * rows + out_column] = tile[threadIdx.x][threadIdx.y];
  }
}

SIMT_BUG({.name = "idiom/early_return",
          .title = "threads outside the matrix return before the barrier of a transpose",
          .source = "llama.cpp #27678 (class)",
          .kind = Kind::divergence,
          .clean = [] { RunOnTiles(transpose<false>); },
          .broken = [] { RunOnTiles(transpose<true>); },
          .schedules = All(kExposed),
          .runtime = Found("left the kernel")});

}  // namespace early_return

namespace trip_count {

template <bool kBug>
__global__ void prefix_maximum(float* out, const float* in, int rows, int columns) {
  __shared__ float line[kTile][kTile];
  const int row = blockIdx.y * kTile + threadIdx.y, column = blockIdx.x * kTile + threadIdx.x;
  const bool real = row < rows && column < columns;
  const int x = threadIdx.x, y = threadIdx.y;
  line[y][x] = real ? in[row * columns + column] : -INFINITY;
  __syncthreads();
  for (int distance = 1; distance < (kBug ? x + 1 : kTile); distance *= 2) {
    const float other = x >= distance ? line[y][x - distance] : -INFINITY;
    __syncthreads();
    line[y][x] = fmaxf(line[y][x], other);
    __syncthreads();
  }
  if (real) out[row * columns + column] = line[y][x];
}

SIMT_BUG({.name = "idiom/trip_count",
          .title = "a loop of barriers that runs fewer rounds in some threads",
          .source = "llama.cpp #27955 (class)",
          .kind = Kind::divergence,
          .clean = [] { RunOnTiles(prefix_maximum<false>); },
          .broken = [] { RunOnTiles(prefix_maximum<true>); },
          .schedules = All(kExposed),
          .runtime = Found("left the kernel")});

}  // namespace trip_count

namespace pad_column {

constexpr int kKernelLine = __LINE__;

/// Each row's sum over its tile of columns.
template <bool kBug>
__device__ void sum_rows(float (&tile)[kTile][kTile + 1], float* out, const float* in, int rows,
                         int columns) {
  const int row = blockIdx.y * kTile + threadIdx.y, column = blockIdx.x * kTile + threadIdx.x;
  const bool real = row < rows && column < columns;
  tile[threadIdx.y][threadIdx.x] = real ? in[row * columns + column] : 0.0f;
  __syncthreads();
  if (threadIdx.x != 0 || row >= rows) return;
  float sum = 0.0f;
  for (int i = 0; i < kTile + (kBug ? 1 : 0); i++) sum += tile[threadIdx.y][i];
  out[row * gridDim.x + blockIdx.x] = sum;
}

template <bool kBug>
__global__ void sum_macro(float* out, const float* in, int rows, int columns) {
  SIMT_SHARED(tile, float[kTile][kTile + 1]);
  sum_rows<kBug>(tile, out, in, rows, columns);
}

template <bool kBug>
__global__ void sum_raw(float* out, const float* in, int rows, int columns) {
  __shared__ float tile[kTile][kTile + 1];
  sum_rows<kBug>(tile, out, in, rows, columns);
}

constexpr int kKernelEnd = __LINE__;

namespace macro {
SIMT_BUG({.name = "idiom/pad_column_macro",
          .title = "the column that keeps banks apart is added to the row, in SIMT_SHARED",
          .source = "SageAttention #376 (class)",
          .kind = Kind::memory,
          .clean = [] { RunOnTiles(sum_macro<false>); },
          .broken = [] { RunOnTiles(sum_macro<true>); },
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace macro

namespace raw {
SIMT_BUG({.name = "idiom/pad_column_raw",
          .title = "the same in a raw __shared__ array",
          .source = "SageAttention #376 (class)",
          .kind = Kind::memory,
          .clean = [] { RunOnTiles(sum_raw<false>); },
          .broken = [] { RunOnTiles(sum_raw<true>); },
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});

}  // namespace raw
}  // namespace pad_column

namespace punned_maximum {

/// out[0] of each launch: the largest of all; it starts at the smallest float.
template <bool kBug>
__device__ void store_maximum(float* address, float x) {
  if (kBug || x >= 0.0f) {
    atomicMax(reinterpret_cast<int*>(address), __float_as_int(x));
  } else {
    atomicMin(reinterpret_cast<unsigned*>(address), __float_as_uint(x));
  }
}

template <bool kBug>
__global__ void maximum_of_rows(float* out, const float* in, int rows, int columns) {
  const int row = blockIdx.y * kTile + threadIdx.y, column = blockIdx.x * kTile + threadIdx.x;
  if (row < rows && column < columns) {
    store_maximum<kBug>(&out[row], in[row * columns + column] - 2.0f);  // all below zero
  }
}

template <bool kBug>
__global__ void fill(float* out, const float*, int rows, int) {
  const int row = blockIdx.y * kTile + threadIdx.y;
  if (blockIdx.x == 0 && threadIdx.x == 0 && row < rows) out[row] = -INFINITY;
}

template <bool kBug>
void Run() {
  constexpr int kRows = 20, kColumns = 24;
  Buffer<float> in(kRows * kColumns), out(kRows);
  FillWithValues(in, 1);
  const dim3 grid(2, 2), block(kTile, kTile);
  for (const auto kernel : {fill<kBug>, maximum_of_rows<kBug>}) {
    RequireLaunched(
        simt::launch(kernel, grid, block, 0, nullptr, out.data(), in.data(), kRows, kColumns));
  }
  Record(out);
  if (kBug) return;
  const auto expected = [&](size_t row) {
    double largest = -INFINITY;
    for (int c = 0; c < kColumns; c++) largest = fmax(largest, in[row * kColumns + c] - 2.0f);
    return largest;
  };
  RequireNear(out, expected, 0.0);
}

SIMT_BUG({.name = "idiom/punned_maximum",
          .title = "atomicMax of floats as ints, with values below zero",
          .source = "a wrong result alone: no tool can know",
          .kind = Kind::memory,
          .clean = Run<false>,
          .broken = Run<true>,
          .schedules = All(kExposed)});

}  // namespace punned_maximum

namespace plain_read_before_cas {

/// Threads whose value is no larger leave after the plain read: nothing corrects what they read.
template <bool kBug>
__global__ void maximum_by_cas(float* out, const float* in, int rows, int columns) {
  const int row = blockIdx.y * kTile + threadIdx.y, column = blockIdx.x * kTile + threadIdx.x;
  if (row >= rows || column >= columns) return;
  const float x = in[row * columns + column];
  int* address = reinterpret_cast<int*>(&out[row]);
  int old = kBug ? *address : atomicOr(address, 0);
  while (x > __int_as_float(old)) {
    const int assumed = old;
    old = atomicCAS(address, assumed, __float_as_int(x));
    if (old == assumed) break;
  }
}

SIMT_BUG({.name = "idiom/plain_read_before_cas",
          .title = "a plain read decides whether atomicCAS is needed (works in effect)",
          .source = "float maxima in many kernels, after the atomicCAS loops of the guide",
          .kind = Kind::race,
          .clean = [] { RunOnTiles(maximum_by_cas<false>); },
          .broken = [] { RunOnTiles(maximum_by_cas<true>); },
          .schedules = All(kHidden),
          .tsan = Missed("it remembers 255 threads at a time, and this block has 256"),
          .race = Found("race")});

}  // namespace plain_read_before_cas

}  // namespace
}  // namespace padproof::simt_bugs
