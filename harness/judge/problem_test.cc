// The tensors of a case: values do not move with pads, layout or neighbours; guards see every byte.

#include "harness/judge/problem.h"

#include <gtest/gtest.h>

#include <climits>
#include <cmath>
#include <cstring>
#include <set>
#include <tuple>

#include "harness/judge/testing/problem_test_util.h"

namespace padproof {
namespace {

// Real values of two problems agree wherever both have the token.
void ExpectSameReal(const Case& x, const Case& y, Operand op) {
  const Problem a(x), b(y);
  for (int s = 0; s < std::min(x.batch(), y.batch()); ++s) {
    for (int i = 0; i < std::min(a.RealRows(op, s), b.RealRows(op, s)); ++i) {
      for (int d = 0; d < x.dim; ++d) {
        EXPECT_EQ(a.Real(op, {s, 0, i, d}), b.Real(op, {s, 0, i, d}));
      }
    }
  }
}

TEST(Problem, RealValuesDoNotMove) {
  const Case base = Read("lens_q=3,2 lens_k=5,4 dim=2 seed=9 backward=true");
  for (const char* other :
       {"lens_q=3,2 lens_k=5,4 pad_q=3 pad_k=7 dim=2 seed=9 backward=true",
        "lens_q=3,2 lens_k=5,4 pad_k=2 pad_side=left dim=2 seed=9 backward=true",
        "lens_q=3,2 lens_k=5,4 heads=3 dim=2 layout=bshd seed=9 backward=true",
        "lens_q=3 lens_k=5 dim=2 seed=9 backward=true"}) {
    for (Operand op : {Operand::q, Operand::k, Operand::v, Operand::d_o}) {
      ExpectSameReal(base, Read(other), op);
    }
  }
}

TEST(Problem, PackedSequencesAreFoundByTheirOffsets) {
  for (const char* side : {"right", "left", "between"}) {
    Problem problem(Read((std::string("lens_q=3,0,2 lens_k=1,4,2 pad_q=2 pad_k=3 pad_side=") +
                          side + " heads=4:2 dim=2:3 layout=thd dtype=f16 fill=nan seed=5")
                             .c_str()));
    const AttentionArgs args = problem.Args(false);
    EXPECT_EQ(args.seqlen_q, 3);
    EXPECT_EQ(args.seqlen_k, 4);
    EXPECT_EQ(args.v.size[0], 1);
    EXPECT_EQ(args.v.size[1], 2);
    EXPECT_EQ(args.v.size[2], 7 + (std::string_view(side) == "between" ? 9 : 3));
    for (int b = 0; b < 3; ++b) {
      EXPECT_GE(args.cu_seqlens_k[b + 1] - args.cu_seqlens_k[b], args.seqused_k[b]);
      for (int h = 0; h < 2; ++h) {
        for (int j = 0; j < args.seqused_k[b]; ++j) {
          for (int d = 0; d < 3; ++d) {
            const int64_t at = h * args.v.stride[1] +
                               (args.cu_seqlens_k[b] + j) * args.v.stride[2] + d * args.v.stride[3];
            EXPECT_EQ(static_cast<uint16_t*>(args.v.data)[at],
                      problem.BitsAt(Operand::v, {b, h, j, d}));
            EXPECT_FALSE(IsNan(Dtype::f16, static_cast<uint16_t*>(args.v.data)[at]));
          }
        }
      }
    }
  }
}

/// The element of K or V that the block table leads to.
uint32_t ThroughTable(const AttentionArgs& args, const Tensor& pool, int b, int h, int j, int d) {
  const int32_t page = args.block_table[b * args.max_pages + j / args.page_size];
  EXPECT_GE(page, 0);
  EXPECT_LT(page, pool.size[0]);
  uint32_t bits = 0;
  std::memcpy(&bits, Address(pool, Dtype::f16, page, h, j % args.page_size, d), 2);
  return bits;
}

TEST(Problem, PagesAreFoundThroughTheTable) {
  for (const char* strides : {"contiguous", "row_padded", "offset:v", "transposed:k"}) {
    Problem problem(Read((std::string("lens_q=1,2,1 lens_k=5,0,8 pad_k=3 heads=4:2 dim=2:3 "
                                      "layout=paged:4 dtype=f16 fill=nan strides=") +
                          strides)
                             .c_str()));
    const AttentionArgs args = problem.Args(false);
    EXPECT_EQ(args.page_size, 4);
    EXPECT_EQ(args.max_pages, 3);
    EXPECT_EQ(args.seqlen_k, 12);
    const int pool = static_cast<int>(args.k.size[0]);
    EXPECT_GE(pool, 9);
    EXPECT_EQ(args.v.size[0], pool);
    EXPECT_EQ(args.v.size[2], 4);
    if (std::string_view(strides) == "contiguous") {
      EXPECT_EQ(args.v.stride[2], 2 * 3);  // [page, slot, h, d]
      EXPECT_EQ(args.v.stride[0], 4 * 2 * 3);
    }
    std::set<int32_t> used;
    for (int b = 0; b < 3; ++b) {
      for (int page = 0; page < 3; ++page) {
        const int32_t entry = args.block_table[b * 3 + page];
        EXPECT_EQ(entry == INT32_MAX, page * 4 >= args.seqused_k[b]) << b << page;
        EXPECT_TRUE(entry == INT32_MAX || used.insert(entry).second);
      }
      for (int j = 0; j < args.seqused_k[b]; ++j) {
        EXPECT_EQ(ThroughTable(args, args.v, b, 1, j, 2), problem.BitsAt(Operand::v, {b, 1, j, 2}));
        EXPECT_EQ(ThroughTable(args, args.k, b, 0, j, 1),
                  RealBits(problem.c(), Operand::k, b, 0, j, 1));
      }
    }
    int pads = 0;  // of pages of 4 slots, with 13 tokens
    for (int page = 0; page < pool; ++page) {
      for (int slot = 0; slot < 4; ++slot) {
        uint32_t bits = 0;
        std::memcpy(&bits, Address(args.k, Dtype::f16, page, 1, slot, 0), 2);
        pads += IsNan(Dtype::f16, bits);
        EXPECT_EQ(problem.IsRealInPage(page, slot), !IsNan(Dtype::f16, bits)) << page << slot;
      }
    }
    EXPECT_EQ(pads, pool * 4 - 13);
    EXPECT_EQ(problem.BrokenGuard(), "");
  }
}

TEST(Problem, PagesAreNeverInOrderAndMoveWithTheirTokens) {
  std::set<int64_t> pools;
  for (int seed = 0; seed < 30; ++seed) {
    Problem problem(Read(
        ("lens_q=1 lens_k=7 dim=1 layout=paged:4 dtype=f16 seed=" + std::to_string(seed)).c_str()));
    const std::vector<int32_t> table = problem.lengths()[6];
    EXPECT_GT(table[0], table[1]) << seed;
    pools.insert(problem.Args(false).k.size[0]);
  }
  EXPECT_EQ(pools, (std::set<int64_t>{2, 3, 5}));  // the two pages and what is spare
  Problem problem(Read("lens_q=1,1 lens_k=7,6 pad_k=4 dim=2 layout=paged:2 dtype=f16 fill=hot"));
  std::set<std::vector<int32_t>> tables;
  const Problem drawn = problem;
  for (uint64_t salt = 1; salt <= 5; ++salt) {
    problem.MovePages(salt);
    tables.insert(problem.lengths()[6]);
    const AttentionArgs args = problem.Args(false);
    for (int slot = 0; slot < 12; ++slot) {
      EXPECT_EQ(problem.Bits(Operand::k, 1, 0, slot, 1), drawn.Bits(Operand::k, 1, 0, slot, 1));
      if (slot >= 6) continue;
      EXPECT_EQ(ThroughTable(args, args.k, 1, 0, slot, 1),
                drawn.BitsAt(Operand::k, {1, 0, slot, 1}));
    }
  }
  EXPECT_EQ(tables.size(), 5u);
}

TEST(Problem, SeedsAndOperandsDiffer) {
  const Problem a(Read("lens_q=4 lens_k=4 dim=4 seed=1")),
      b(Read("lens_q=4 lens_k=4 dim=4 seed=2"));
  EXPECT_NE(a.Bytes(Operand::k), b.Bytes(Operand::k));
  EXPECT_NE(a.Bytes(Operand::k), a.Bytes(Operand::v));
}

TEST(Problem, ArgumentsCarryTheSchedule) {
  Problem problem(Read("lens_q=1 lens_k=1 dim=1 backward=true schedule=warp_lag:7,preempt:4"));
  for (bool backward : {false, true}) {
    const AttentionArgs args = problem.Args(backward);
    EXPECT_EQ(args.schedule_order, Order::warp_lag);
    EXPECT_EQ(args.schedule_seed, 7u);
    EXPECT_EQ(args.schedule_preempt, 4u);
  }
}

TEST(Problem, ViewsAddressTheSameElements) {
  for (const char* line :
       {"lens_q=3 lens_k=5,2 heads=2 dim=3", "lens_q=3,3 lens_k=5,2 heads=2 dim=3",
        "lens_q=3,1 lens_k=5,2 heads=2 dim=3 layout=bshd dtype=f16"}) {
    const auto parsed = Parse(line);
    if (!parsed) continue;  // lists of different length are refused elsewhere
    Problem problem(*parsed);
    const AttentionArgs args = problem.Args(false);
    const size_t size = SizeOf(parsed->dtype);
    for (int b = 0; b < parsed->batch(); ++b) {
      for (int h = 0; h < 2; ++h) {
        for (int s = 0; s < parsed->seqlen_k(); ++s) {
          for (int d = 0; d < 3; ++d) {
            const int64_t at = b * args.k.stride[0] + h * args.k.stride[1] + s * args.k.stride[2] +
                               d * args.k.stride[3];
            uint32_t bits = 0;
            std::memcpy(&bits, static_cast<char*>(args.k.data) + at * static_cast<int64_t>(size),
                        size);
            EXPECT_EQ(bits, problem.Bits(Operand::k, b, h, s, d));
          }
        }
      }
    }
  }
}

TEST(Problem, ADenseBiasHasPadsInRowsAndColumns) {
  Problem problem(
      Read("lens_q=2,1 lens_k=3,1 pad_q=1 pad_k=1 pad_side=left heads=2 dim=1 bias=dense "
           "fill=nan backward=true"));
  const Case& c = problem.c();
  const Tensor bias = problem.Args(false).attn_bias;
  for (int b = 0; b < 2; ++b) {
    for (int slot = 0; slot < c.seqlen_q(); ++slot) {
      for (int slot_k = 0; slot_k < c.seqlen_k(); ++slot_k) {
        const bool real = IsRealQ(c, b, slot) && IsRealK(c, b, slot_k);
        uint32_t bits = 0;
        std::memcpy(&bits, Address(bias, Dtype::f32, b, 1, slot, slot_k), 4);
        EXPECT_EQ(IsNan(Dtype::f32, bits), !real) << b << slot << slot_k;
        EXPECT_EQ(problem.IsReal(Operand::bias, b, slot, slot_k), real);
        if (!real) continue;
        const int i = slot - problem.Slot(Operand::q, b, 0),
                  j = slot_k - problem.Slot(Operand::k, b, 0);
        EXPECT_EQ(Decode(Dtype::f32, bits), BiasOf(c, b, 1, i, j));
        EXPECT_EQ(problem.BiasAt({b, 1, i, 0}, j), BiasOf(c, b, 1, i, j));
      }
    }
  }
  EXPECT_EQ(problem.Args(false).dbias.data, nullptr);
  EXPECT_NE(problem.Args(true).dbias.data, nullptr);
  Problem additive(Read("lens_q=1 lens_k=2 dim=1 bias=dense mask_form=additive"));
  EXPECT_EQ(additive.Args(false).attn_bias.data, nullptr);
  EXPECT_EQ(additive.BiasAt({0, 0, 0, 0}, 1), BiasOf(additive.c(), 0, 0, 0, 1));
}

TEST(Problem, EveryByteAroundABufferIsGuarded) {
  const Case c = Read("lens_q=2 lens_k=3 dim=2 backward=true");
  for (const int offset : {-1024, -512, -1, 0, 511, 512, 1023}) {
    Problem problem(c);
    EXPECT_EQ(problem.BrokenGuard(), "");
    auto* data = static_cast<uint8_t*>(problem.Args(true).dk.data);
    const int bytes = 3 * 2 * 4;
    data[offset < 0 ? offset : bytes + offset] ^= 0x10;
    EXPECT_EQ(problem.BrokenGuard().substr(0, 3), "dk:") << offset;
  }
}

TEST(Problem, AFlagSetBehindABufferIsSeen) {
  Problem problem(Read("lens_q=2 lens_k=3 dim=2"));
  static_cast<uint8_t*>(problem.Args(false).o.data)[2 * 2 * 4] |= 1;
  EXPECT_EQ(problem.BrokenGuard().substr(0, 4), "out:");
}

TEST(Problem, WorkspaceIsGuardedAndPrefilled) {
  Problem problem(Read("lens_q=1 lens_k=1 dim=1"), Prefill::finite_pattern);
  auto* workspace = static_cast<uint8_t*>(problem.PrepareWorkspace(8));
  EXPECT_EQ(workspace[0], 0x42);
  EXPECT_EQ(problem.BrokenGuard(), "");
  workspace[8] = 0;
  EXPECT_EQ(problem.BrokenGuard().substr(0, 10), "workspace:");
}

TEST(Problem, PadsHoldTheFill) {
  Problem problem(Read("lens_q=1,1 lens_k=2,2 pad_k=3 heads=2 dim=2 fill=nan"));
  const auto each = [&](Operand op, auto expect) {
    for (int b = 0; b < 2; ++b) {
      for (int h = 0; h < 2; ++h) {
        for (int slot = 2; slot < 5; ++slot) {
          for (int d = 0; d < 2; ++d) expect(problem.Bits(op, b, h, slot, d));
        }
      }
    }
  };
  each(Operand::k, [](uint32_t bits) { EXPECT_TRUE(IsNan(Dtype::f32, bits)); });
  Problem drawn_with_zeros(Read("lens_q=1,1 lens_k=2,2 pad_k=3 heads=2 dim=2 fill=zero"));
  EXPECT_EQ(drawn_with_zeros.Bits(Operand::k, 1, 1, 4, 1), 0u) << "fresh memory holds nan";
  problem.FillPads(Fill::zero);
  each(Operand::v, [](uint32_t bits) { EXPECT_EQ(bits, 0u); });
}

TEST(Problem, OutputsStartAsThePattern) {
  const Case c = Read("lens_q=1 lens_k=1 dim=1 dtype=bf16");
  EXPECT_EQ(Problem(c, Prefill::nan_pattern).Bits(Operand::o, 0, 0, 0, 0), 0xFFFFu);
  EXPECT_EQ(Problem(c, Prefill::finite_pattern).Bits(Operand::o, 0, 0, 0, 0), 0x4242u);
}

}  // namespace
}  // namespace padproof
