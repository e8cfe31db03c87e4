// Edits of a case stay valid, stay inside the kernel's domain, change something, and reach every
// field.

#include "harness/case/mutate.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace padproof {
namespace {

Domain Narrow() {
  Domain domain;
  domain.dtypes = SetOf(Dtype::f16, Dtype::bf16);
  domain.masks = SetOf(Mask::none, Mask::causal_br);
  domain.layouts = SetOf(Layout::bshd);
  domain.dim_max = 32;
  domain.dim_multiple = 8;
  domain.backward_only = true;
  return domain;
}

void ExpectInside(const Case& c, const Domain& domain) {
  EXPECT_EQ(Validate(c), "") << Print(c);
  EXPECT_TRUE(domain.dtypes.Has(c.dtype) && domain.masks.Has(c.mask)) << Print(c);
  EXPECT_TRUE(domain.layouts.Has(c.layout)) << Print(c);
  EXPECT_TRUE(c.dim <= domain.dim_max && c.dim % domain.dim_multiple == 0) << Print(c);
  EXPECT_TRUE(c.backward || !domain.backward_only) << Print(c);
}

TEST(Mutate, StaysInsideTheDomainAndChangesSomething) {
  for (const Domain& domain : {Domain{}, Narrow()}) {
    Random random(5);
    Case c = Generate(domain, random, 60);
    int changed = 0;
    for (int n = 0; n < 2000; ++n) {
      const Case next = Mutate(c, domain, random);
      ExpectInside(next, domain);
      changed += next != c;
      c = next;
    }
    EXPECT_EQ(changed, 2000);
  }
}

TEST(Mutate, ReachesEveryField) {
  Random random(6);
  Case c = Generate({}, random, 60);
  std::set<std::string> fields;
  for (int n = 0; n < 3000; ++n) {
    const Case next = Mutate(c, {}, random);
    const auto note = [&](const char* field, bool differs) {
      if (differs) fields.insert(field);
    };
    note("lens_q", next.lens_q != c.lens_q);
    note("lens_k", next.lens_k != c.lens_k);
    note("pad_q", next.pad_q != c.pad_q);
    note("pad_k", next.pad_k != c.pad_k);
    note("pad_side", next.pad_side != c.pad_side);
    note("heads", next.heads != c.heads);
    note("dim", next.dim != c.dim);
    note("mask", next.mask != c.mask);
    note("window", next.window != c.window);
    note("group", next.group != c.group);
    note("dim_v", next.dim_v != c.dim_v);
    note("mask_form", next.mask_form != c.mask_form);
    note("holes", next.holes != c.holes);
    note("bias", next.bias != c.bias);
    note("softcap", next.softcap != c.softcap);
    note("sink", next.sink != c.sink);
    note("dropout", next.dropout != c.dropout);
    note("splits", next.splits != c.splits);
    note("layout", next.layout != c.layout);
    note("dtype", next.dtype != c.dtype);
    note("values", next.values != c.values);
    note("fill", next.fill != c.fill);
    note("backward", next.backward != c.backward);
    note("schedule", !(next.schedule == c.schedule));
    note("order", next.schedule.order != c.schedule.order);
    const Schedule &was = c.schedule, &now = next.schedule;
    note("rate alone", was.order == now.order && was.seed == now.seed && was.preempt != 0 &&
                           now.preempt != 0 && now.preempt != was.preempt);
    note("seed", next.seed != c.seed);
    c = next;
  }
  EXPECT_EQ(fields.size(), 27u);
}

TEST(Cross, TakesFromBothParentsAndStaysInside) {
  Random random(7);
  int mixed = 0;
  for (int n = 0; n < 500; ++n) {
    const Case a = Generate(Narrow(), random, 70), b = Generate(Narrow(), random, 70);
    const Case child = Cross(a, b, Narrow(), random);
    ExpectInside(child, Narrow());
    mixed += child != a && child != b;
  }
  EXPECT_GT(mixed, 250);
}

}  // namespace
}  // namespace padproof
