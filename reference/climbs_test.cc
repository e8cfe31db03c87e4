// The climbs of a row of scores against the plainest way to find them.

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "harness/base/random.h"
#include "reference/bounds.h"

namespace padproof::reference {
namespace {

/// For each score the longest chain of later ones, each at most `slack` below the one before.
std::vector<int> PlainClimbs(const std::vector<double>& scores, double slack) {
  std::vector<int> climbs(scores.size(), 0);
  for (size_t j = scores.size(); j-- > 0;) {
    for (size_t k = j + 1; k < scores.size(); ++k) {
      if (scores[k] >= scores[j] - slack) climbs[j] = std::max(climbs[j], climbs[k] + 1);
    }
  }
  return climbs;
}

TEST(Climbs, AreTheLongestThereAre) {
  Random random(3);
  int most = 0;
  for (int round = 0; round < 4000; ++round) {
    const int n = random.Between(1, 70), levels = random.OneOf({1, 3, 20, 1000});
    std::vector<double> scores;
    for (int j = 0; j < n; ++j) {
      const int trend = round % 3 == 0 ? j : round % 3 == 1 ? -j : 0;
      scores.push_back(trend + random.Between(0, levels));
    }
    const double slack = random.OneOf({0.0, 0.5, 1.0, 7.0, 100.0});
    const int cap = random.OneOf({1, 2, 7, 63, 64, 1000});
    std::vector<int> up = PlainClimbs(scores, slack);
    std::vector<double> backwards(scores.rbegin(), scores.rend());
    std::vector<int> down = PlainClimbs(backwards, slack);
    std::reverse(down.begin(), down.end());
    for (size_t j = 0; j < up.size(); ++j) {
      most = std::max(most, up[j]);
      up[j] = std::min(std::max(up[j], down[j]), cap);
    }
    scores.push_back(1e9);  // a term that is no key
    EXPECT_EQ(ClimbsOf(scores, n, slack, cap), up);
  }
  EXPECT_EQ(most, 69);
}

}  // namespace
}  // namespace padproof::reference
