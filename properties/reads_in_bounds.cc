// reads_in_bounds
//
//   no element before the first or behind the last one of a tensor, or of an array of lengths, is
//   read
//
// Preconditions: the row runs on the host. Of each buffer the end, and in a second run the begin,
// touches a page that may not be read: who does crashes, which is a finding like any other crash.
//
// Guards around buffers notice stores. A load that goes too far mostly changes nothing, since what
// it brings is masked away, until the tensor is the last one of its allocation. An AddressSanitizer
// build sees such a load to the byte; this is for every other build, and for kernels that come as
// binaries.

#include "harness/judge/property.h"
#include "properties/support/edge_memory.h"
#include "properties/support/launch.h"
#include "properties/support/prepare.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits&, bool, bool) { return nullptr; }

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c = WithAllowedFill(traits, c);
  // Where nothing is to be read, what is asked first may be beyond the end.
  if (random.Chance(30)) EnsureEmptyRow(c, traits, random);
  if (random.Chance(50)) return;
  c.pad_q = c.pad_k = 0;  // the last token of the longest sequence is the last one of the tensor
  if (!c.paged()) return;
  for (int& len : c.lens_k) len = (len + c.page_size - 1) / c.page_size * c.page_size;
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  for (Edge edge : {Edge::end, Edge::begin}) {
    Problem problem(c);
    const Launcher at_edge = [&](const KernelRow& row, Problem& moved, const AttentionArgs& args,
                                 bool backward) {
      EdgeMemory memory(moved, edge);
      const Called called = CallOnHost(row, memory.Moved(args), backward);
      memory.CopyBack();
      return called;
    };
    if (auto verdict = RunWith(at_edge, kernel, problem)) return *verdict;
  }
  return Verdict::Holds();
}

PADPROOF_PROPERTY({.name = "reads_in_bounds",
                   .statement = "nothing is read before the begin or behind the end of a tensor",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .on_host_only = true});

}  // namespace
}  // namespace padproof
