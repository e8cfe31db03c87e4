// The CUDA types a kernel names, without the toolkit. On the host these are always used, even where
// the toolkit is installed, so that a result never depends on what a machine has.
//
// They live in padproof::simt and are aliased into the global namespace: a binary may also contain
// objects made by nvcc, whose types of the same spelling are other types.
//
// Here are the vectors and the types of launches; __half, __nv_bfloat16 and what computes with them
// are in half.h. Vectors are aligned as on the device, where an access through a pointer that is
// not aligned so faults; UndefinedBehaviorSanitizer reports it here.

#pragma once

#if defined(__DRIVER_TYPES_H__) || defined(__VECTOR_TYPES_H__) || defined(__CUDA_FP16_H__)
#error "on the host, include harness/simt/simt.h instead of the CUDA Toolkit's headers"
#endif

#include <cstdint>

#include "harness/simt/errors.h"

#pragma GCC visibility push(hidden)
namespace padproof::simt {
inline namespace host_build {
inline namespace toolkit_names {

#define PADPROOF_SIMT_VECTOR_1_TO_3(T, name, alignment_2)       \
  struct name##1 { T x; };                                      \
  struct alignas(alignment_2) name##2 { T x, y; };              \
  struct name##3 { T x, y, z; };                                \
  constexpr name##1 make_##name##1(T x) { return {x}; }         \
  constexpr name##2 make_##name##2(T x, T y) { return {x, y}; } \
  constexpr name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }
#define PADPROOF_SIMT_VECTOR_4(T, name, alignment) \
  struct alignas(alignment) name {                 \
    T x, y, z, w;                                  \
  };                                               \
  constexpr name make_##name(T x, T y, T z, T w) { return {x, y, z, w}; }
#define PADPROOF_SIMT_VECTOR(T, name)                 \
  PADPROOF_SIMT_VECTOR_1_TO_3(T, name, 2 * sizeof(T)) \
  PADPROOF_SIMT_VECTOR_4(T, name##4, 4 * sizeof(T) < 16 ? 4 * sizeof(T) : 16)
// Four of 8 bytes come in three names; the plain one is aligned to 16 bytes.
#define PADPROOF_SIMT_WIDE_VECTOR(T, name)   \
  PADPROOF_SIMT_VECTOR(T, name)              \
  PADPROOF_SIMT_VECTOR_4(T, name##4_16a, 16) \
  PADPROOF_SIMT_VECTOR_4(T, name##4_32a, 32)

PADPROOF_SIMT_VECTOR(signed char, char)
PADPROOF_SIMT_VECTOR(unsigned char, uchar)
PADPROOF_SIMT_VECTOR(short, short)
PADPROOF_SIMT_VECTOR(unsigned short, ushort)
PADPROOF_SIMT_VECTOR(int, int)
PADPROOF_SIMT_VECTOR(unsigned, uint)
PADPROOF_SIMT_VECTOR(float, float)
PADPROOF_SIMT_WIDE_VECTOR(long, long)
PADPROOF_SIMT_WIDE_VECTOR(unsigned long, ulong)
PADPROOF_SIMT_WIDE_VECTOR(long long, longlong)
PADPROOF_SIMT_WIDE_VECTOR(unsigned long long, ulonglong)
PADPROOF_SIMT_WIDE_VECTOR(double, double)

#undef PADPROOF_SIMT_WIDE_VECTOR
#undef PADPROOF_SIMT_VECTOR
#undef PADPROOF_SIMT_VECTOR_4
#undef PADPROOF_SIMT_VECTOR_1_TO_3

}  // namespace toolkit_names

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}     // NOLINT(google-explicit-constructor)
  constexpr operator uint3() const { return {x, y, z}; }  // NOLINT(google-explicit-constructor)
};

}  // namespace host_build
}  // namespace padproof::simt

using namespace padproof::simt::toolkit_names;  // NOLINT(google-build-using-namespace)
using padproof::simt::dim3;
#pragma GCC visibility pop

#include "harness/simt/half.h"
