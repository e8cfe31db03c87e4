// The survey: emulated kernels over the families of inputs, each run a function of one line of
// numbers, so that a violation replays.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "reference/emulation/families.h"
#include "reference/emulation/judging.h"
#include "reference/emulation/kernels.h"

namespace padproof::reference {

/// One attack: a kernel on a head.
struct Attack {
  const NamedKernel* kernel = nullptr;
  Family family = Family::randn;
  HeadShape shape;
  uint64_t seed = 0;
  bool backward = false;
  bool variants = false;  // the head is decorated
};

/// "kernel family dtype forward|backward queries n d seed", and "variants" where it has some.
std::string Print(const Attack& run);

/// False if `text` is no printed run.
bool Parse(const std::string& text, Attack& run);

Ratios Judge(const Attack& run);

/// Runs of the survey's head number `index`: one family and shape, several kernels.
std::vector<Attack> RunsOfHead(uint64_t seed, int64_t index, bool backward);
inline constexpr int kRunsOfHead = 12;

struct Survey {
  // Largest ratio by family, dtype and target.
  std::array<std::array<std::array<double, kTargets>, 3>, kFamilies> worst{};
  int64_t runs = 0, long_runs = 0, elements = 0, violations = 0;  // long: n >= 1024
  std::vector<std::string> violators;                             // printed runs, the first few

  void Add(const Attack& run, const Ratios& ratios);
  void Add(const Survey& other);
};

/// At least `runs` runs, over `jobs` threads.
Survey SurveyOf(uint64_t seed, int64_t runs, bool backward, int jobs);

/// Calls `work` for 0 <= index < count from `jobs` threads, until it returns false to one of them
/// each.
void InParallel(int64_t count, int jobs, const std::function<bool(int64_t index, int job)>& work);

}  // namespace padproof::reference
