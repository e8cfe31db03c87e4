// dropout_mask
//
//   m_bhij = 1 where dropout keeps the weight of a pair that i sees, 0 where it drops it:
//     O on V of powers of two is a sum of kept weights over 1 - p               [support/dropout.h]
//     |sum m - N (1 - p)| <= N / 256 + sqrt(N L / 2)
//     #{m = m'} <= N a + N / 128 + sqrt(N L),   a = p^2 + (1 - p)^2
//
// for the mask m' laid over m with a shift: within a head of any number of queries or of keys (of
// rows and keys without one bit alone, too), of both up to 16, of up to two queries and any number
// of keys; to any later batch entry or head, the next ones with a query and a key to each side; and
// for m' under a seed that differs in one bit. N counts the pairs that both see. Other pairs
// may be alike under another seed: kernels that hash seed + index have no better, and no call sees
// both.
//
// Preconditions: the row has dropout. L = 75 ln 2: by Hoeffding's inequality a mask of independent
// draws breaks any one of these with a probability below 2^-73, and a case has less than 2^15 of
// them; agreements under one shift depend on each other only where a draw is in two of them, so
// each is a sum of two sums of independent ones. Kernels draw p in 8 bits (flash-attention: p in
// uint8), which N / 256 allows for.
//
// What the other laws cannot say, since they take the mask as the kernel has it: that it drops as
// often as asked, and that no two heads, sequences, rows or tiles drop the same.

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "harness/judge/property.h"
#include "properties/support/dropout.h"
#include "properties/support/mask_bits.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const double kLevel = 75 * std::log(2.0);  // L

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  return traits.features.Has(Feature::dropout) ? nullptr : "has no dropout";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c = WithAllowedFill(traits, c);
  if (c.dropout == 0) c.dropout = random.OneOf({10, 50, 50, 50});
  // Hundreds of pairs, in few launches; what else there is only takes some of them away.
  const size_t b = random.Below(static_cast<uint32_t>(c.lens_q.size()));
  const auto grow = [&](int& len, int tile) {
    len = std::max(len, std::min(40, std::max(20, 2 * tile + random.Between(0, 3))));
  };
  grow(c.lens_q[b], traits.tile_q);
  grow(c.lens_k[b], traits.tile_k);
  if (random.Chance(15)) c.lens_k[b] = 76;  // a step of 64 has pairs
  if (random.Chance(10)) {                  // and one of 256
    c.lens_q[b] = 20;
    c.lens_k[b] = 290;
  }
  if (random.Chance(50)) c.mask = traits.masks.Has(Mask::none) ? Mask::none : c.mask;
  if (c.mask == Mask::none) c.window = {};
  const int multiple = traits.dim_multiple;
  c.dim = std::clamp(c.dim, multiple, std::max(multiple, 16 / multiple * multiple));
  c.dim_v = 0;
}

bool IsPlausible(const Agreement& agreement, double p) {
  const double n = static_cast<double>(agreement.pairs), a = p * p + (1 - p) * (1 - p);
  return static_cast<double>(agreement.alike) <= n * a + n / 128 + std::sqrt(n * kLevel);
}

/// The masks of a problem, [batch][heads].
using Masks = std::vector<std::vector<MaskBits>>;

Masks MasksOf(const Problem& problem) {
  Masks masks(static_cast<size_t>(problem.c().batch()));
  for (int b = 0; b < problem.c().batch(); ++b) {
    for (int h = 0; h < problem.c().heads; ++h) {
      masks[static_cast<size_t>(b)].emplace_back(problem, b, h);
    }
  }
  return masks;
}

/// From one pair to another one, of the same problem or of one with another seed.
struct Step {
  int b = 0, h = 0, i = 0, j = 0;
  MaskBits::Half half;
};

Failure Alike(const std::string& where, std::string expected, std::string got) {
  Failure failure;
  failure.kind = kind::kValue;
  failure.region = "mask";
  failure.where = where;
  failure.expected = std::move(expected);
  failure.got = std::move(got);
  return failure;
}

std::optional<Failure> JudgeRate(const Masks& masks, double p) {
  int64_t pairs = 0, kept = 0;
  for (const auto& of_sequence : masks) {
    for (const MaskBits& mask : of_sequence) {
      pairs += mask.seen();
      kept += mask.kept();
    }
  }
  const double n = static_cast<double>(pairs), most = n / 256 + std::sqrt(n * kLevel / 2);
  if (std::fabs(static_cast<double>(kept) - n * (1 - p)) <= most) return std::nullopt;
  return Alike("pairs that are kept", Number(n * (1 - p)) + " +- " + Number(most),
               std::to_string(kept) + " of " + std::to_string(pairs));
}

