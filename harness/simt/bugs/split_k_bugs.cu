// Split-K dot products in one launch: every block sums its part, publishes it, and the last block
// to finish adds the parts in a fixed order (the threadFenceReduction pattern of the programming
// guide), as a stranger to this project would write it.

#include <cuda_runtime.h>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

enum class Plant { none, no_fence, no_barrier_for_flag, counter_not_reset, one_part_short };

constexpr int kThreads = 64;

constexpr int kKernelLine = __LINE__;

// partial[splits] is scratch; *counter is 0 before the first launch, and after each
template <Plant kPlant>
__global__ void split_k_dot(float* result, float* partial, unsigned* counter, const float* a,
                            const float* b, int k) {
  __shared__ float sums[kThreads];
  __shared__ int is_last;
  const int t = threadIdx.x, splits = gridDim.x;
  const int chunk = (k + splits - 1) / splits;
  const int begin = blockIdx.x * chunk, end = min(k, begin + chunk);
  float sum = 0.0f;
  for (int i = begin + t; i < end; i += kThreads) sum += a[i] * b[i];
  sums[t] = sum;
  __syncthreads();
  for (int s = kThreads / 2; s > 0; s >>= 1) {
    if (t < s) sums[t] += sums[t + s];
    __syncthreads();
  }
  if (t == 0) {
    partial[blockIdx.x] = sums[0];
    if (kPlant != Plant::no_fence) __threadfence();
    const unsigned before = atomicAdd(counter, 1u);
    is_last = before == gridDim.x - (kPlant == Plant::one_part_short ? 2 : 1);
  }
  if (kPlant != Plant::no_barrier_for_flag) __syncthreads();
  if (!is_last) return;
  __threadfence();
  if (t == 0) {
    float total = 0.0f;
    for (int i = 0; i < splits; i++) total += partial[i];
    *result = total;
    if (kPlant != Plant::counter_not_reset) *counter = 0;
  }
}

constexpr int kKernelEnd = __LINE__;

template <Plant kPlant>
void Run() {
  constexpr int kSplits = 5, kLengths[] = {1000, 5, 321};
  Buffer<float> partial(kSplits), results(3);
  double expected[3] = {};
  Buffer<unsigned> counter(1);
  counter.Zero();
  for (int launch = 0; launch < 3; launch++) {
    const int k = kLengths[launch];
    Buffer<float> a(k), b(k);
    FillWithValues(a, 1 + launch);
    FillWithValues(b, 5 + launch);
    RequireLaunched(simt::launch(split_k_dot<kPlant>, dim3(kSplits), dim3(kThreads), 0, nullptr,
                                 &results[launch], partial.data(), counter.data(), a.data(),
                                 b.data(), k));
    for (int i = 0; i < k; i++) expected[launch] += double{a[i]} * b[i];
  }
  Record(results);
  if (kPlant == Plant::none) RequireNear(results, [&](size_t i) { return expected[i]; }, 1e-4);
}

namespace no_fence {
SIMT_BUG({.name = "split_k/no_fence",
          .title = "a part is published without __threadfence before the counter",
          .source = "CUDA programming guide, memory fence functions",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_fence>,
          .schedules = All(kHidden),  // memory is sequentially consistent here
          .tsan = Missed("blocks run one after another, and each start orders what came before"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_fence

namespace no_barrier_for_flag {
SIMT_BUG({.name = "split_k/no_barrier_for_flag",
          .title = "is_last is read by the block without __syncthreads",
          .source = "FlashInfer #614 (class)",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_barrier_for_flag>,
          // Thread 0 alone uses the flag, so nothing goes wrong in effect.
          .schedules = All(kHidden),
          .msan = Missed("thread 0 sets the flag first in forward order"),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_barrier_for_flag

namespace counter_not_reset {
SIMT_BUG({.name = "split_k/counter_not_reset",
          .title = "the counter is not zero when the kernel is launched again",
          .source = "FlashInfer #1018 (class)",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::counter_not_reset>,
          .schedules = All(kExposed),
          .msan = FoundWithoutLine("use-of-uninitialized-value"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace counter_not_reset

namespace one_part_short {
SIMT_BUG({.name = "split_k/one_part_short",
          .title = "the last block but one adds the parts",
          .source = "off by one in the last-block test",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::one_part_short>,
          .schedules = All(kExposed),
          .msan = Found("use-of-uninitialized-value"),
          .tsan = Missed("blocks run one after another, and each start orders what came before"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace one_part_short

}  // namespace
}  // namespace padproof::simt_bugs
