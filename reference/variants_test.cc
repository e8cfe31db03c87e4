// Variants of attention in closed form, and the bound of each: a kernel that forgets a variant, or
// has it a little wrong, leaves it.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "reference/emulation/families.h"
#include "reference/emulation/judging.h"
#include "reference/emulation/kernel.h"
#include "reference/emulation/kernels.h"

namespace padproof::reference {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// One query with scores 0, ln 2 and ln 4 on values 8, 16 and 32: weights of 1, 2 and 4.
Head Doubling() {
  Head head{.len_q = 1, .len_k = 3, .dim = 1, .dim_v = 1, .scale = 1};
  head.visible = {{0, 3}};
  head.q = {1};
  head.k = {0, std::log(2.0), std::log(4.0)};
  head.v = {8, 16, 32};
  return head;
}

void ExpectRow(const Head& head, double o, double lse, double row_sum) {
  const ForwardRow row = Forward(head, {}, 0);
  EXPECT_EQ(row.out_of_domain, "");
  EXPECT_NEAR(row.out[0].centre, o, 1e-12);
  EXPECT_LT(row.out[0].radius, 1e-4);
  EXPECT_NEAR(row.lse.centre, lse, 1e-12);
  EXPECT_LT(row.lse.radius, 1e-5);
  EXPECT_NEAR(row.row_sum, row_sum, 1e-12);
  EXPECT_LT(row.row_sum_radius, 1e-5);
}

TEST(Variants, AreWhatTheySay) {
  ExpectRow(Doubling(), 168.0 / 7, std::log(7.0), 1);
  Head head = Doubling();
  head.visible = {{1, 3}};
  ExpectRow(head, 160.0 / 6, std::log(6.0), 1);
  head = Doubling();
  head.hidden = {0, 1, 0};
  ExpectRow(head, 136.0 / 5, std::log(5.0), 1);
  head = Doubling();
  head.bias = {std::log(2.0), 0, -std::log(4.0)};  // weights of 2, 2 and 1
  ExpectRow(head, 80.0 / 5, std::log(5.0), 1);
  head = Doubling();
  head.sink = {std::log(3.0)};
  ExpectRow(head, 168.0 / 10, std::log(10.0), 0.7);
  head = Doubling();
  head.dropped = {0, 0, 1};
  head.keep_scale = 2;
  ExpectRow(head, 80.0 / 7, std::log(7.0), 6.0 / 7);
  head = Doubling();
  head.softcap = 3;
  head.k = {0, 3 * std::atanh(std::log(2.0) / 3), 3 * std::atanh(std::log(4.0) / 3)};
  head.bias = {std::log(2.0), 0, -std::log(4.0)};
  ExpectRow(head, 80.0 / 5, std::log(5.0), 1);
}

TEST(Variants, AnEmptyRowWithASinkIsZero) {
  Head head = Doubling();
  head.visible = {{2, 2}};
  head.sink = {-2.5};
  const ForwardRow row = Forward(head, {}, 0);
  EXPECT_EQ(row.out_of_domain, "");
  EXPECT_EQ(row.out[0].centre, 0);
  EXPECT_EQ(row.out[0].radius, 0);
  EXPECT_EQ(row.lse.centre, -2.5);
  EXPECT_LT(row.lse.radius, 1e-5);
  head.d_o = {1};
  head.lse = {-2.5};
  head.o = {0};
  for (bool conditional : {false, true}) {
    const Gradients gradients = Backward(head, {}, conditional);
    EXPECT_EQ(gradients.out_of_domain, "");
    EXPECT_EQ(gradients.dsink[0].centre, 0);
    EXPECT_EQ(gradients.dsink[0].radius, 0);
  }
}

TEST(Variants, KeysThatNoQuerySeesAreNotRead) {
  Head head = Doubling();
  head.hidden = {0, 1, 0};
  head.dtype = Dtype::bf16;
  head.d_o = {1};
  const ForwardRow before = Forward(head, {}, 0);
  const Gradients gradients = Backward(head, {}, false);
  head.k[1] = head.v[1] = kNan;
  const ForwardRow row = Forward(head, {}, 0);
  EXPECT_EQ(row.out_of_domain, "");
  EXPECT_EQ(row.keys, (std::vector<int>{0, 2}));
  EXPECT_EQ(row.out[0].centre, before.out[0].centre);
  EXPECT_EQ(row.out[0].radius, before.out[0].radius);
  EXPECT_EQ(row.lse.radius, before.lse.radius);
  const Gradients again = Backward(head, {}, false);
  EXPECT_EQ(again.out_of_domain, "");
  EXPECT_EQ(again.dq[0][0].centre, gradients.dq[0][0].centre);
  EXPECT_EQ(again.dq[0][0].radius, gradients.dq[0][0].radius);
  EXPECT_EQ(again.dk[1][0].centre, 0);
  EXPECT_LT(again.dk[1][0].radius, 1e-30);
}

// ---- kernels that are wrong ---------------------------------------------------------------------

struct Wrong {
  const char* name;
  void (*right)(Head&);  // what the oracle is told
  void (*wrong)(Head&);  // what the kernel makes of it
};

const Wrong kWrong[] = {
    {"a softcap is forgotten", [](Head& head) { head.softcap = 30; },
     [](Head& head) { head.softcap = 0; }},
    {"a softcap is 1 % off", [](Head& head) { head.softcap = 2; },
     [](Head& head) { head.softcap = 2.02; }},
    {"a bias is of the key beside", [](Head&) {},
     [](Head& head) { std::rotate(head.bias.begin(), head.bias.begin() + 1, head.bias.end()); }},
    {"a sink is forgotten", [](Head& head) { head.sink.assign(4, -1.0); },
     [](Head& head) { head.sink.clear(); }},
    {"a sink is of the next query", [](Head& head) { head.sink = {-1, 0, 1, 2}; },
     [](Head& head) { head.sink = {0, 1, 2, -1}; }},
    {"one key too many in a window", [](Head& head) { head.visible.assign(4, {3, 20}); },
     [](Head& head) { head.visible.assign(4, {2, 20}); }},
    {"a hole is filled", [](Head& head) { head.hidden[7] = 1; },
     [](Head& head) { head.hidden[7] = 0; }},
    {"a dropped key is kept", [](Head& head) { head.dropped[5] = 1, head.keep_scale = 1.25; },
     [](Head& head) { head.dropped[5] = 0; }},
    {"dropout is not scaled", [](Head& head) { head.dropped[5] = 1, head.keep_scale = 1.25; },
     [](Head& head) { head.keep_scale = 1; }},
};

TEST(Variants, AKernelThatHasOneWrongLeavesItsBound) {
  for (const Wrong& each : kWrong) {
    for (const char* name : {"online_16_ftz", "flash_16"}) {
      const Emulation& e = FindEmulatedKernel(name)->emulation;
      Head head = HeadOf(Family::randn, {4, 24, 8, Dtype::f16}, 9);
      head.visible.assign(4, {0, 24});
      head.hidden.assign(96, 0);
      head.dropped.assign(96, 0);
      for (int at = 0; at < 96; ++at) head.bias.push_back(at % 7 * 0.25 - 0.75);
      each.right(head);
      Head wrong = head;
      each.wrong(wrong);
      const NumericsProfile profile = ProfileOf(e, Dtype::f16);
      Ratios fine;
      JudgeForward(e, profile, head, 1, fine);
      EXPECT_LE(fine.largest(), 1) << each.name;
      EmulatedKernel kernel(e, wrong, 1);
      double worst = 0;
      for (int i = 0; i < 4; ++i) {
        const ForwardRow row = Forward(head, profile, i);
        const EmulatedRow got = kernel.Forward(i);
        for (size_t c = 0; c < got.out.size(); ++c) {
          worst = std::max(worst, Ratio(Dtype::f16, got.out[c], row.out[c]));
        }
      }
      EXPECT_GT(worst, 1) << each.name << ": " << name;
    }
  }
}

}  // namespace
}  // namespace padproof::reference