/// "a pair and that at i+8 j-1"
std::string TextOf(const Step& step) {
  std::string text = "a pair and that at";
  const auto add = [&](const char* what, int by) {
    if (by != 0) text += std::string(" ") + what + (by > 0 ? "+" : "") + std::to_string(by);
  };
  add("b", step.b);
  add("h", step.h);
  add("i", step.i);
  add("j", step.j);
  return text == "a pair and that at" ? "a pair and itself" : text;
}

/// `to` is `from`, or of the same problem under another seed.
std::optional<Failure> JudgeStep(const Masks& from, const Masks& to, double p, const Step& step) {
  const auto beyond = [](size_t n, int by, size_t size) {
    const int64_t at = static_cast<int64_t>(n) + by;
    return at < 0 || at >= static_cast<int64_t>(size);
  };
  Agreement sum;
  for (size_t b = 0; b < from.size(); ++b) {
    if (beyond(b, step.b, to.size())) continue;
    const auto& others = to[b + static_cast<size_t>(step.b)];
    for (size_t h = 0; h < from[b].size(); ++h) {
      if (beyond(h, step.h, others.size())) continue;
      from[b][h].LayOver(others[h + static_cast<size_t>(step.h)], step.i, step.j, step.half, sum);
    }
  }
  if (IsPlausible(sum, p)) return std::nullopt;
  return Alike(
      TextOf(step) + (&from == &to ? "" : " under another seed"), "drawn by themselves",
      "alike at " + std::to_string(sum.alike) + " of " + std::to_string(sum.pairs) + " pairs");
}

/// Within a head: counters that run on into the next rows, words that several pairs share.
std::vector<Step> StepsInHead(int rows, int keys) {
  std::vector<Step> steps;
  for (int i = 0; i < rows; ++i) {
    const int far = i <= 2 ? keys - 1 : i <= 16 ? std::min(16, keys - 1) : 0;
    for (int j = i == 0 ? 1 : -far; j <= far; ++j) steps.push_back({.i = i, .j = j});
  }
  for (int bit = 1; bit < rows; bit *= 2) steps.push_back({.i = bit, .half = {.row_bit = bit}});
  for (int bit = 1; bit < keys; bit *= 2) steps.push_back({.j = bit, .half = {.key_bit = bit}});
  return steps;
}

/// To other heads and batch entries, and, of those next to it, to what lies beside the pair.
std::vector<Step> StepsBetweenHeads(int batch, int heads) {
  std::vector<Step> steps;
  for (int b = 0; b < batch; ++b) {
    for (int h = b == 0 ? 1 : 1 - heads; h < heads; ++h) {
      const int beside = b <= 1 && std::abs(h) <= 1 ? 1 : 0;
      for (int i = -beside; i <= beside; ++i) {
        for (int j = -beside; j <= beside; ++j) steps.push_back({b, h, i, j, {}});
      }
    }
  }
  return steps;
}

/// The first that fails.
std::optional<Failure> JudgeSteps(const Masks& masks, double p, const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    if (auto failure = JudgeStep(masks, masks, p, step)) return failure;
  }
  return std::nullopt;
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  if (original.dropout == 0) return Verdict::NotApplicable("needs dropout");
  const Case c = WithAllowedFill(kernel.traits, original);
  const double p = static_cast<double>(DropoutOf(c));
  Problem problem(c);
  if (auto verdict = ReadDropped(kernel, problem)) return *verdict;
  const Masks masks = MasksOf(problem);
  if (auto failure = JudgeRate(masks, p)) return Verdict::Fails(*failure);
  const int rows = *std::max_element(c.lens_q.begin(), c.lens_q.end());
  const int keys = *std::max_element(c.lens_k.begin(), c.lens_k.end());
  for (const auto& steps : {StepsInHead(rows, keys), StepsBetweenHeads(c.batch(), c.heads)}) {
    if (auto failure = JudgeSteps(masks, p, steps)) return Verdict::Fails(*failure);
  }
  Problem other(c);
  other.FlipDropoutSeed(uint64_t{1} << (HashOf({c.seed, 29}) >> 58));
  if (auto verdict = ReadDropped(kernel, other)) return *verdict;
  return HoldsUnless(JudgeStep(masks, MasksOf(other), p, {}));
}

PADPROOF_PROPERTY({.name = "dropout_mask",
                   .statement = "dropout drops each weight by itself, as often as asked",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .about_attention = true});

}  // namespace
}  // namespace padproof
