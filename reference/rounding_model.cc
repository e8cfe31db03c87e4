// Weights as intervals: each is rounded at both ends of what its exponent allows, and most round to
// one number. derivations.md has the derivation.

#include "reference/rounding_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "harness/base/dtype.h"
#include "reference/bounds.h"

namespace padproof::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Powers of two up to the 512 of LibTorch on a CPU, and what FlashAttention-3 has beside them.
constexpr int kTiles[] = {16, 32, 64, 80, 96, 112, 128, 144, 160, 176, 192, 256, 512};

/// One tile of the walk: keys [begin, end) of the row.
struct Tile {
  size_t begin, end;
  double max = -kInfinity;  // running maximum after it
  double max_error = 0;     // of the kernel's own
  int raises = 0;           // later tiles that may raise the kernel's maximum once more
};

/// Of `n` keys, the first of which is number `first` of its sequence.
std::vector<Tile> TilesOf(const RoundingModel& model, size_t first, size_t n) {
  std::vector<Tile> tiles;
  const size_t tile = model.tile > 0 ? static_cast<size_t>(model.tile) : n;
  if (model.tile <= 0) first = 0;
  if (model.first > 0) first += tile - static_cast<size_t>(model.first);
  for (size_t begin = 0, size = tile - first % tile; begin < n; begin += size, size = tile) {
    if (begin > 0) size = tile;
    tiles.push_back({begin, std::min(n, begin + size)});
  }
  if (model.reverse) std::reverse(tiles.begin(), tiles.end());
  return tiles;
}

/// Running maxima. The kernel's maximum is a computed score whose real one is within the errors of
/// the real maximum, so its error is that of a score near the top.
void WalkMaxima(const Scores& scores, std::vector<Tile>& tiles) {
  double max = -kInfinity, lowest = -kInfinity;  // lowest: that the kernel's maximum can be
  double tallest_error = 0;
  std::vector<bool> may_raise;
  for (Tile& tile : tiles) {
    bool raises = false;
    for (size_t j = tile.begin; j < tile.end; ++j) {
      if (scores.s[j] + scores.error[j] >= lowest) raises = true;
    }
    for (size_t j = tile.begin; j < tile.end; ++j) {
      max = std::max(max, scores.s[j]);
      lowest = std::max(lowest, scores.s[j] - scores.error[j]);
    }
    // Errors of the keys so far that can be the kernel's maximum; a superset is sound, and keys
    // that could be it before are counted for good.
    for (size_t j = tile.begin; j < tile.end; ++j) {
      if (scores.s[j] + scores.error[j] >= lowest) {
        tallest_error = std::max(tallest_error, scores.error[j]);
      }
    }
    tile.max = max;
    tile.max_error = tallest_error;
    may_raise.push_back(raises);
  }
  int raises = 0;
  for (size_t t = tiles.size(); t-- > 0;) {
    tiles[t].raises = raises;
    if (may_raise[t]) ++raises;
  }
}

/// The weight of one key, times the common scale that makes all of them sum to 1.
struct Weight {
  double low = 0, high = 0;  // between these after its rounding
  double frame = 0;          // relative error of the rescales that follow
  double exponent = 0;       // error of its exponent before the rounding
};

double Rounded(Dtype dtype, double x) { return Decode(dtype, Encode(dtype, x)); }

/// P between p e^-error and p e^error, rounded; results below the smallest normal fp32 may be 0.
Weight WeightBetween(Dtype dtype, double p, double error, double scale) {
  Weight w;
  const double low = p * std::exp(-error);
  w.low = (low < 1.01 * kFlush ? 0 : Rounded(dtype, low)) * scale;
  w.high = Rounded(dtype, p * std::exp(error)) * scale;
  w.exponent = error;
  return w;
}

std::vector<Weight> OnlineWeights(const Head& head, const Scores& scores,
                                  const NumericsProfile& profile, const std::vector<Tile>& tiles) {
  std::vector<Weight> weights(scores.s.size());
  const Tile& last = tiles.back();
  for (const Tile& tile : tiles) {
    const double scale = std::exp(tile.max - scores.max) / scores.sum;
    double frame = 0;
    if (tile.raises > 0) {
      frame =
          tile.max_error + last.max_error + kUnit * (std::fabs(tile.max) + std::fabs(scores.max)) +
          4 * kUnit * (scores.max - tile.max) +
          tile.raises *
              (profile.exp_error + kUnit * std::max(std::fabs(tile.max), std::fabs(scores.max)));
    }
    for (size_t j = tile.begin; j < tile.end; ++j) {
      const double below = tile.max - scores.s[j];
      const double error = scores.error[j] + tile.max_error + kUnit * std::fabs(tile.max) +
                           5 * kUnit * std::fabs(below) + profile.exp_error;
      weights[j] = WeightBetween(head.dtype, std::exp(-below), error, scale);
      weights[j].frame = frame;
    }
  }
  return weights;
}

