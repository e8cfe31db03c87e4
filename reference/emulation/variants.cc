#include "reference/emulation/variants.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "harness/base/dtype.h"

namespace padproof::reference {
namespace {

size_t PairsOf(const Head& head) {
  return static_cast<size_t>(head.len_q) * static_cast<size_t>(head.len_k);
}

double Uniform(Random& random) { return std::ldexp(static_cast<double>(random.Next() >> 11), -53); }

double Stored(Dtype dtype, double x) { return Decode(dtype, Encode(dtype, x)); }

/// A window, causal or not; some rows see nothing.
void AddRanges(Head& head, Random& random) {
  const int n = head.len_k, left = random.Between(0, n), right = random.Between(0, n);
  const bool sliding = random.Chance(50);
  for (int i = 0; i < head.len_q; ++i) {
    KeyRange& keys = head.visible[static_cast<size_t>(i)];
    const int centre = sliding ? i : random.Between(0, n);
    keys.first = std::clamp(centre - left, 0, n);
    keys.last = std::clamp(centre + right + 1, 0, n);
  }
}

void AddHoles(Head& head, Random& random) {
  const int percent = random.OneOf({5, 50, 90}), run = random.OneOf({1, 1, 16, 40});
  head.hidden.assign(PairsOf(head), 0);
  bool hidden = false;
  for (size_t at = 0; at < head.hidden.size(); ++at) {
    if (at % static_cast<size_t>(run) == 0) hidden = random.Chance(percent);
    head.hidden[at] = hidden ? 1 : 0;
  }
}

/// Dense and stored, or a slope times the distance as of ALiBi, which no kernel has exactly.
void AddBias(Head& head, Random& random) {
  const bool linear = random.Chance(40);
  const double slope = std::exp2(-8.0 * (1 + Uniform(random)) / 2);
  const double size = random.OneOf({0.01, 1.0, 1.0, 10.0, 300.0});
  for (int i = 0; i < head.len_q; ++i) {
    for (int j = 0; j < head.len_k; ++j) {
      const double dense = size * (2 * Uniform(random) - 1);
      head.bias.push_back(linear ? -static_cast<double>(static_cast<float>(slope)) * std::abs(i - j)
                                 : Stored(head.dtype, dense));
    }
  }
}

void AddSinks(Head& head, Random& random) {
  const double size = random.OneOf({1.0, 5.0, 40.0});
  std::vector<double> sinks;
  for (int i = 0; i < head.len_q; ++i) {
    const ForwardRow row = Forward(head, {}, i);  // of the head so far
    const double lse = std::isfinite(row.lse.centre) ? row.lse.centre : 0;
    const double near = random.Chance(50) ? std::clamp(lse, -1e4, 1e4) : 0;
    sinks.push_back(Stored(head.dtype, near + size * (2 * Uniform(random) - 1)));
  }
  head.sink = std::move(sinks);
}

void AddDropout(Head& head, Random& random) {
  const int percent = random.OneOf({10, 50, 90});
  head.keep_scale = static_cast<float>(100.0 / (100 - percent));
  for (size_t at = 0; at < PairsOf(head); ++at) head.dropped.push_back(random.Chance(percent));
}

/// V and dO with fewer or more columns, all of numbers that they had.
void ChangeDimV(Head& head, Random& random) {
  const int dim_v = random.OneOf({1, std::max(1, head.dim_v / 2), head.dim_v + 3});
  const auto resize = [&](std::vector<double>& m, int rows) {
    if (m.empty()) return;
    std::vector<double> resized;
    for (int row = 0; row < rows; ++row) {
      for (int c = 0; c < dim_v; ++c) {
        resized.push_back(m[static_cast<size_t>(row * head.dim_v + c % head.dim_v)]);
      }
    }
    m = std::move(resized);
  };
  resize(head.v, head.len_k);
  resize(head.d_o, head.len_q);
  head.dim_v = dim_v;
}

/// What no query sees, nobody may read.
void PoisonUnseenKeys(Head& head) {
  std::vector<bool> seen(static_cast<size_t>(head.len_k));
  for (int i = 0; i < head.len_q; ++i) {
    for (int key : KeysOf(head, i)) seen[static_cast<size_t>(key)] = true;
  }
  const auto poison = [&](std::vector<double>& m, int columns) {
    for (size_t at = 0; at < m.size(); ++at) {
      if (!seen[at / static_cast<size_t>(columns)]) {
        m[at] = std::numeric_limits<double>::quiet_NaN();
      }
    }
  };
  poison(head.k, head.dim);
  poison(head.v, head.dim_v);
}

}  // namespace

void Decorate(Head& head, Random& random) {
  if (random.Chance(40)) AddRanges(head, random);
  if (random.Chance(30)) AddHoles(head, random);
  if (random.Chance(40)) AddBias(head, random);
  if (random.Chance(35)) head.softcap = random.OneOf({0.5, 5.0, 30.0, 50.0});
  if (random.Chance(35)) AddSinks(head, random);
  if (random.Chance(30)) AddDropout(head, random);
  if (random.Chance(25)) ChangeDimV(head, random);
  if (random.Chance(40) && head.len_q > 0) {
    for (int heads : {8, 5, 4, 3, 2}) {
      if (head.len_q % heads == 0) head.query_heads = std::max(head.query_heads, heads);
    }
  }
  if (random.Chance(50)) PoisonUnseenKeys(head);
}

}  // namespace padproof::reference
