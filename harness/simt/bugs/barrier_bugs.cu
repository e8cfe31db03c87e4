// Seven missing or misplaced synchronisations, each in the smallest kernel that has it: which
// schedules show it, and which checkers find it in one forward run?

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

constexpr int kThreads = 64;
constexpr int kBlocks = 4;

/// Runs a kernel (out, in) on four blocks of 64 threads; out starts at zero.
void RunOnBlocks(void (*kernel)(int* out, const int* in)) {
  Buffer<int> in(kThreads), out(kBlocks * kThreads);
  for (int i = 0; i < kThreads; i++) in[i] = 7 * i + 5;
  out.Zero();
  RequireLaunched(
      simt::launch(kernel, dim3(kBlocks), dim3(kThreads), 0, nullptr, out.data(), in.data()));
  Record(out);
}

namespace broadcast {

template <bool kBug>
__global__ void Kernel(int* out, const int* in) {
  __shared__ int value;
  if (threadIdx.x == 0) value = in[blockIdx.x];
  if (!kBug) __syncthreads();
  out[blockIdx.x * kThreads + threadIdx.x] = value;
}

SIMT_BUG({.name = "barrier/broadcast",
          .title = "thread 0 writes, all read, no __syncthreads between",
          .source = "llama.cpp #13438 (class)",
          .kind = Kind::race,
          .clean = [] { RunOnBlocks(Kernel<false>); },
          .broken = [] { RunOnBlocks(Kernel<true>); },
          .schedules = {kHidden, kExposed, kExposed, kExposed, kExposed},
          .msan = Missed("thread 0 writes first in forward order"),
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace broadcast

namespace neighbour {

template <bool kBug>
__global__ void Kernel(int* out, const int* in) {
  __shared__ int row[kThreads];
  const int t = threadIdx.x;
  row[t] = in[t];
  if (!kBug) __syncthreads();
  out[blockIdx.x * kThreads + t] = t != 0 ? row[t - 1] : -1;
}

SIMT_BUG({.name = "barrier/neighbour",
          .title = "read of the left neighbour, no __syncthreads after the write",
          .source = "llama.cpp #13438 (class)",
          .kind = Kind::race,
          .clean = [] { RunOnBlocks(Kernel<false>); },
          .broken = [] { RunOnBlocks(Kernel<true>); },
          .schedules = {kHidden, kExposed, kExposed, kExposed, kExposed},
          .msan = Missed("the neighbour writes first in forward order"),
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace neighbour

namespace tile_reuse {

template <bool kBug>
__global__ void Kernel(int* out, const int* in) {
  __shared__ int tile[kThreads];
  const int t = threadIdx.x;
  int sum = 0;
  for (int round = 0; round < 3; round++) {
    tile[t] = in[t] + round;
    __syncthreads();
    sum += tile[(t + 1) % kThreads];
    if (!kBug) __syncthreads();
  }
  out[blockIdx.x * kThreads + t] = sum;
}

SIMT_BUG({.name = "barrier/tile_reuse",
          .title = "a tile is overwritten while others still read it",
          .source = "flash-attention 1c41d2b0 (race on sK)",
          .kind = Kind::race,
          .clean = [] { RunOnBlocks(Kernel<false>); },
          .broken = [] { RunOnBlocks(Kernel<true>); },
          .schedules = All(kExposed),
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace tile_reuse

namespace warp_exchange {

template <bool kBug>
__global__ void Kernel(int* out, const int* in) {
  __shared__ int row[kThreads];
  const int t = threadIdx.x;
  row[t] = in[t];
  if (!kBug) __syncwarp();
  out[blockIdx.x * kThreads + t] = row[t ^ 1];
}

SIMT_BUG({.name = "barrier/warp_exchange",
          .title = "lanes exchange through shared memory without __syncwarp",
          .source = "llama.cpp #28358 (class)",
          .kind = Kind::race,
          .clean = [] { RunOnBlocks(Kernel<false>); },
          .broken = [] { RunOnBlocks(Kernel<true>); },
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace warp_exchange

namespace counter {

template <bool kBug>
__global__ void Kernel(int* out, const int*) {
  __shared__ int count;
  const int t = threadIdx.x;
  if (t == 0) count = 0;
  __syncthreads();
  if (kBug) {
    count = count + 1;
  } else {
    atomicAdd(&count, 1);
  }
  __syncthreads();
  out[blockIdx.x * kThreads + t] = count;
}

SIMT_BUG({.name = "barrier/counter",
          .title = "a shared counter incremented without an atomic (lost update)",
          .source = "lost updates in general",
          .kind = Kind::race,
          .clean = [] { RunOnBlocks(Kernel<false>); },
          .broken = [] { RunOnBlocks(Kernel<true>); },
          .schedules = {kHidden, kHidden, kHidden, kHidden, kExposed},
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace counter

namespace same_value {

template <bool kBug>
__global__ void Kernel(int* out, const int*) {
  __shared__ int flag;
  const int t = threadIdx.x;
  if (t == 0) flag = 0;
  __syncthreads();
  if (kBug || t == 3) flag = 1;
  __syncthreads();
  out[blockIdx.x * kThreads + t] = flag;
}

SIMT_BUG({.name = "barrier/same_value",
          .title = "all threads write the same value (benign in effect)",
          .source = "FlashInfer #614 (class)",
          .kind = Kind::race,
          .clean = [] { RunOnBlocks(Kernel<false>); },
          .broken = [] { RunOnBlocks(Kernel<true>); },
          .schedules = All(kHidden),
          .tsan = Found("data race"),
          .race = Found("race")});

}  // namespace same_value

namespace two_blocks {

template <bool kBug>
__global__ void Kernel(int* out, const int*) {
  if (threadIdx.x != 0) return;
  if (kBug) {
    out[0] = out[0] + 1;
  } else {
    atomicAdd(out, 1);
  }
}

SIMT_BUG({.name = "barrier/two_blocks",
          .title = "blocks increment one global word without an atomic",
          .source = "flash-attention-minimal #1 (class)",
          .kind = Kind::race,
          .clean = [] { RunOnBlocks(Kernel<false>); },
          .broken = [] { RunOnBlocks(Kernel<true>); },
          .schedules = All(kHidden),
          .tsan = Missed("blocks run one after another, and each start orders what came before"),
          .race = Found("race")});

}  // namespace two_blocks

}  // namespace
}  // namespace padproof::simt_bugs
