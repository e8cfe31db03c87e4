#include "fuzz/support/counters.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "harness/drivers/classes.h"

namespace padproof {
namespace {

constexpr size_t kClasses = kClassNames.size();
constexpr size_t kDtypes = EnumText<Dtype>::names.size();
constexpr size_t kLayouts = EnumText<Layout>::names.size();
constexpr size_t kMasks = EnumText<Mask>::names.size();
constexpr size_t kForms = EnumText<MaskForm>::names.size();
constexpr size_t kBiases = EnumText<Bias>::names.size();
constexpr size_t kSplits = 4;    // the kernel's choice, one, few, more than there are tiles
constexpr size_t kOutcomes = 5;  // of Outcome

struct Counters {
  std::array<uint8_t, kClasses * kDtypes * kLayouts> classes;
  std::array<uint8_t, kClasses * kClasses> pairs;
  std::array<uint8_t, kMasks * kForms * kBiases> masks;
  std::array<uint8_t, kSplits * kLayouts> splits;
  std::array<uint8_t, kOutcomes * kDtypes> outcomes;
};

// libFuzzer reads and clears every byte of this section around each run.
__attribute__((section("__libfuzzer_extra_counters"))) Counters counters;

template <class E>
size_t At(E value) {
  return static_cast<size_t>(value);
}

size_t SplitKind(const Case& c, int tile_k) {
  if (c.splits <= 1) return static_cast<size_t>(std::max(c.splits, 0));
  const int longest = *std::max_element(c.lens_k.begin(), c.lens_k.end());
  return c.splits * tile_k <= longest ? 2 : 3;
}

}  // namespace

void CountCase(const Case& c, int tile_k, const Verdict& verdict) {
  const auto shown = Classify(c, tile_k);
  for (size_t a = 0; a < kClasses; ++a) {
    if (!shown[a]) continue;
    counters.classes[(a * kDtypes + At(c.dtype)) * kLayouts + At(c.layout)] = 1;
    for (size_t b = a; b < kClasses; ++b) counters.pairs[a * kClasses + b] |= shown[b] ? 1 : 0;
  }
  counters.masks[(At(c.mask) * kForms + At(c.mask_form)) * kBiases + At(c.bias)] = 1;
  counters.splits[SplitKind(c, tile_k) * kLayouts + At(c.layout)] = 1;
  counters.outcomes[At(verdict.outcome) * kDtypes + At(c.dtype)] = 1;
}

}  // namespace padproof
