// What the toy kernel reads through: a header of its own, so that edits of headers can be tried.

#pragma once

#include "harness/judge/kernel.h"

namespace padproof::toy {

inline float& At(const Tensor& t, int b, int h, int s, int d) {
  return static_cast<float*>(
      t.data)[b * t.stride[0] + h * t.stride[1] + s * t.stride[2] + d * t.stride[3]];
}

}  // namespace padproof::toy
