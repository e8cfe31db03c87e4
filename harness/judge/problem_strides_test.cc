// Where elements lie under each of the strides of a case, and what lies between them.

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <tuple>

#include "harness/judge/problem.h"
#include "harness/judge/testing/problem_test_util.h"

namespace padproof {
namespace {

TEST(Problem, StridesPlaceEachElementOnceAndLeaveGapsAlone) {
  for (const char* strides : {"contiguous", "row_padded", "offset", "transposed", "sliced"}) {
    for (const char* layout : {"bhsd", "bshd", "thd"}) {
      Problem problem(Read((std::string("lens_q=3,1 lens_k=5,2 pad_k=1 heads=4:2 dim=3:2 dtype=f16 "
                                        "layout=") +
                            layout + " strides=" + strides)
                               .c_str()));
      const AttentionArgs args = problem.Args(false);
      std::set<const uint8_t*> seen;
      for (int h = 0; h < 2; ++h) {
        for (int s = 0; s < args.k.size[2]; ++s) {
          for (int d = 0; d < 3; ++d) seen.insert(Address(args.k, Dtype::f16, 0, h, s, d));
        }
      }
      EXPECT_EQ(seen.size(), static_cast<size_t>(2 * args.k.size[2] * 3)) << strides << layout;
      uint16_t bits = 0;
      std::memcpy(&bits, Address(args.k, Dtype::f16, 0, 1, 4, 2), 2);
      EXPECT_EQ(bits, problem.Bits(Operand::k, 0, 1, 4, 2)) << strides << layout;
      problem.PrefillOutput(Operand::o, Prefill::finite_pattern);
      EXPECT_EQ(problem.Bits(Operand::o, 0, 3, 2, 1), 0x4242u);
      EXPECT_EQ(problem.BrokenGuard(), "") << strides << layout;
    }
  }
}

TEST(Problem, AlignmentAndGapsAreWhatStridesSay) {
  const auto view = [](const char* strides) {
    Problem problem(Read(
        (std::string("lens_q=3 lens_k=5 heads=2 dim=3 dtype=f16 strides=") + strides).c_str()));
    const Tensor k = problem.Args(false).k;
    return std::tuple(reinterpret_cast<uintptr_t>(k.data) % 64, k.stride[2], k.stride[3]);
  };
  EXPECT_EQ(view("contiguous"), std::tuple(0, 3, 1));
  EXPECT_EQ(view("row_padded"), std::tuple(0, 16, 1));
  EXPECT_EQ(view("offset"), std::tuple(2, 3, 1));
  EXPECT_EQ(view("transposed"), std::tuple(0, 1, 5));
  EXPECT_EQ(view("offset:q"), std::tuple(0, 3, 1));
}

TEST(Problem, ASliceHasHeadsAndSlotsBehindItsOwn) {
  const auto strides = [](const char* layout, Tensor AttentionArgs::* tensor) {
    Problem problem(Read((std::string("lens_q=3,1 lens_k=5,2 heads=4:2 dim=3 strides=sliced "
                                      "layout=") +
                          layout)
                             .c_str()));
    const AttentionArgs args = problem.Args(false);
    const int64_t* stride = (args.*tensor).stride;
    return std::tuple(stride[0], stride[1], stride[2], stride[3]);
  };
  EXPECT_EQ(strides("bhsd", &AttentionArgs::k), std::tuple(3 * 7 * 3, 7 * 3, 3, 1));
  EXPECT_EQ(strides("bshd", &AttentionArgs::k), std::tuple(7 * 3 * 3, 3, 3 * 3, 1));
  EXPECT_EQ(strides("bhsd", &AttentionArgs::lse), std::tuple(5 * 5, 5, 1, 1));
}

TEST(Problem, ExpandedHeadsOfInputsShareMemory) {
  Problem problem(Read("lens_q=2 lens_k=3 heads=4:2 dim=2 strides=expanded backward=true"));
  const AttentionArgs args = problem.Args(true);
  for (const Tensor* input : {&args.q, &args.k, &args.v, &args.d_o}) {
    EXPECT_EQ(input->stride[1], 0);
  }
  for (const Tensor* output : {&args.dq, &args.dk, &args.dv}) EXPECT_GT(output->stride[1], 0);
  EXPECT_EQ(args.k.size[1], 2);
  EXPECT_EQ(problem.Bits(Operand::k, 0, 0, 2, 1), problem.Bits(Operand::k, 0, 1, 2, 1));
  EXPECT_EQ(problem.Bytes(Operand::k).size(), 3u * 2 * sizeof(float));
}

TEST(Problem, AStoreIntoAGapIsSeen) {
  for (const char* strides : {"row_padded", "offset"}) {
    Problem problem(
        Read((std::string("lens_q=2 lens_k=2 dim=3 dtype=f16 strides=") + strides).c_str()));
    const Tensor o = problem.Args(false).o;
    auto* data = static_cast<uint16_t*>(o.data);
    data[o.stride[2] == 3 ? -1 : 3] = 0;
    EXPECT_NE(problem.BrokenGuard().find("out: byte "), std::string::npos) << strides;
    EXPECT_NE(problem.BrokenGuard().find("in a gap between rows"), std::string::npos);
  }
  Problem problem(Read("lens_q=2 lens_k=2 heads=2 dim=3 dtype=f16 strides=sliced"));
  static_cast<uint16_t*>(problem.Args(false).o.data)[2 * 3] = 0;
  EXPECT_NE(problem.BrokenGuard().find("in a gap between rows"), std::string::npos);
}

}  // namespace
}  // namespace padproof
