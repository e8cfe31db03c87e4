// What the tests of the host API share: a device that each test finds and leaves empty.

#pragma once

#include <gtest/gtest.h>

#include <cstddef>

#include "harness/simt/toolkit.h"

#define EXPECT_OK(...) EXPECT_EQ(__VA_ARGS__, cudaSuccess)

namespace padproof {

class HostTest : public testing::Test {
 protected:
  void SetUp() override { cudaGetLastError(); }
  void TearDown() override { EXPECT_OK(cudaDeviceReset()); }

  template <class T = float>
  T* Device(size_t count, simt::Site where = simt::Site::current()) {
    T* data = nullptr;
    EXPECT_OK(cudaMalloc(&data, count * sizeof(T), where));
    return data;
  }
};

}  // namespace padproof
