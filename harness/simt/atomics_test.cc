// Atomics of the SIMT layer: in kernels, on vectors, and errors. Integers and 16-bit numbers are in
// atomics_values_test.cc.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <vector>

#include "harness/simt/launch_test_util.h"
#include "harness/simt/simt.h"

namespace padproof {
namespace {

// ---- in a kernel --------------------------------------------------------------------------------

struct Counters {
  int i = 0, i_max = -1000, i_min = 1000, exchanged = -1;
  unsigned u = 0, u_max = 0, u_min = kAll, bits_or = 0, bits_and = kAll, bits_xor = 0, wrapped = 0;
  unsigned long long u64 = 0;
  float f = 0, f_max = -1e30f;
  double d = 0;
  __half h = 0;
  __half2 h2 = {0, 0};
};

__global__ void UpdateCounters(Counters* c, int* tickets) {
  const int i = threadIdx.x;
  tickets[i] = atomicAdd(&c->i, 1);
  atomicMax(&c->i_max, i - 40);
  atomicMin(&c->i_min, i - 40);
  atomicExch(&c->exchanged, i);
  atomicAdd(&c->u, 3u);
  atomicMax(&c->u_max, static_cast<unsigned>(i));
  atomicMin(&c->u_min, static_cast<unsigned>(i));
  atomicOr(&c->bits_or, 1u << (i % 32));
  atomicAnd(&c->bits_and, ~(1u << (i % 16)));
  atomicXor(&c->bits_xor, 1u << (i % 32));
  atomicInc(&c->wrapped, 6);
  atomicAdd(&c->u64, 1ull << 33);
  atomicAdd(&c->f, 0.5f);
  atomicAdd(&c->d, 0.25);
  atomicAdd(&c->h, __half(0.5f));
  atomicAdd(&c->h2, __floats2half2_rn(0.25f, -1.0f));
  __threadfence();
  __threadfence_block();
  __threadfence_system();
  // The maximum of floats, as kernels write it.
  int seen = __float_as_int(c->f_max), assumed = 0;
  do {
    assumed = seen;
    const float larger = fmaxf(__int_as_float(assumed), static_cast<float>(i));
    seen = atomicCAS(reinterpret_cast<int*>(&c->f_max), assumed, __float_as_int(larger));
  } while (seen != assumed);
}

TEST(SimtAtomics, ThreadsOfABlock) {
  Counters c;
  std::vector<int> tickets(100), expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  simt::ApplySchedule(Order::random, 1);
  EXPECT_LAUNCHES(UpdateCounters, 1, 100, 0, nullptr, &c, tickets.data());
  simt::CurrentOptions() = {};
  EXPECT_NE(tickets, expected);
  std::sort(tickets.begin(), tickets.end());
  EXPECT_EQ(tickets, expected);
  EXPECT_EQ(c.i, 100);
  EXPECT_EQ(c.i_max, 59);
  EXPECT_EQ(c.i_min, -40);
  EXPECT_GE(c.exchanged, 0);
  EXPECT_EQ(c.u, 300u);
  EXPECT_EQ(c.u_max, 99u);
  EXPECT_EQ(c.u_min, 0u);
  EXPECT_EQ(c.bits_or, kAll);
  EXPECT_EQ(c.bits_and, 0xffff0000u);
  EXPECT_EQ(c.bits_xor, 0xfffffff0u);  // 100 = 3 * 32 + 4
  EXPECT_EQ(c.wrapped, 100u % 7);
  EXPECT_EQ(c.u64, 100ull << 33);
  EXPECT_EQ(c.f, 50.0f);
  EXPECT_EQ(c.d, 25.0);
  EXPECT_EQ(c.f_max, 99.0f);
  EXPECT_EQ(__half2float(c.h), 50.0f);
  EXPECT_EQ(__low2float(c.h2), 25.0f);
  EXPECT_EQ(__high2float(c.h2), -100.0f);
}

// ---- each overload ------------------------------------------------------------------------------

template <class T>
bool SameBits(const T& a, const T& b) {
  return std::memcmp(static_cast<const void*>(&a), static_cast<const void*>(&b), sizeof a) == 0;
}

/// name(&old, value) in every scope returns old and leaves `then`.
#define EXPECT_ATOMIC(name, T, old, value, then)                                                  \
  do {                                                                                            \
    T (*const scopes[])(T*, T, simt::Site) = {name, name##_block, name##_system};                 \
    for (const auto scope : scopes) {                                                             \
      T word = T old;                                                                             \
      EXPECT_TRUE(SameBits(scope(&word, T value, simt::Site::current()), T old)) << #name " " #T; \
      EXPECT_TRUE(SameBits(word, T then)) << #name " " #T;                                        \
    }                                                                                             \
  } while (false)

using Ull = unsigned long long;

TEST(SimtAtomics, SumsOfVectorsAreThoseOfTheElements) {
  EXPECT_ATOMIC(atomicAdd, float2, ({1, 2}), ({3, 5}), ({4, 7}));
  EXPECT_ATOMIC(atomicAdd, float4, ({1, 2, 3, 4}), ({5, 6, 7, 9}), ({6, 8, 10, 13}));
}

// What CUDA has no atomic for must not compile here alone.
template <class T>
concept Added = requires(T* address, T value) { atomicAdd(address, value); };
template <class T>
concept Exchanged = requires(T* address, T value) { atomicExch(address, value); };
template <class T>
concept Subtracted = requires(T* address, T value) { atomicSub(address, value); };
static_assert(Added<float4> && Added<double> && !Added<long long> && !Added<short> && !Added<int4>);
static_assert(!Added<double2> && !Exchanged<double> && !Exchanged<short> && !Subtracted<float>);

// ---- errors -------------------------------------------------------------------------------------

template <class T>
__global__ void AddAt(void* bytes, int offset) {
  atomicAdd(reinterpret_cast<T*>(static_cast<char*>(bytes) + offset), T{});
}
template <class T>
__global__ void SwapAt(void* bytes, int offset) {
  atomicCAS(reinterpret_cast<T*>(static_cast<char*>(bytes) + offset), T{}, T{});
}

TEST(SimtAtomicsDeathTest, MisalignedAddressesAreReportedAtTheCaller) {
  alignas(16) char bytes[32] = {};
  const char* const kReport = "misaligned(.|\n)*atomics_test.cc";
  EXPECT_LAUNCHES(AddAt<int>, 1, 1, 0, nullptr, bytes, 4);
  EXPECT_LAUNCHES(AddAt<float4>, 1, 1, 0, nullptr, bytes, 16);
  EXPECT_DEATH(simt::launch(AddAt<int>, 1, 1, 0, nullptr, bytes, 2), kReport);
  EXPECT_DEATH(simt::launch(AddAt<double>, 1, 1, 0, nullptr, bytes, 4), kReport);
  EXPECT_DEATH(simt::launch(AddAt<Ull>, 1, 1, 0, nullptr, bytes, 4), kReport);
  EXPECT_DEATH(simt::launch(AddAt<__half>, 1, 1, 0, nullptr, bytes, 1), kReport);
  EXPECT_DEATH(simt::launch(AddAt<__half2>, 1, 1, 0, nullptr, bytes, 2), kReport);
  EXPECT_DEATH(simt::launch(AddAt<float2>, 1, 1, 0, nullptr, bytes, 4), kReport);
  EXPECT_DEATH(simt::launch(AddAt<float4>, 1, 1, 0, nullptr, bytes, 8), kReport);
  EXPECT_DEATH(simt::launch(SwapAt<unsigned short>, 1, 1, 0, nullptr, bytes, 1), kReport);
  EXPECT_DEATH(simt::launch(SwapAt<Ull>, 1, 1, 0, nullptr, bytes, 4), kReport);
}

}  // namespace
}  // namespace padproof
