// What a checker of races is told of atomics and fences: each is announced before and after, with
// the bytes it covers and, before, whether for one block (*) or for all (+); a vector is as many
// atomics as it has elements.
//
// The listening build of atomics.h gets a namespace of its own here, since other tests of this
// binary have the one that is silent.

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#define SIMT_TSAN
#define host_build listening_build
#include "harness/simt/atomics.h"
#include "harness/simt/half.h"
#undef host_build
#undef SIMT_TSAN

namespace padproof {
namespace {

const char* origin = nullptr;
std::string events;

void Record(char event, const void* address, size_t bytes) {
  events += event;
  events += std::to_string(static_cast<const char*>(address) - origin) + "," +
            std::to_string(bytes) + " ";
}

}  // namespace
}  // namespace padproof

namespace padproof::simt {
inline namespace listening_build {
Current current;
void Yield(Site) {}
void EnterAtomic(const void* address, size_t bytes, bool device) {
  Record(device ? '+' : '*', address, bytes);
}
void LeaveAtomic(const void* address, size_t bytes) { Record('-', address, bytes); }
void Fence(bool device) { events += device ? "device " : "block "; }
void ReportAndAbort(const char*, Site) { std::abort(); }
}  // namespace listening_build
}  // namespace padproof::simt

namespace padproof {
namespace {

template <class Function>
std::string EventsOf(const void* from, Function function) {
  events.clear();
  origin = static_cast<const char*>(from);
  function();
  return events;
}

TEST(SimtAtomicScopes, OneForANumber) {
  struct {
    int i = 1;
    unsigned short s = 2;
    unsigned long long u = 3;
    double d = 4;
  } words;
  EXPECT_EQ(EventsOf(&words.i, [&] { atomicAdd(&words.i, 1); }), "+0,4 -0,4 ");
  EXPECT_EQ(EventsOf(&words.i, [&] { atomicMax_block(&words.i, 1); }), "*0,4 -0,4 ");
  EXPECT_EQ(EventsOf(&words.i, [&] { atomicCAS(&words.i, 9, 9); }), "+0,4 -0,4 ");
  EXPECT_EQ(EventsOf(&words.s,
                     [&] {
                       atomicCAS(&words.s, static_cast<unsigned short>(2),
                                 static_cast<unsigned short>(3));
                     }),
            "+0,2 -0,2 ");
  EXPECT_EQ(EventsOf(&words.u, [&] { atomicExch_system(&words.u, 1); }), "+0,8 -0,8 ");
  EXPECT_EQ(EventsOf(&words.d, [&] { atomicAdd(&words.d, 1.0); }), "+0,8 -0,8 ");
}

TEST(SimtAtomicScopes, OneForEachElement) {
  __half2 h(1.0f, 2.0f);
  __nv_bfloat162 b(1.0f, 2.0f);
  float2 f2{};
  float4 f4{};
  EXPECT_EQ(EventsOf(&h, [&] { atomicAdd(&h, h); }), "+0,2 -0,2 +2,2 -2,2 ");
  EXPECT_EQ(EventsOf(&b, [&] { atomicAdd(&b, b); }), "+0,2 -0,2 +2,2 -2,2 ");
  EXPECT_EQ(EventsOf(&f2, [&] { atomicAdd(&f2, f2); }), "+0,4 -0,4 +4,4 -4,4 ");
  EXPECT_EQ(EventsOf(&f4, [&] { atomicAdd_system(&f4, f4); }),
            "+0,4 -0,4 +4,4 -4,4 +8,4 -8,4 +12,4 -12,4 ");
}

TEST(SimtAtomicScopes, TheAccessesAreBetween) {
  int word = 1;
  int seen = 0;
  EventsOf(&word, [&] {
    simt::ReadModifyWrite(true, &word, [&](int old) {
      events += "update ";
      seen = old;
      return old + 1;
    });
  });
  EXPECT_EQ(events, "+0,4 update -0,4 ");
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(word, 2);
}

TEST(SimtAtomicScopes, EveryFence) {
  EXPECT_EQ(EventsOf(nullptr,
                     [] {
                       __threadfence_block();
                       __threadfence();
                       __threadfence_system();
                     }),
            "block device device ");
}

}  // namespace
}  // namespace padproof
