// Each compiled-in row that promises repeatability gives the same bits in every order: one case,
// many schedules, where the law on its own draws one schedule a case.

#include <gtest/gtest.h>

#include <vector>

#include "harness/drivers/loaded_kernels.h"
#include "harness/drivers/random_cases.h"
#include "harness/drivers/search.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

constexpr int kCases = 300;  // a row
constexpr uint32_t kRandomOrders = 4;

std::vector<Schedule> Schedules(uint32_t seed) {
  std::vector<Schedule> schedules{{.order = Order::reverse}};
  for (uint32_t lagging : {seed % 4, seed}) {
    schedules.push_back({.order = Order::warp_lag, .seed = lagging});
  }
  for (uint32_t n = 0; n < kRandomOrders; ++n) {
    schedules.push_back({.order = Order::random, .seed = seed * kRandomOrders + n});
  }
  schedules.push_back({.order = Order::random, .seed = seed, .preempt = 4});
  return schedules;
}

TEST(ScheduleInvariance, ManyOrdersOfOneCase) {
  const Property* law = FindProperty("schedule_invariance");
  const auto rows = RowsOf("");
  ASSERT_TRUE(law != nullptr && rows);
  int judged = 0;
  for (const KernelRow* row : *rows) {
    const KernelInfo kernel = Describe(*row, "");
    if (!Inapplicable(*law, kernel).empty()) continue;
    ++judged;
    for (int n = 0; n < kCases; ++n) {
      Case c = DrawCase(DomainOf(kernel), HashOf(kernel.id), n, n % 101);
      for (const Schedule& schedule : Schedules(static_cast<uint32_t>(n))) {
        c.schedule = schedule;
        const Verdict verdict = Judge(*law, *row, c);
        ASSERT_EQ(verdict.outcome, Outcome::holds)
            << law->name << ' ' << kernel.id << ' ' << Print(c) << "\n"
            << verdict.reason << verdict.failure.where << ' ' << verdict.failure.expected << ' '
            << verdict.failure.got;
      }
    }
  }
  EXPECT_GT(judged, 0);
}

}  // namespace
}  // namespace padproof
