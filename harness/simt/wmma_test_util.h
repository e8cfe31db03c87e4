// What the tests of tensor cores share: aligned matrices and schedules. Included by them only.

#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "harness/base/random.h"
#include "harness/simt/launch_test_util.h"
#include "harness/simt/wmma.h"

namespace padproof {
namespace {

/// Elements aligned as matrices have to be, of exactly that many bytes.
template <class T>
class Matrix {
 public:
  explicit Matrix(size_t count) : count_(count) {
    data_.reset(static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{32})));
    for (size_t i = 0; i < count; i++) data_.get()[i] = T(-7.0f);
  }
  T* data() const { return data_.get(); }
  T& operator[](size_t i) const { return data_.get()[i]; }
  size_t size() const { return count_; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t{32}); }
  };
  size_t count_;
  std::unique_ptr<T, Free> data_;
};

inline float Wide(float x) { return x; }
inline float Wide(__half x) { return __half2float(x); }
inline float Wide(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class T>
void Draw(const Matrix<T>& matrix, uint64_t seed) {
  Random random(seed);
  for (size_t i = 0; i < matrix.size(); i++) {
    const float magnitude = std::ldexp(1.0f, random.Between(-3, 3));
    matrix[i] = T(static_cast<float>(random.Between(-2047, 2047)) * magnitude / 2048.0f);
  }
}

}  // namespace
}  // namespace padproof
