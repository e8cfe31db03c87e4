// dropout_mask
//
//   m_bhij = 1 where dropout keeps the weight of a pair that i sees, 0 where it drops it:
//     O on V of powers of two is a sum of kept weights over 1 - p               [support/dropout.h]
//     |sum m - N (1 - p)| <= N / 256 + sqrt(N L / 2)
//     #{m = m'} <= N a + N / 128 + sqrt(N L),   a = p^2 + (1 - p)^2
//
// for m' = m of any later batch entry, of any later query head, of the next entry and the head
// before, of the query or the key 1, 16, 32, 64, 128, 256 and a tile further on, and, under the
// next seed or one that differs in one bit, of the same pair and of the query, key, head and batch
// entry beside it; N counts the pairs that both see.
//
// Preconditions: the row has dropout. L = 60 ln 2: by Hoeffding's inequality a mask of independent
// draws breaks any one of these with a probability below 2^-58; agreements of neighbours in a row
// depend on each other only through their common draw, so each is a sum of two sums of independent
// ones. Kernels draw p in 8 bits (flash-attention: p in uint8), which N / 256 allows for.
//
// What the other laws cannot say, since they take the mask as the kernel has it: that it drops as
// often as asked, and that no two heads, sequences, rows or tiles drop the same.

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "harness/judge/property.h"
#include "properties/support/dropout.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const double kLevel = 60 * std::log(2.0);  // L

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

/// How often two masks agree, over pairs that both see.
class Agreement {
 public:
  void Add(bool same) {
    ++pairs_;
    agree_ += same;
  }
  bool IsPlausible(double p) const {
    const double n = static_cast<double>(pairs_), a = p * p + (1 - p) * (1 - p);
    return static_cast<double>(agree_) <= n * a + n / 128 + std::sqrt(n * kLevel);
  }
  std::string Text() const {
    return std::to_string(agree_) + " of " + std::to_string(pairs_) + " pairs";
  }

 private:
  int64_t pairs_ = 0, agree_ = 0;
};

/// From one pair to another one of the same problem.
struct Step {
  const char* what;
  int b, h, i, j;
};

template <class Visit>
void ForEachPairSeen(const Problem& problem, Visit visit) {
  const Case& c = problem.c();
  for (Index at{0, 0, 0, 0}; at.b < c.batch(); ++at.b) {
    for (at.h = 0; at.h < c.heads; ++at.h) {
      for (at.i = 0; at.i < problem.RealRows(Operand::q, at.b); ++at.i) {
        for (int j = 0; j < problem.RealRows(Operand::k, at.b); ++j) {
          if (problem.Keeps(at, j)) visit(static_cast<const Index&>(at), j);
        }
      }
    }
  }
}

bool IsSeen(const Problem& problem, const Index& at, int j) {
  const Case& c = problem.c();
  return at.b >= 0 && at.b < c.batch() && at.h >= 0 && at.h < c.heads && at.i >= 0 &&
         at.i < problem.RealRows(Operand::q, at.b) && j >= 0 &&
         j < problem.RealRows(Operand::k, at.b) && problem.Keeps(at, j);
}

Failure Alike(const std::string& where, std::string expected, std::string got) {
  Failure failure;
  failure.kind = kind::kValue;
  failure.region = "mask";
  failure.where = where;
  failure.expected = std::move(expected);
  failure.got = std::move(got);
  return failure;
}

std::optional<Failure> JudgeRate(const Problem& problem, double p) {
  int64_t pairs = 0, kept = 0;
  ForEachPairSeen(problem, [&](const Index& at, int j) {
    ++pairs;
    kept += !problem.IsDropped(at, j);
  });
  const double n = static_cast<double>(pairs), most = n / 256 + std::sqrt(n * kLevel / 2);
  if (std::fabs(static_cast<double>(kept) - n * (1 - p)) <= most) return std::nullopt;
  return Alike("pairs that are kept", Number(n * (1 - p)) + " +- " + Number(most),
               std::to_string(kept) + " of " + std::to_string(pairs));
}

/// `other` is the problem itself, or the same under another seed.
std::optional<Failure> JudgeStep(const Problem& problem, const Problem& other, double p,
                                 const Step& step) {
  Agreement agreement;
  ForEachPairSeen(problem, [&](const Index& at, int j) {
    const Index to{at.b + step.b, at.h + step.h, at.i + step.i, 0};
    const int key = j + step.j;
    if (!IsSeen(other, to, key)) return;
    agreement.Add(problem.IsDropped(at, j) == other.IsDropped(to, key));
  });
  if (agreement.IsPlausible(p)) return std::nullopt;
  return Alike(std::string("a pair and that of ") + step.what, "drawn by themselves",
               "alike at " + agreement.Text());
}

std::vector<Step> StepsWithin(const Case& c, const KernelTraits& traits) {
  std::vector<Step> steps{{"the next query", 0, 0, 1, 0},
                          {"the next key", 0, 0, 0, 1},
                          {"the query a tile further on", 0, 0, traits.tile_q, 0},
                          {"the key a tile further on", 0, 0, 0, traits.tile_k},
                          {"the next sequence and the head before", 1, -1, 0, 0}};
  for (int far : {16, 32, 64, 128, 256}) {
    steps.push_back({"a query further on", 0, 0, far, 0});
    steps.push_back({"a key further on", 0, 0, 0, far});
  }
  for (int b = 1; b < c.batch(); ++b) steps.push_back({"another sequence", b, 0, 0, 0});
  for (int h = 1; h < c.heads; ++h) steps.push_back({"another head", 0, h, 0, 0});
  return steps;
}

std::vector<Step> StepsToAnotherSeed() {
  std::vector<Step> steps{{"the same query and key under another seed", 0, 0, 0, 0}};
  for (int by : {1, -1}) {
    steps.push_back({"a query beside it under another seed", 0, 0, by, 0});
    steps.push_back({"a key beside it under another seed", 0, 0, 0, by});
    steps.push_back({"a head beside it under another seed", 0, by, 0, 0});
    steps.push_back({"a sequence beside it under another seed", by, 0, 0, 0});
  }
  return steps;
}

/// One bit of the seed, or those in which the next one differs from it.
uint64_t BitsToFlip(const Case& c) {
  const uint64_t draw = HashOf({c.seed, 29}), seed = DropoutSeedOf(c);
  return draw % 2 == 0 ? uint64_t{1} << (draw >> 58) : seed ^ (seed + 1);
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  if (original.dropout == 0) return Verdict::NotApplicable("needs dropout");
  const Case c = WithAllowedFill(kernel.traits, original);
  const double p = static_cast<double>(DropoutOf(c));
  Problem problem(c);
  if (auto verdict = ReadDropped(kernel, problem)) return *verdict;
  if (auto failure = JudgeRate(problem, p)) return Verdict::Fails(*failure);
  for (const Step& step : StepsWithin(c, kernel.traits)) {
    if (auto failure = JudgeStep(problem, problem, p, step)) return Verdict::Fails(*failure);
  }
  Problem other(c);
  other.FlipDropoutSeed(BitsToFlip(c));
  if (auto verdict = ReadDropped(kernel, other)) return *verdict;
  for (const Step& step : StepsToAnotherSeed()) {
    if (auto failure = JudgeStep(problem, other, p, step)) return Verdict::Fails(*failure);
  }
  return Verdict::Holds();
}

PADPROOF_PROPERTY({.name = "dropout_mask",
                   .statement = "dropout drops each weight by itself, as often as asked",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .about_attention = true});

}  // namespace
}  // namespace padproof
