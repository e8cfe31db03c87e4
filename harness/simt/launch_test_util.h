// What the tests of the SIMT layer share: the orders in which a test runs its kernels, and a launch
// that must succeed.

#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#include "harness/simt/simt.h"

namespace padproof {
namespace {

[[maybe_unused]] constexpr Order kOrders[] = {Order::forward, Order::reverse, Order::random,
                                              Order::warp_lag};
[[maybe_unused]] constexpr unsigned kAll = 0xffffffffu;  // lanes of a warp

#define EXPECT_LAUNCHES(...) EXPECT_EQ(simt::launch(__VA_ARGS__), cudaSuccess)

/// The schedule of this OS thread's launches, until the end of the scope.
struct Scheduled {
  explicit Scheduled(Order order, uint32_t seed = 3) { simt::ApplySchedule(order, seed); }
  ~Scheduled() { simt::CurrentOptions() = {}; }
};

}  // namespace
}  // namespace padproof
