// guards_intact
//
//   no byte outside a buffer that was handed to the kernel changes
//
// Preconditions: none. Guard bands stand before and after every buffer, workspace included: NaN in
// every dtype, and int32 1, 2, 3, ... which are subnormal floats, so that a stray atomic add of +0
// that flushes subnormals is seen too (Dao-AILab/flash-attention#2755).

#include "harness/judge/property.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool, bool) { return nullptr; }

void Prepare(Case& c, const KernelTraits& traits, Random&) { c.fill = AllowedFill(traits, c.fill); }

Verdict Check(const KernelRow& kernel, const Case& original) {
  Problem problem(WithAllowedFill(kernel.traits, original));
  if (auto verdict = RunForBits(kernel, problem)) return *verdict;
  const std::string broken = problem.BrokenGuard();
  if (broken.empty()) return Verdict::Holds();
  return Verdict::Fails({.kind = kind::kGuard,
                         .region = broken.substr(0, broken.find(':')),
                         .where = broken,
                         .expected = "expected: untouched",
                         .got = "got: overwritten"});
}

PADPROOF_PROPERTY({.name = "guards_intact",
                   .statement = "a call writes nothing outside the buffers it was given",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check});

}  // namespace
}  // namespace padproof
