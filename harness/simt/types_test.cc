// The vector types of the SIMT layer: sizes and alignments of the CUDA C++ Programming Guide's
// table of vector types, which layouts in memory and vector loads depend on.

#include "harness/simt/types.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace padproof {
namespace {

template <class T>
void ExpectLayout(size_t size, size_t alignment) {
  EXPECT_EQ(sizeof(T), size);
  EXPECT_EQ(alignof(T), alignment);
  EXPECT_TRUE(std::is_trivial_v<T> && std::is_standard_layout_v<T>);
}

#define EXPECT_LAYOUTS(name, scalar, a1, a2, a3, a4)              \
  do {                                                            \
    SCOPED_TRACE(#name);                                          \
    ExpectLayout<name##1>(sizeof(scalar), a1);                    \
    ExpectLayout<name##2>(2 * sizeof(scalar), a2);                \
    ExpectLayout<name##3>(3 * sizeof(scalar), a3);                \
    ExpectLayout<name##4>(4 * sizeof(scalar), a4);                \
    EXPECT_TRUE((std::is_same_v<decltype(name##1 ::x), scalar>)); \
    EXPECT_TRUE((std::is_same_v<decltype(name##4 ::w), scalar>)); \
    const auto v = make_##name##4(1, 2, 3, 4);                    \
    EXPECT_TRUE(v.x == 1 && v.y == 2 && v.z == 3 && v.w == 4);    \
    const auto u = make_##name##3(5, 6, 7);                       \
    EXPECT_TRUE(u.x == 5 && u.y == 6 && u.z == 7);                \
    const auto w = make_##name##2(8, 9);                          \
    EXPECT_TRUE(w.x == 8 && w.y == 9);                            \
    EXPECT_EQ(make_##name##1(10).x, 10);                          \
  } while (false)

TEST(SimtTypes, VectorsHaveTheDevicesLayout) {
  EXPECT_LAYOUTS(char, signed char, 1, 2, 1, 4);
  EXPECT_LAYOUTS(uchar, unsigned char, 1, 2, 1, 4);
  EXPECT_LAYOUTS(short, short, 2, 4, 2, 8);
  EXPECT_LAYOUTS(ushort, unsigned short, 2, 4, 2, 8);
  EXPECT_LAYOUTS(int, int, 4, 8, 4, 16);
  EXPECT_LAYOUTS(uint, unsigned, 4, 8, 4, 16);
  EXPECT_LAYOUTS(long, long, 8, 16, 8, 16);
  EXPECT_LAYOUTS(ulong, unsigned long, 8, 16, 8, 16);
  EXPECT_LAYOUTS(longlong, long long, 8, 16, 8, 16);
  EXPECT_LAYOUTS(ulonglong, unsigned long long, 8, 16, 8, 16);
  EXPECT_LAYOUTS(float, float, 4, 8, 4, 16);
  EXPECT_LAYOUTS(double, double, 8, 16, 8, 16);
}

template <class T>
void ExpectElements(const T& v) {
  EXPECT_TRUE(v.x == 1 && v.y == 2 && v.z == 3 && v.w == 4);
}

#define EXPECT_TWO_ALIGNMENTS(name)                 \
  do {                                              \
    SCOPED_TRACE(#name);                            \
    ExpectLayout<name##4_16a>(32, 16);              \
    ExpectLayout<name##4_32a>(32, 32);              \
    ExpectElements(make_##name##4_16a(1, 2, 3, 4)); \
    ExpectElements(make_##name##4_32a(1, 2, 3, 4)); \
  } while (false)

TEST(SimtTypes, FourOfEightBytesComeInTwoAlignments) {
  EXPECT_TWO_ALIGNMENTS(long);
  EXPECT_TWO_ALIGNMENTS(ulong);
  EXPECT_TWO_ALIGNMENTS(longlong);
  EXPECT_TWO_ALIGNMENTS(ulonglong);
  EXPECT_TWO_ALIGNMENTS(double);
}

TEST(SimtTypes, Dimensions) {
  EXPECT_EQ(dim3(3, 4).z, 1u);
  EXPECT_EQ(dim3(make_uint3(5, 6, 7)).y, 6u);
  const uint3 back = dim3(8, 9, 10);
  EXPECT_EQ(back.x * 100 + back.y * 10 + back.z, 900u);
}

// A load through a pointer that is not aligned to its type faults on a device. Here
// -fsanitize=alignment (part of undefined) reports it, for alignof is the device's; the builds with
// sanitizers rely on that, and there is nothing else to run.
static_assert(alignof(float4) == 16 && alignof(float2) == 8);

}  // namespace
}  // namespace padproof
