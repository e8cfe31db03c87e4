// Shrinking: the simplest case that fails in the same way.

#pragma once

#include <functional>

#include "harness/base/check.h"
#include "harness/case/case.h"
#include "harness/judge/verdict.h"

namespace padproof {

struct ShrinkBudget {
  int tries = 2000;
  double seconds = 60;
};

struct Shrunk {
  Case c;
  Failure failure;  // of c
  int steps = 0;    // accepted simplifications
  int tries = 0;    // judged candidates
  bool out_of_budget = false;
};

/// Judges a candidate; an error ends the walk with what was reached.
using JudgeFunction = std::function<Result<Verdict>(const Case&)>;

/// Precondition: `c` fails with `failure`. Never returns a case that failed in another way.
Shrunk Shrink(const Case& c, const Failure& failure, const JudgeFunction& judge,
              const ShrinkBudget& budget);

}  // namespace padproof
