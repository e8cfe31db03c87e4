// Products of the SIMT layer's tensor cores against fp64 and against the documented order of the
// sum, in all shapes, types and layouts, and for every value of an input.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <type_traits>

#include "harness/simt/wmma_test_util.h"

namespace padproof {
namespace {

using namespace nvcuda;

template <class Layout>
constexpr bool kIsRows = std::is_same_v<Layout, wmma::row_major>;

size_t At(bool rows, int row, int column, int ldm) {
  return static_cast<size_t>(rows ? row * ldm + column : column * ldm + row);
}

// ---- products -----------------------------------------------------------------------------------

/// d = a b + c, all of one tile. Leading dimensions are 8 more than they have to be.
template <int m, int n, int k, class T, class LA, class LB, class TC, class TD>
__global__ void MultiplyTile(const T* a, const T* b, const TC* c, TD* d, bool rows) {
  wmma::fragment<wmma::matrix_a, m, n, k, T, LA> fa;
  wmma::fragment<wmma::matrix_b, m, n, k, T, LB> fb;
  wmma::fragment<wmma::accumulator, m, n, k, TC> fc;
  wmma::fragment<wmma::accumulator, m, n, k, TD> fd;
  constexpr bool kRowsA = std::is_same_v<LA, wmma::row_major>;
  constexpr bool kRowsB = std::is_same_v<LB, wmma::row_major>;
  const wmma::layout_t layout = rows ? wmma::mem_row_major : wmma::mem_col_major;
  const int ldm = (rows ? n : m) + 8;
  wmma::load_matrix_sync(fa, a, (kRowsA ? k : m) + 8);
  wmma::load_matrix_sync(fb, b, (kRowsB ? n : k) + 8);
  wmma::load_matrix_sync(fc, c, ldm, layout);
  wmma::mma_sync(fd, fa, fb, fc);
  wmma::store_matrix_sync(d, fd, ldm, layout);
}

template <int m, int n, class T, class LA, class LB, class TC, class TD>
void CheckProduct(bool rows) {
  constexpr int k = 16;
  constexpr bool kRowsA = kIsRows<LA>, kRowsB = kIsRows<LB>;
  const int lda = (kRowsA ? k : m) + 8, ldb = (kRowsB ? n : k) + 8, ldc = (rows ? n : m) + 8;
  // The last row or column has no gap behind it.
  const Matrix<T> a(lda * (kRowsA ? m : k) - 8), b(ldb * (kRowsB ? k : n) - 8);
  const Matrix<TC> c(ldc * (rows ? m : n) - 8);
  Draw(a, 1), Draw(b, 2), Draw(c, 3);
  for (Order order : kOrders) {
    for (uint32_t seed = 0; seed < 3; seed++) {
      const Scheduled scheduled(order, seed);
      const Matrix<TD> d(c.size());
      EXPECT_LAUNCHES((MultiplyTile<m, n, k, T, LA, LB, TC, TD>), 1, 32, 0, nullptr, a.data(),
                      b.data(), c.data(), d.data(), rows);
      std::set<size_t> written;
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          const size_t at = At(rows, i, j, ldc);
          written.insert(at);
          float in_order = Wide(c[at]);
          double exact = in_order, magnitude = std::fabs(exact);
          for (int l = 0; l < k; l++) {
            const float x = Wide(a[At(kRowsA, i, l, lda)]), y = Wide(b[At(kRowsB, l, j, ldb)]);
            in_order += x * y;
            exact += static_cast<double>(x) * y;  // 2^-53 each: below the slack of gamma
            magnitude += std::fabs(static_cast<double>(x) * y);
          }
          ASSERT_EQ(Wide(d[at]), Wide(TD(in_order))) << i << " " << j;
          // 16 additions, each rounded; then perhaps to half.
          const double u = 0x1p-24;
          double bound = 16 * u / (1 - 16 * u) * magnitude * (1 + 0x1p-40);
          if (std::is_same_v<TD, __half>) bound += 0x1p-11 * (std::fabs(exact) + bound) + 0x1p-25;
          ASSERT_LE(std::fabs(Wide(d[at]) - exact), bound) << i << " " << j;
        }
      }
      for (size_t i = 0; i < d.size(); i++) {
        ASSERT_TRUE(written.count(i) != 0 || Wide(d[i]) == -7.0f) << i;
      }
    }
  }
}

template <int m, int n, class T, class TC, class TD>
void CheckLayouts() {
  for (bool rows : {false, true}) {
    CheckProduct<m, n, T, wmma::row_major, wmma::row_major, TC, TD>(rows);
    CheckProduct<m, n, T, wmma::row_major, wmma::col_major, TC, TD>(rows);
    CheckProduct<m, n, T, wmma::col_major, wmma::row_major, TC, TD>(rows);
    CheckProduct<m, n, T, wmma::col_major, wmma::col_major, TC, TD>(rows);
  }
}

template <int m, int n>
void CheckShape() {
  CheckLayouts<m, n, __half, float, float>();
  CheckLayouts<m, n, __half, __half, __half>();
  CheckLayouts<m, n, __half, float, __half>();
  CheckLayouts<m, n, __half, __half, float>();
  CheckLayouts<m, n, __nv_bfloat16, float, float>();
}

TEST(SimtWmma, ProductsOf16By16) { CheckShape<16, 16>(); }
TEST(SimtWmma, ProductsOf32By8) { CheckShape<32, 8>(); }
TEST(SimtWmma, ProductsOf8By32) { CheckShape<8, 32>(); }

// ---- every value of an input --------------------------------------------------------------------

/// c[i] = a[i] for all 65536 patterns: a times a matrix that is 1 in one place.
template <class T>
__global__ void PassThrough(const T* a, const T* b, float* c) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, T, wmma::col_major> fa;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, T, wmma::row_major> fb;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> fc;
  wmma::load_matrix_sync(fb, b, 16);
  wmma::load_matrix_sync(fa, a + blockIdx.x * 256, 16);
  wmma::fill_fragment(fc, 0.0f);
  wmma::mma_sync(fc, fa, fb, fc);
  wmma::store_matrix_sync(c + blockIdx.x * 256, fc, 16, wmma::mem_col_major);
}

template <class T>
void CheckEveryPattern() {
  constexpr int kTiles = 65536 / 16;
  const Matrix<T> a(kTiles * 256), b(256);
  const Matrix<float> c(kTiles * 256);
  for (size_t i = 0; i < a.size(); i++) a[i] = T(0.0f);
  for (size_t i = 0; i < b.size(); i++) b[i] = T(i == 0 ? 1.0f : 0.0f);
  for (uint32_t bits = 0; bits < 65536; bits++) {
    const auto narrow = static_cast<uint16_t>(bits);
    std::memcpy(&a[bits / 16 * 256 + bits % 16], &narrow, sizeof narrow);
  }
  EXPECT_LAUNCHES(PassThrough<T>, kTiles, 32, 0, nullptr, a.data(), b.data(), c.data());
  for (uint32_t bits = 0; bits < 65536; bits++) {
    const float in = Wide(a[bits / 16 * 256 + bits % 16]);
    const float out = c[bits / 16 * 256 + bits % 16];
    ASSERT_TRUE(out == in || (std::isnan(out) && std::isnan(in))) << bits << ": " << out;
  }
}

TEST(SimtWmma, EveryPatternOfHalf) { CheckEveryPattern<__half>(); }
TEST(SimtWmma, EveryPatternOfBfloat16) { CheckEveryPattern<__nv_bfloat16>(); }

}  // namespace
}  // namespace padproof
