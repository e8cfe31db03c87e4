// Longest climbs of a row of scores.

#include <algorithm>
#include <bit>
#include <limits>

#include "reference/bounds.h"

namespace padproof::reference {
namespace {

/// Climbs of one walk, from its end.
class ClimbingWalk {
 public:
  static constexpr int kWindow = 64;

  explicit ClimbingWalk(int most)
      : most_(static_cast<size_t>(most)),
        top_(2 * std::bit_floor(most_ + 1) + kWindow + kStep,
             -std::numeric_limits<double>::infinity()) {}

  int Add(double score, double least) {
    // `top_` does not increase with the length, so that the lengths of climbs that may follow come
    // first. Without branches, which nobody could predict: bisected and then, since no step of a
    // bisection begins before the last, counted.
    size_t length = 0;
    for (size_t half = std::bit_floor(longest_ + 1); half >= kWindow; half /= 2) {
      length += half * static_cast<size_t>(top_[length + half - 1] >= least);
    }
    length = std::min(length + CountOf(length, least), most_);
    longest_ = std::max(longest_, length);
    for (size_t at = length + 1; at-- > 0 && top_[at] < score;) top_[at] = score;
    return static_cast<int>(length);
  }

 private:
  static constexpr size_t kStep = 8;

  /// Of the next kWindow lengths, how many are long enough: first by steps.
  size_t CountOf(size_t begin, double least) const {
    const size_t end = std::min(begin + kWindow, longest_ + 1);
    size_t steps = 0, rest = 0;
    for (size_t at = begin + kStep; at <= end; at += kStep) {
      steps += static_cast<size_t>(top_[at - 1] >= least);
    }
    const double* next = &top_[begin + steps * kStep];
    for (size_t at = 0; at < kStep; ++at) rest += static_cast<size_t>(next[at] >= least);
    return steps * kStep + rest;
  }

  size_t most_, longest_ = 0;
  // [length] the largest score so far from which a climb of at least that length starts.
  std::vector<double> top_;
};

}  // namespace

std::vector<int> ClimbsOf(const std::vector<double>& scores, int n, double slack, int cap) {
  std::vector<int> climbs(static_cast<size_t>(n));
  // Longer ones than asked for, where they cost nothing: a walk at its cap is hard to predict.
  ClimbingWalk up(std::min(n, std::max(cap, 2 * ClimbingWalk::kWindow))), down = up;
  for (int at = 0; at < n; ++at) {  // both at once: neither waits for the other
    const auto first = static_cast<size_t>(at), last = static_cast<size_t>(n - 1 - at);
    const int to_first = down.Add(scores[first], scores[first] - slack);
    const int to_last = up.Add(scores[last], scores[last] - slack);
    climbs[first] = std::max(climbs[first], to_first);
    climbs[last] = std::max(climbs[last], to_last);
  }
  for (int& climb : climbs) climb = std::min(climb, cap);
  return climbs;
}

}  // namespace padproof::reference
