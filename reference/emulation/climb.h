// The climb: from a wild or a family head, small changes that never lower the ratio of one target.
// The cheapest way to find an error that the bound forgets.

#pragma once

#include <cstdint>
#include <string>

#include "reference/emulation/judging.h"
#include "reference/emulation/kernels.h"

namespace padproof::reference {

/// A head that no family makes: any exponent, tiny shapes.
Head WildHead(Random& random, Dtype dtype);

/// Changes one number: its sign, by two, a little, or to another of its matrix.
void Tweak(Head& head, Random& random);

/// One climb is a function of these.
struct ClimbStart {
  Target target = Target::o;
  Dtype dtype = Dtype::f32;
  uint64_t seed = 0;
  bool variants = false;  // the head is decorated
};

struct Climb {
  double best = 0;
  int64_t evaluations = 0;
  std::string kernel, inputs;  // where the best was: "fa4", "wild" or the name of a family
};
inline constexpr int kClimbSteps = 60;
Climb ClimbFrom(const ClimbStart& start, int steps = kClimbSteps);

/// The same with a kernel that is given, judged by a profile that may not be its own.
Climb ClimbWith(const NamedKernel& kernel, const NumericsProfile& profile, const ClimbStart& start,
                int steps);

/// "target dtype seed", and "variants" where it has some; false if `text` is no printed start.
std::string Print(const ClimbStart& start);
bool Parse(const std::string& text, ClimbStart& start);

}  // namespace padproof::reference