/// Three passes: the exponent errors of the row sum are in every normalised weight.
std::vector<Weight> NormalisedWeights(const Head& head, const Scores& scores,
                                      const NumericsProfile& profile) {
  const std::vector<double> errors =
      ExponentErrors(scores, std::vector<double>(scores.s.size(), 0.0), profile);
  double common = Gamma(scores.n) + 3 * kUnit;
  for (size_t j = 0; j < errors.size(); ++j) common += scores.p[j] * std::expm1(errors[j]);
  std::vector<Weight> weights;
  for (size_t j = 0; j < errors.size(); ++j) {
    weights.push_back(WeightBetween(head.dtype, scores.p[j], errors[j] + Quotient(common), 1));
  }
  return weights;
}

/// What divides the accumulated sum, over the real row sum: 1 but for rounding.
struct Division {
  double centre = 1;
  double relative = 0;  // error of it, of the reciprocal and of the final product
};

Division DivisionOf(const Scores& scores, const std::vector<Weight>& weights,
                    const RoundingModel& model, double rescales) {
  Division division;
  if (model.normalised) return division;
  double error = 0;
  if (model.sum_rounded) {
    division.centre = 0;
    for (const Weight& w : weights) {
      division.centre += (w.low + w.high) / 2;
      error += (w.high - w.low) / 2 + w.high * std::expm1(w.frame);
    }
    error /= division.centre;
  } else {
    for (size_t j = 0; j < weights.size(); ++j) {
      error += scores.p[j] * std::expm1(weights[j].exponent + weights[j].frame);
    }
  }
  division.relative = Quotient(error + Gamma(scores.n + rescales) + 6 * kUnit);
  return division;
}

/// Of one column of V, in the order of the walk.
struct Sums {
  double centre = 0;               // sum w v
  double ambiguous = 0;            // weights that may round either way, and rescales
  double absolute = 0;             // sum w |v|
  double lowest = 0, highest = 0;  // of the sums at ends of tiles
  double largest_tile = 0;         // sum w |v| of one
};

Sums SumsOf(const Head& head, const std::vector<int>& keys, const std::vector<Weight>& weights,
            const std::vector<Tile>& tiles, size_t column) {
  const auto dim = static_cast<size_t>(head.dim_v);
  Sums sums;
  for (const Tile& tile : tiles) {
    double centre = 0, either_way = 0, absolute = 0;
    for (size_t j = tile.begin; j < tile.end; ++j) {
      const Weight& w = weights[j];
      const double v = head.v[static_cast<size_t>(keys[j]) * dim + column];
      centre += (w.low + w.high) / 2 * v;
      either_way += (w.high - w.low) / 2 * std::fabs(v);
      absolute += w.high * std::fabs(v);
    }
    // A rescale multiplies what the tile added by one number.
    const double rescaled = std::expm1(weights[tile.begin].frame);
    sums.ambiguous += either_way + rescaled * (std::fabs(centre) + either_way);
    sums.centre += centre;
    sums.absolute += absolute;
    sums.lowest = std::min(sums.lowest, sums.centre);
    sums.highest = std::max(sums.highest, sums.centre);
    sums.largest_tile = std::max(sums.largest_tile, absolute);
  }
  return sums;
}

/// Tiles come in this order and each is summed in any: no partial sum exceeds the range of the sums
/// at ends of tiles by more than one tile.
Judged OutputOf(const Sums& sums, const Division& division, const RoundingModel& model,
                const NumericsProfile& profile, double n, double rescales) {
  const double in_order = sums.highest - sums.lowest + 2 * sums.ambiguous + sums.largest_tile;
  const double partial = model.any_order ? sums.absolute : std::min(sums.absolute, in_order);
  double bound = sums.ambiguous + Gamma(Units(profile, n) + rescales) * partial +
                 kUnit * sums.absolute + (2 * n + 2 * rescales + 4) * kFlush;
  const double centre = sums.centre / division.centre;
  if (!std::isfinite(centre)) return {0, kInfinity};  // an exponent may be off by so much
  bound /= division.centre;
  bound += (std::fabs(centre) + bound) * division.relative;
  return {centre, WithReferenceError(centre, bound)};
}

}  // namespace

