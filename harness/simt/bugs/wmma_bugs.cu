// A tensor-core product of 20 x 16 by 16 x 16: the second tile of rows is only a quarter full.

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"
#include "harness/simt/wmma.h"

namespace padproof::simt_bugs {
namespace {

constexpr int kRows = 20;
constexpr int kTile = 16;

namespace wmma = nvcuda::wmma;
using FragmentA = wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major>;
using FragmentB = wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::row_major>;
using FragmentC = wmma::fragment<wmma::accumulator, 16, 16, 16, float>;

enum class Plant { none, rows_past_end, no_syncwarp_before_load, no_syncwarp_after_store };

struct alignas(32) Tiles {
  __half a[kTile * kTile];
  float c[kTile * kTile];
};

constexpr int kKernelLine = __LINE__;

/// c[20,16] = a[20,16] b[16,16], one warp and one block a tile of rows.
template <Plant kPlant>
__global__ void Kernel(const __half* a, const __half* b, float* c) {
  SIMT_SHARED(shared, Tiles);
  __half(&tile_a)[kTile * kTile] = shared.a;
  float(&tile_c)[kTile * kTile] = shared.c;
  const int lane = threadIdx.x, first = blockIdx.x * kTile;
  for (int i = lane; i < kTile * kTile; i += 32) {
    const bool real = first + i / kTile < kRows;
    tile_a[i] = real ? a[first * kTile + i] : __float2half(0.0f);
  }
  if (kPlant != Plant::no_syncwarp_before_load) __syncwarp();
  FragmentA fa;
  FragmentB fb;
  FragmentC fc;
  wmma::fill_fragment(fc, 0.0f);
  if (kPlant == Plant::rows_past_end) {
    wmma::load_matrix_sync(fa, a + first * kTile, kTile);
  } else {
    wmma::load_matrix_sync(fa, tile_a, kTile);
  }
  wmma::load_matrix_sync(fb, b, kTile);
  wmma::mma_sync(fc, fa, fb, fc);
  wmma::store_matrix_sync(tile_c, fc, kTile, wmma::mem_row_major);
  if (kPlant != Plant::no_syncwarp_after_store) __syncwarp();
  for (int i = lane; i < kTile * kTile; i += 32) {
    if (first + i / kTile < kRows) c[first * kTile + i] = tile_c[i];
  }
}

constexpr int kKernelEnd = __LINE__;

template <Plant kPlant>
void Run() {
  Buffer<__half> a(kRows * kTile), b(kTile * kTile);
  Buffer<float> c(kRows * kTile);
  for (size_t i = 0; i < a.count(); i++) a[i] = __float2half(ValueAt(1, i));
  for (size_t i = 0; i < b.count(); i++) b[i] = __float2half(ValueAt(2, i));
  RequireLaunched(
      simt::launch(Kernel<kPlant>, dim3(2), dim3(32), 0, nullptr, a.data(), b.data(), c.data()));
  Record(c);
  if (kPlant != Plant::none) return;
  const auto expected = [&](size_t at) {
    double sum = 0;
    for (int k = 0; k < kTile; k++) {
      sum +=
          double{__half2float(a[at / kTile * kTile + k])} * __half2float(b[k * kTile + at % kTile]);
    }
    return sum;
  };
  RequireNear(c, expected, 1e-5);
}

namespace rows_past_end {
SIMT_BUG({.name = "wmma/rows_past_end",
          .title = "a fragment is loaded past the last row; those rows are not stored",
          .source = "TensorRT-LLM #18925 (class)",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::rows_past_end>,
          .schedules = All(kHidden),
          .asan = Found("heap-(buffer-overflow|use-after-free)"),
          .msan = Missed("rows past the end are not stored"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace rows_past_end

namespace no_syncwarp_before_load {
SIMT_BUG({.name = "wmma/no_syncwarp_before_load",
          .title = "a tile is loaded by the warp before all lanes have written it",
          .source = "CUDA programming guide, wmma",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_syncwarp_before_load>,
          // In reverse order lanes load only when all of them have come.
          .schedules = {kExposed, kHidden, kExposed, kExposed, kExposed},
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_syncwarp_before_load

namespace no_syncwarp_after_store {
SIMT_BUG({.name = "wmma/no_syncwarp_after_store",
          .title = "a stored tile is read by other lanes without __syncwarp",
          .source = "CUDA programming guide, wmma",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_syncwarp_after_store>,
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_syncwarp_after_store

}  // namespace
}  // namespace padproof::simt_bugs
