// What tests of a problem share: a case from its line, and where a view says that an element is.

#pragma once

#include <gtest/gtest.h>

#include "harness/case/case.h"
#include "harness/judge/kernel.h"

namespace padproof {

inline Case Read(const char* line) {
  auto c = Parse(line);
  EXPECT_TRUE(c) << c.error().message;
  return c ? *c : Case{.lens_q = {1}, .lens_k = {1}};
}

/// Where the view of `op` says that an element is.
inline const uint8_t* Address(const Tensor& t, Dtype dtype, int b, int h, int s, int d) {
  const int64_t at = b * t.stride[0] + h * t.stride[1] + s * t.stride[2] + d * t.stride[3];
  return static_cast<uint8_t*>(t.data) + at * static_cast<int64_t>(SizeOf(dtype));
}

}  // namespace padproof
