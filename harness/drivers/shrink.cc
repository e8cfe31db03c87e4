#include "harness/drivers/shrink.h"

#include <chrono>

#include "harness/drivers/random_cases.h"

namespace padproof {

Shrunk Shrink(const Case& c, const Failure& failure, const JudgeFunction& judge,
              const ShrinkBudget& budget) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(budget.seconds);
  Shrunk result{.c = c, .failure = failure};
  result.c = WalkDown(c, [&](const Case& candidate) {
    if (result.tries >= budget.tries || Clock::now() >= end) {
      result.out_of_budget = true;
      return Keep::stop;
    }
    ++result.tries;
    const auto verdict = judge(candidate);
    if (!verdict) return Keep::stop;
    const bool same = verdict->outcome == Outcome::fails && verdict->failure.kind == failure.kind &&
                      verdict->failure.region == failure.region;
    if (!same) return Keep::no;
    ++result.steps;
    result.failure = verdict->failure;
    return Keep::yes;
  });
  return result;
}

}  // namespace padproof
