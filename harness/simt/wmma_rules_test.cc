// What CUDA leaves open about tensor cores, and that kernels which rely on it are exposed: mappings
// of elements to lanes, copies, memory order. And what is reported.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "harness/simt/wmma_test_util.h"

namespace padproof {
namespace {

using namespace nvcuda;

// ---- mappings -----------------------------------------------------------------------------------

/// out[lane][i] = the number of the element in x[i]; twice, from two fragments of one type.
template <class Fragment, class T>
__global__ void DumpMapping(const T* numbers, int ldm, int* out) {
  Fragment f, g;
  if constexpr (requires { wmma::load_matrix_sync(f, numbers, ldm); }) {
    wmma::load_matrix_sync(f, numbers, ldm);
    wmma::load_matrix_sync(g, numbers, ldm);
  } else {
    wmma::load_matrix_sync(f, numbers, ldm, wmma::mem_row_major);
    wmma::load_matrix_sync(g, numbers, ldm, wmma::mem_row_major);
  }
  for (int i = 0; i < f.num_elements; i++) {
    const int at = static_cast<int>(threadIdx.x) * f.num_elements + i;
    out[at] = static_cast<int>(static_cast<float>(f.x[i]));
    out[32 * f.num_elements + at] = static_cast<int>(static_cast<float>(g.x[i]));
  }
}

template <class Fragment>
std::vector<int> MappingFor(uint32_t seed) {
  using T = typename Fragment::element_type;
  static_assert(std::is_same_v<T, typename Fragment::storage_element_type>);
  const Scheduled scheduled(Order::forward, seed);
  const Matrix<T> numbers(512);
  for (size_t i = 0; i < 512; i++)
    numbers[i] = T(static_cast<float>(i));  // exact below 256 or 2048
  std::vector<int> out(2 * 32 * Fragment::num_elements);
  EXPECT_LAUNCHES((DumpMapping<Fragment, T>), 1, 32, 0, nullptr, numbers.data(), 16, out.data());
  const std::vector<int> first(out.begin(), out.begin() + 32 * Fragment::num_elements);
  EXPECT_EQ(first, std::vector<int>(out.begin() + 32 * Fragment::num_elements, out.end()));
  return first;
}

template <class Fragment>
void CheckMapping(int elements, int num_elements) {
  EXPECT_EQ(static_cast<int>(Fragment::num_elements), num_elements);
  const std::vector<int> a = MappingFor<Fragment>(1), b = MappingFor<Fragment>(2);
  EXPECT_EQ(a, MappingFor<Fragment>(1));
  std::vector<int> copies(elements);
  for (int element : a) copies.at(element)++;
  EXPECT_EQ(copies, std::vector<int>(elements, 32 * num_elements / elements));
  int equal = 0;
  for (size_t i = 0; i < a.size(); i++) equal += a[i] == b[i];
  EXPECT_LT(equal, 32);  // two permutations of 256 or more agree in one place on average
}

template <class Use, class T, class Layout = void>
using Square = wmma::fragment<Use, 16, 16, 16, T, Layout>;

TEST(SimtWmma, MappingsAreDrawnFromTheSeed) {
  // The numbers of elements are those of the toolkit's mma.h.
  CheckMapping<Square<wmma::accumulator, float>>(256, 8);
  CheckMapping<Square<wmma::accumulator, __half>>(256, 8);
  CheckMapping<Square<wmma::matrix_a, __half, wmma::row_major>>(256, 16);
  CheckMapping<Square<wmma::matrix_b, __half, wmma::row_major>>(256, 16);
  CheckMapping<Square<wmma::matrix_a, __nv_bfloat16, wmma::row_major>>(256, 8);
  EXPECT_NE((MappingFor<Square<wmma::accumulator, float>>(1)),
            (MappingFor<Square<wmma::accumulator, __half>>(1)));
  EXPECT_NE((MappingFor<Square<wmma::matrix_a, __half, wmma::row_major>>(1)),
            (MappingFor<Square<wmma::matrix_b, __half, wmma::row_major>>(1)));
  using H = __half;
  using B = __nv_bfloat16;
  using R = wmma::row_major;
  EXPECT_EQ((wmma::fragment<wmma::matrix_a, 32, 8, 16, H, R>::num_elements), 16);
  EXPECT_EQ((wmma::fragment<wmma::matrix_b, 32, 8, 16, H, R>::num_elements), 16);
  EXPECT_EQ((wmma::fragment<wmma::matrix_a, 8, 32, 16, H, R>::num_elements), 16);
  EXPECT_EQ((wmma::fragment<wmma::matrix_a, 32, 8, 16, B, R>::num_elements), 16);
  EXPECT_EQ((wmma::fragment<wmma::matrix_b, 32, 8, 16, B, R>::num_elements), 4);
  EXPECT_EQ((wmma::fragment<wmma::matrix_a, 8, 32, 16, B, R>::num_elements), 4);
  EXPECT_EQ((wmma::fragment<wmma::matrix_b, 8, 32, 16, B, R>::num_elements), 16);
  EXPECT_EQ((wmma::fragment<wmma::accumulator, 8, 32, 16, float>::num_elements), 8);
}

// ---- elementwise operations ---------------------------------------------------------------------

enum class Elementwise { all, half_of_a, by_place };

/// c = a b + c elementwise scaled: 2 a, and 0.5 of the product plus c.
template <Elementwise kKind>
__global__ void ScaleElements(const __half* a, const __half* b, float* c) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::col_major> fb;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> product, fc;
  wmma::load_matrix_sync(fa, a, 16);
  wmma::load_matrix_sync(fb, b, 16);
  wmma::load_matrix_sync(fc, c, 16, wmma::mem_row_major);
  wmma::fill_fragment(product, 0.0f);
  const int last = kKind == Elementwise::half_of_a ? 8 : fa.num_elements;
  for (int i = 0; i < last; i++) fa.x[i] = __float2half(2.0f * __half2float(fa.x[i]));
  wmma::mma_sync(product, fa, fb, product);
  for (int i = 0; i < fc.num_elements; i++) {
    // by_place: as if x[0] to x[3] were the upper half of the tile, as on some devices.
    const float scale = kKind == Elementwise::by_place && i >= 4 ? 0.25f : 0.5f;
    fc.x[i] += scale * product.x[i];
  }
  wmma::store_matrix_sync(c, fc, 16, wmma::mem_row_major);
}

template <Elementwise kKind>
int WrongElements(Order order, uint32_t seed) {
  const Scheduled scheduled(order, seed);
  const Matrix<__half> a(256), b(256);
  const Matrix<float> c(256), out(256);
  Draw(a, 1), Draw(b, 2), Draw(c, 3);
  for (size_t i = 0; i < 256; i++) out[i] = c[i];
  EXPECT_LAUNCHES(ScaleElements<kKind>, 1, 32, 0, nullptr, a.data(), b.data(), out.data());
  int wrong = 0;
  for (int i = 0; i < 256; i++) {
    float product = 0.0f;
    for (int l = 0; l < 16; l++) product += 2 * Wide(a[i / 16 * 16 + l]) * Wide(b[i % 16 * 16 + l]);
    const bool lower = kKind == Elementwise::by_place && i >= 128;
    wrong += out[i] != c[i] + (lower ? 0.25f : 0.5f) * product;
  }
  return wrong;
}

TEST(SimtWmma, ElementwiseOperationsWorkIfTheyAreUniform) {
  for (Order order : kOrders) {
    for (uint32_t seed = 0; seed < 5; seed++) {
      EXPECT_EQ(WrongElements<Elementwise::all>(order, seed), 0);
      EXPECT_GT(WrongElements<Elementwise::half_of_a>(order, seed), 100);
      EXPECT_GT(WrongElements<Elementwise::by_place>(order, seed), 50);
    }
  }
}

// ---- memory order -------------------------------------------------------------------------------

enum class Missing { none, before_load, after_load, after_store };

/// out = in, through a tile in shared memory; where __syncwarp is missing, not on every schedule.
template <Missing kMissing>
__global__ void ThroughTile(const float* in, float* out) {
  struct alignas(32) Tile {
    float x[256];
  };
  SIMT_SHARED(tile, Tile);
  const int t = threadIdx.x;
  for (int i = 0; i < 8; i++) tile.x[8 * t + i] = in[8 * t + i];
  if constexpr (kMissing != Missing::before_load) __syncwarp();
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> f;
  wmma::load_matrix_sync(f, tile.x, 16, wmma::mem_row_major);
  if constexpr (kMissing != Missing::after_load) __syncwarp();
  for (int i = 0; i < 8; i++) tile.x[8 * t + i] = -1.0f;
  __syncwarp();
  wmma::store_matrix_sync(tile.x, f, 16, wmma::mem_row_major);
  if constexpr (kMissing != Missing::after_store) __syncwarp();
  for (int i = 0; i < 8; i++) out[8 * t + i] = tile.x[8 * t + i];
}

template <Missing kMissing>
bool IsRight(Order order, uint32_t seed = 3) {
  const Scheduled scheduled(order, seed);
  const Matrix<float> in(256), out(256);
  Draw(in, 4);
  EXPECT_LAUNCHES(ThroughTile<kMissing>, 1, 32, 0, nullptr, in.data(), out.data());
  return std::memcmp(in.data(), out.data(), 256 * sizeof(float)) == 0;
}

TEST(SimtWmma, NeitherLoadsNorStoresOrderMemory) {
  for (uint32_t seed = 0; seed < 10; seed++) {
    for (Order order : kOrders) EXPECT_TRUE(IsRight<Missing::none>(order, seed));
    EXPECT_FALSE(IsRight<Missing::before_load>(Order::random, seed));
    EXPECT_FALSE(IsRight<Missing::after_load>(Order::random, seed));
    EXPECT_FALSE(IsRight<Missing::after_store>(Order::random, seed));
  }
  EXPECT_FALSE(IsRight<Missing::before_load>(Order::forward));
  EXPECT_TRUE(IsRight<Missing::before_load>(Order::reverse));
  EXPECT_TRUE(IsRight<Missing::after_load>(Order::forward));
  EXPECT_FALSE(IsRight<Missing::after_load>(Order::reverse));
  for (Order order : kOrders) EXPECT_FALSE(IsRight<Missing::after_store>(order));
}

// ---- errors -------------------------------------------------------------------------------------

struct Arguments {
  int offset = 0;  // of the pointer, in elements
  int ldm = 16;
  int offset_of_lane_7 = 0;  // more, in elements
  int ldm_of_lane_7 = 0;     // more
  bool lane_7_skips_mma = false;
  bool lane_7_leaves = false;
};

template <class T>
__global__ void Misused(Arguments arguments, const T* in, float* out) {
  const bool odd = threadIdx.x == 7;
  if (odd && arguments.lane_7_leaves) return;
  const int offset = arguments.offset + (odd ? arguments.offset_of_lane_7 : 0);
  const int ldm = arguments.ldm + (odd ? arguments.ldm_of_lane_7 : 0);
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> f;
  wmma::fill_fragment(f, 0.0f);
  if constexpr (std::is_same_v<T, float>) {
    wmma::load_matrix_sync(f, in + offset, ldm, wmma::mem_row_major);
  } else {
    wmma::fragment<wmma::matrix_a, 16, 16, 16, T, wmma::row_major> a;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, T, wmma::row_major> b;
    wmma::load_matrix_sync(a, in + offset, ldm);
    wmma::load_matrix_sync(b, in, 16);
    if (!odd || !arguments.lane_7_skips_mma) wmma::mma_sync(f, a, b, f);
  }
  wmma::store_matrix_sync(out, f, 16, wmma::mem_col_major);
}

template <class T>
void RunMisused(Arguments arguments, unsigned threads = 32) {
  const Matrix<T> in(16 * 25);
  const Matrix<float> out(256);
  for (size_t i = 0; i < in.size(); i++) in[i] = T(1.0f);
  (void)simt::launch(Misused<T>, 1, threads, 0, nullptr, arguments, in.data(), out.data());
}

TEST(SimtWmmaDeathTest, MisuseIsReportedWithTheKernelsLine) {
  const std::string here = "\n  at [^ ]*wmma_rules_test.cc:[0-9]+";
  RunMisused<float>({.offset = 8, .ldm = 20});
  RunMisused<__half>({.offset = 16, .ldm = 24});
  EXPECT_DEATH(RunMisused<float>({.offset = 4}), "not aligned to 32 bytes" + here);
  EXPECT_DEATH(RunMisused<__half>({.offset = 8}), "not aligned to 32 bytes" + here);
  EXPECT_DEATH(RunMisused<float>({.ldm = 18}), "not a multiple of 16 bytes" + here);
  EXPECT_DEATH(RunMisused<__half>({.ldm = 20}), "not a multiple of 16 bytes" + here);
  EXPECT_DEATH(RunMisused<__half>({.offset_of_lane_7 = 16}), "different matrices" + here);
  EXPECT_DEATH(RunMisused<__half>({.ldm_of_lane_7 = 8}), "different matrices" + here);
  EXPECT_DEATH(RunMisused<__half>({}, 31), "all 32 lanes of its warp" + here);
  EXPECT_DEATH(RunMisused<__half>({.lane_7_leaves = true}), "all 32 lanes of its warp" + here);
  EXPECT_DEATH(RunMisused<__half>({.lane_7_skips_mma = true}), "different warp operations" + here);
}

TEST(SimtWmmaDeathTest, AddressSanitizerSeesALoadPastTheMatrix) {
  if (!simt::kKernelHasAsan) GTEST_SKIP() << "not built with AddressSanitizer";
  EXPECT_DEATH(RunMisused<float>({.ldm = 28}), "heap-buffer-overflow(.|\n)*wmma_rules_test.cc");
}

}  // namespace
}  // namespace padproof
