// Decoding with grouped query heads: one block a query head, K and V tiles double-buffered in
// shared memory with an online softmax, as a stranger to this project would write it.

#include "harness/simt/bugs/bug.h"
#include "harness/simt/simt.h"

namespace padproof::simt_bugs {
namespace {

enum class Plant { none, no_barrier, group_off_by_one };

constexpr int kThreads = 64;
constexpr int kDim = 32;
constexpr int kTile = 16;  // keys; four threads a key

constexpr int kKernelLine = __LINE__;

struct Stage {
  float k[kTile][kDim], v[kTile][kDim];
};

/// k and v begin at the head; keys from `count` on become zeros.
__device__ void load_tile(Stage& stage, const float* k, const float* v, int first, int count) {
  for (int i = threadIdx.x; i < kTile * kDim; i += kThreads) {
    const int j = i / kDim, d = i % kDim;
    const bool real = first + j < count;
    stage.k[j][d] = real ? k[(first + j) * kDim + d] : 0.0f;
    stage.v[j][d] = real ? v[(first + j) * kDim + d] : 0.0f;
  }
}

// out[heads, 32], q[heads, 32], k and v[kv_heads, keys, 32]
template <Plant kPlant>
__global__ void decode_attention(float* out, const float* q, const float* k, const float* v,
                                 int kv_heads, int keys) {
  __shared__ Stage stages[2];
  __shared__ float scores[kTile];
  __shared__ float halves[kDim];
  const int tid = threadIdx.x, head = blockIdx.x, group = gridDim.x / kv_heads;
  const int kv_head = (kPlant == Plant::group_off_by_one ? head + 1 : head) / group;
  k += kv_head * keys * kDim;
  v += kv_head * keys * kDim;
  const int my_key = tid / 4, my_dim = tid % kDim, my_half = tid / kDim;

  float largest = -INFINITY, sum = 0.0f, acc = 0.0f;
  load_tile(stages[0], k, v, 0, keys);
  __syncthreads();
  for (int first = 0, stage = 0; first < keys; first += kTile, stage ^= 1) {
    if (first + kTile < keys) load_tile(stages[stage ^ 1], k, v, first + kTile, keys);
    float dot = 0.0f;
    for (int d = tid % 4; d < kDim; d += 4) dot += q[head * kDim + d] * stages[stage].k[my_key][d];
    dot += __shfl_xor_sync(0xffffffffu, dot, 1);
    dot += __shfl_xor_sync(0xffffffffu, dot, 2);
    if (tid % 4 == 0) scores[my_key] = first + my_key < keys ? dot : -INFINITY;
    __syncthreads();

    float next = largest;
    for (int j = 0; j < kTile; j++) next = fmaxf(next, scores[j]);
    const float rescale = __expf(largest - next);
    sum *= rescale;
    acc *= rescale;
    for (int j = 0; j < kTile; j++) sum += __expf(scores[j] - next);
    for (int j = my_half * kTile / 2; j < (my_half + 1) * kTile / 2; j++) {
      acc += __expf(scores[j] - next) * stages[stage].v[j][my_dim];
    }
    largest = next;
    if (kPlant != Plant::no_barrier) __syncthreads();
  }
  if (my_half == 1) halves[my_dim] = acc;
  __syncthreads();
  if (my_half == 0) out[head * kDim + my_dim] = (acc + halves[my_dim]) / sum;
}

constexpr int kKernelEnd = __LINE__;

template <Plant kPlant>
void RunShape(int heads, int kv_heads, int keys) {
  Buffer<float> q(heads * kDim), out(q.count());
  Buffer<float> k(kv_heads * keys * kDim), v(k.count());
  FillWithValues(q, 1);
  FillWithValues(k, 2);
  FillWithValues(v, 3);
  RequireLaunched(simt::launch(decode_attention<kPlant>, dim3(heads), dim3(kThreads), 0, nullptr,
                               out.data(), q.data(), k.data(), v.data(), kv_heads, keys));
  Record(out);
  if (kPlant != Plant::none) return;
  const auto expected = [&](size_t at) {
    const size_t head = at / kDim, begin = head / (heads / kv_heads) * keys;
    double weights = 0, sum = 0;
    for (int j = 0; j < keys; j++) {
      double score = 0;
      for (int d = 0; d < kDim; d++)
        score += double{q[head * kDim + d]} * k[(begin + j) * kDim + d];
      weights += exp(score);
      sum += exp(score) * v[(begin + j) * kDim + at % kDim];
    }
    return sum / weights;
  };
  RequireNear(out, expected, 1e-4);
}

template <Plant kPlant>
void Run() {
  RunShape<kPlant>(4, 2, 50);
  RunShape<kPlant>(2, 1, 16);
  RunShape<kPlant>(6, 2, 33);
  RunShape<kPlant>(3, 3, 1);
}

namespace no_barrier {
SIMT_BUG({.name = "decode/no_barrier",
          .title = "the next tile and its scores overwrite those that a slow warp still reads",
          .source = "flash-attention 1c41d2b0 (race on sK)",
          .kind = Kind::race,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::no_barrier>,
          .schedules = All(kExposed),
          .tsan = Found("data race"),
          .race = Found("race"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace no_barrier

namespace group_off_by_one {
SIMT_BUG({.name = "decode/group_off_by_one",
          .title = "the last query head of each group reads K and V of the next group",
          .source = "an index that is wrong inside the tensor, and past it for the last head",
          .kind = Kind::memory,
          .clean = Run<Plant::none>,
          .broken = Run<Plant::group_off_by_one>,
          .schedules = All(kExposed),
          .asan = Found("heap-(buffer-overflow|use-after-free)"),
          .msan = Found("use-of-uninitialized-value"),
          .first_line = kKernelLine,
          .last_line = kKernelEnd});
}  // namespace group_off_by_one

}  // namespace
}  // namespace padproof::simt_bugs
