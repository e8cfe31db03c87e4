// Asynchronous copies that are not waited for long enough, or whose source changes under way.

#include "harness/simt/bugs/bug.h"
#include "harness/simt/pipeline.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

constexpr int kThreads = 64;
constexpr int kTiles = 5;

namespace weak_wait {

/// Sums of tiles through a double buffer: while one is summed, the next is under way.
template <bool kBug>
__global__ void Kernel(const float4* in, float* out) {
  SIMT_SHARED(buffer, float4[2][kThreads]);
  const int t = threadIdx.x;
  float sum = 0.0f;
  __pipeline_memcpy_async(&buffer[0][t], in + t, sizeof(float4));
  __pipeline_commit();
  for (int tile = 0; tile < kTiles; tile++) {
    if (tile + 1 < kTiles) {
      __pipeline_memcpy_async(&buffer[(tile + 1) % 2][t], in + (tile + 1) * kThreads + t,
                              sizeof(float4));
    }
    __pipeline_commit();
    __pipeline_wait_prior(kBug ? 2 : 1);
    __syncthreads();
    const float4 x = buffer[tile % 2][(t + 1) % kThreads];
    sum += x.x + x.y + x.z + x.w;
    __syncthreads();
  }
  out[t] = sum;
}

template <bool kBug>
void Run() {
  Buffer<float> in(kTiles * kThreads * 4), out(kThreads);
  FillWithValues(in, 1);
  RequireLaunched(simt::launch(Kernel<kBug>, dim3(1), dim3(kThreads), 0, nullptr,
                               reinterpret_cast<const float4*>(in.data()), out.data()));
  Record(out);
}

SIMT_BUG(
    {.name = "pipeline/weak_wait",
     .title = "a wait that lets the tile in use be under way still",
     .source = "FlashInfer #1046 (missing wait)",
     .kind = Kind::race,
     .clean = Run<false>,
     .broken = Run<true>,
     .schedules = All(kExposed),
     .msan = Found("use-of-uninitialized-value"),
     .tsan = Missed("a copy lands as an access of the thread that issued it, between barriers"),
     .race = Missed("a copy lands as an access of the thread that issued it, between barriers")});

}  // namespace weak_wait

namespace source_overwritten {

template <bool kBug>
__global__ void Kernel(float* staging, const float* in, float* out) {
  SIMT_SHARED(tile, float[kThreads]);
  const int t = threadIdx.x;
  staging[t] = in[t];
  __pipeline_memcpy_async(&tile[t], &staging[t], sizeof(float));
  __pipeline_commit();
  if (!kBug) __pipeline_wait_prior(0);
  staging[t] = -in[t];  // for the next user of the staging row
  if (kBug) __pipeline_wait_prior(0);
  __syncthreads();
  out[t] = tile[kThreads - 1 - t];
}

template <bool kBug>
void Run() {
  Buffer<float> in(kThreads), staging(kThreads), out(kThreads);
  FillWithValues(in, 1);
  RequireLaunched(simt::launch(Kernel<kBug>, dim3(1), dim3(kThreads), 0, nullptr, staging.data(),
                               in.data(), out.data()));
  Record(staging);
  Record(out);
}

SIMT_BUG({.name = "pipeline/source_overwritten",
          .title = "the source of a copy under way is overwritten before the wait",
          .source = "CUDA programming guide, asynchronous copies",
          .kind = Kind::race,
          .clean = Run<false>,
          .broken = Run<true>,
          .schedules = All(kExposed),
          .tsan = Missed("the thread that overwrites the source is the one that copies"),
          .race = Missed("the thread that overwrites the source is the one that copies")});

}  // namespace source_overwritten

}  // namespace
}  // namespace padproof::simt_bugs
