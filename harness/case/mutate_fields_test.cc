// How far one mutation goes: one to three fields, a bounded cost, and home from anywhere.

#include <gtest/gtest.h>

#include <utility>

#include "harness/case/mutate.h"

namespace padproof {
namespace {

const Domain kNarrow{.dtypes = SetOf(Dtype::f16, Dtype::bf16),
                     .layouts = SetOf(Layout::bshd),
                     .masks = SetOf(Mask::none, Mask::causal_br),
                     .pad_sides = SetOf(PadSide::left),
                     .dim_max = 64,
                     .dim_multiple = 8,
                     .tile_q = 64,
                     .tile_k = 128,
                     .backward = false,
                     .backward_only = false,
                     .scheduled = false};

/// Counted on the fields themselves, apart from mutate.cc's own count.
int Differing(const Case& a, const Case& b) {
  int count = 0;
  const auto note = [&](const auto& x, const auto& y) { count += x == y ? 0 : 1; };
  const auto& [lens_q, lens_k, pad_q, pad_k, pad_side, heads, group, dim, dim_v, mask, window,
               mask_form, holes, bias, scale, softcap, sink, dropout, splits, layout, page_size,
               strides, strided, dtype, values, fill, backward, schedule, seed] = a;
  note(lens_q, b.lens_q);
  note(lens_k, b.lens_k);
  note(pad_q, b.pad_q);
  note(pad_k, b.pad_k);
  note(pad_side, b.pad_side);
  note(heads, b.heads);
  note(dim, b.dim);
  note(group, b.group);
  note(dim_v, b.dim_v);
  note(std::pair(mask, window), std::pair(b.mask, b.window));  // one field of the line
  note(mask_form, b.mask_form);
  note(holes, b.holes);
  note(bias, b.bias);
  note(scale, b.scale);
  note(softcap, b.softcap);
  note(sink, b.sink);
  note(dropout, b.dropout);
  note(splits, b.splits);
  note(std::pair(layout, page_size), std::pair(b.layout, b.page_size));
  note(std::pair(strides, strided), std::pair(b.strides, b.strided));
  note(dtype, b.dtype);
  note(values, b.values);
  note(fill, b.fill);
  note(backward, b.backward);
  note(schedule, b.schedule);
  note(seed, b.seed);
  return count;
}

TEST(MutateFields, ChangesOneToThree) {
  Random random(31);
  for (const Domain& domain : {Domain{}, kNarrow}) {
    for (int n = 0; n < 3000; ++n) {
      const Case c = Generate(domain, random, n % 101);
      const Case mutated = Mutate(c, domain, random);
      ASSERT_EQ(Validate(mutated), "") << Print(mutated);
      ASSERT_TRUE(IsWithin(domain, mutated)) << Print(mutated);
      ASSERT_GE(Differing(c, mutated), 1) << Print(c);
      ASSERT_LE(Differing(c, mutated), 3) << Print(c) << " -> " << Print(mutated);
    }
  }
}

TEST(MutateFields, AWalkStaysCheap) {
  Random random(37);
  Case c = Generate({}, random, 0);
  for (int n = 0; n < 5000; ++n) {
    c = Mutate(c, {}, random);
    ASSERT_LE(Work(c), kMaxWork);
  }
}

TEST(MutateFields, ComesHomeFromOutsideTheDomain) {
  Random random(41);
  for (int n = 0; n < 1000; ++n) {
    Case c = Generate({}, random, 100);
    c.dim = random.Between(1, kMaxDim);
    const Case mutated = Mutate(c, kNarrow, random);
    ASSERT_EQ(Validate(mutated), "");
    ASSERT_TRUE(IsWithin(kNarrow, mutated)) << Print(mutated);
    ASSERT_NE(mutated, c);
  }
}

}  // namespace
}  // namespace padproof
