// A fuzz target: which laws on which kernels. One file under fuzz/ defines Target(); driver.cc
// turns it into libFuzzer's entry points, replay_main.cc into a program that replays files, so that
// the target that searches and the one that guards cannot drift apart.
//
// Inputs are text, one entry: "LAW KERNEL@BACKEND lens_q=... lens_k=... dim=...", the line that
// `padproof replay` takes. Target files and driver run kernel code in-process. A target whose
// inputs are something else is a file under fuzz/standalone/ with entry points of its own.

#pragma once

#include <string_view>
#include <vector>

#include "harness/case/generate.h"

namespace padproof {

struct FuzzTarget {
  std::string_view kernels;  // globs, comma separated; $PADPROOF_FUZZ_KERNELS overrides it
  std::vector<std::string_view> laws;  // names
  // Bends every edited case towards what the target is about; null: any case will do. What the
  // kernel cannot do is undone afterwards.
  void (*bend)(Case& c, const Domain& domain, Random& random) = nullptr;
};

const FuzzTarget& Target();

}  // namespace padproof
