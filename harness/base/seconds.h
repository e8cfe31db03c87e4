// Seconds that have passed, by a clock that nobody sets.

#pragma once

#include <chrono>

namespace padproof {

using Clock = std::chrono::steady_clock;

inline double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace padproof
