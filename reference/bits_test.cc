// The oracle's centres and radii are the same bits from every compiler: no contraction, no
// fast-math, no order of sums left to anyone. They do depend on the C library's exp and log, so
// those are compared first.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <span>
#include <vector>

#include "harness/base/random.h"
#include "reference/attention.h"
#include "reference/emulation/families.h"
#include "reference/emulation/variants.h"

namespace padproof::reference {
namespace {

/// Of x86-64 with FMA and glibc 2.36; g++ 12 and clang 19, -O0, -O2 and -O3.
constexpr uint64_t kLibraryBits = 13740977009378167085u;
constexpr uint64_t kOracleBits = 11232765515433380796u;

class BitsHash {
 public:
  void Add(double x) { hash_ = HashOf({hash_, std::isnan(x) ? 0 : std::bit_cast<uint64_t>(x)}); }
  void Add(const Judged& judged) {
    Add(judged.centre);
    Add(judged.radius);
  }
  void Add(const std::vector<std::vector<Judged>>& rows) {
    for (const auto& row : rows) {
      for (const Judged& judged : row) Add(judged);
    }
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0;
};

uint64_t LibraryBits() {
  BitsHash hash;
  for (int i = 1; i < 4000; ++i) {
    const double x = i * 0.0173;
    for (double y : {std::exp(x), std::exp(-x), std::log(x), std::expm1(x / 64), std::exp2(-x),
                     std::tanh(x / 16), std::cosh(x), std::log1p(x / 64)}) {
      hash.Add(y);
    }
  }
  return hash.value();
}

void AddHead(const Head& head, std::span<const NumericsProfile> profiles, BitsHash& hash) {
  for (const NumericsProfile& profile : profiles) {
    for (int i = 0; i < head.len_q; ++i) {
      const ForwardRow row = Forward(head, profile, i);
      hash.Add(row.lse);
      for (const Judged& judged : row.out) hash.Add(judged);
    }
    const Gradients gradients = Backward(head, profile, false);
    hash.Add(gradients.dq);
    hash.Add(gradients.dk);
    hash.Add(gradients.dv);
    hash.Add(gradients.dbias);
    hash.Add({gradients.dsink});
  }
}

uint64_t OracleBits() {
  BitsHash hash;
  NumericsProfile profiles[3];
  profiles[1] = {.p_rounding = 0x1p-8, .tile_keys = 16, .split = 1, .tensor_block = 8};
  profiles[2] = {.tile_keys = 16, .in_order_keys = 16};
  for (int family = 0; family < kFamilies; ++family) {
    for (Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
      Head head = HeadOf(static_cast<Family>(family), {3, 21, 8, dtype}, 1);
      AddHead(head, profiles, hash);
      Random random(static_cast<uint64_t>(family));
      Decorate(head, random);
      AddHead(head, profiles, hash);
    }
  }
  return hash.value();
}

TEST(OracleBits, AreTheSameFromEveryCompiler) {
  if (LibraryBits() != kLibraryBits) {
    GTEST_SKIP() << "another C library or processor: its exp and log hash to " << LibraryBits();
  }
  EXPECT_EQ(OracleBits(), kOracleBits);
}

}  // namespace
}  // namespace padproof::reference