std::string NameOf(const RoundingModel& model) {
  std::string text = model.tile > 0 ? "tiles of " + std::to_string(model.tile) : "all keys";
  if (model.first > 0) text += ", the first of " + std::to_string(model.first);
  if (model.reverse) text += ", last first";
  if (model.normalised) text += ", P normalised";
  if (model.sum_rounded) text += ", sum of rounded P";
  if (model.any_order) text += ", sums in any order";
  return text;
}

std::vector<RoundingModel> RoundingModelsFor(const NumericsProfile& profile, int keys,
                                             int first_slot) {
  std::vector<RoundingModel> models;
  const bool known = profile.p_rounding > 0 && profile.split == 0 && profile.max_lag == 0;
  if (!known || keys == 0) return models;
  models.push_back({.normalised = true});
  models.push_back({});
  for (int tile : kTiles) {
    if (tile < profile.tile_keys) continue;
    const int cut = first_slot % tile;
    for (int first : {0, tile - cut}) {
      if (first == tile || keys <= (first > 0 ? first : tile)) continue;  // one tile has all keys
      for (bool reverse : {false, true}) {
        models.push_back({.tile = tile, .first = first, .reverse = reverse});
      }
    }
  }
  const auto again = [&](bool RoundingModel::* variant, bool RoundingModel::* unless) {
    for (size_t i = 0, n = models.size(); i < n; ++i) {
      RoundingModel model = models[i];
      if (model.*unless) continue;
      model.*variant = true;
      models.push_back(model);
    }
  };
  if (profile.row_sum_of_rounded_p != 0) {
    again(&RoundingModel::sum_rounded, &RoundingModel::normalised);
  }
  again(&RoundingModel::any_order, &RoundingModel::any_order);
  return models;
}

namespace {

/// One row by its scores, of which there is at least one.
std::vector<Judged> RowByModel(const Head& head, const NumericsProfile& profile, Scores scores,
                               const RoundingModel& model) {
  if (!model.any_order) scores.error = scores.in_order;
  const auto n = static_cast<size_t>(scores.n), first = static_cast<size_t>(scores.keys.front());
  std::vector<Tile> tiles = TilesOf(model, first, n);
  WalkMaxima(scores, tiles);
  const std::vector<Weight> weights = model.normalised
                                          ? NormalisedWeights(head, scores, profile)
                                          : OnlineWeights(head, scores, profile, tiles);
  const double rescales = tiles.front().raises;
  const Division division = DivisionOf(scores, weights, model, rescales);
  std::vector<Judged> row;
  for (size_t c = 0; c < static_cast<size_t>(head.dim_v); ++c) {
    row.push_back(OutputOf(SumsOf(head, scores.keys, weights, tiles, c), division, model, profile,
                           scores.n, rescales));
  }
  return row;
}

}  // namespace

bool HasModel(const Head& head) {
  return head.hidden.empty() && head.dropped.empty() && head.sink.empty() && head.softcap == 0;
}

std::vector<Judged> ForwardByModel(const Head& head, const NumericsProfile& profile, int i,
                                   const RoundingModel& model) {
  const HeadPanels panels(head, profile, {0, head.len_k}, false);
  Scores scores = ScoresOf(panels, profile, i, true);
  if (scores.n == 0) return {};
  return RowByModel(head, profile, std::move(scores), model);
}

Explanation ExplainForward(const Head& head, const NumericsProfile& profile,
                           const std::vector<uint32_t>& out, int first_slot) {
  Explanation best{.ratio = kInfinity};
  if (!HasModel(head)) return best;
  std::vector<std::pair<int, Scores>> rows;  // in domain, with keys
  int keys = 0;                              // up to the last that a row sees
  const HeadPanels panels(head, profile, {0, head.len_k}, false);
  for (int i = 0; i < head.len_q; ++i) {
    Scores scores = ScoresOf(panels, profile, i, true);
    if (scores.n == 0 || !DomainOf(panels, scores, profile, Pass::forward).empty()) continue;
    keys = std::max(keys, scores.keys.back() + 1);
    rows.emplace_back(i, std::move(scores));
  }
  for (const RoundingModel& model : RoundingModelsFor(profile, keys, first_slot)) {
    double worst = 0;
    for (const auto& [i, scores] : rows) {
      const std::vector<Judged> row = RowByModel(head, profile, scores, model);
      for (size_t c = 0; c < row.size(); ++c) {
        const size_t at = static_cast<size_t>(i) * row.size() + c;
        worst = std::max(worst, Ratio(head.dtype, out[at], row[c]));
      }
      if (worst >= best.ratio) break;
    }
    if (worst >= best.ratio) continue;
    best = {model, worst, true};
    if (worst <= 1) break;
  }
  return best;
}

}  // namespace padproof::reference
