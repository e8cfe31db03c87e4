// The planted bugs of the build: which there are, and how soon laws kill them.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/drivers/search.h"
#include "harness/mutants/mutant_file.h"

namespace padproof {

/// One row of a kernel with a bug in it.
struct PlantedBug {
  Mutant mutant;
  KernelInfo row;
};

/// All rows of the mutants whose name matches, of the kernels (by their names without the bug) that
/// match. An error names a file and the remedy.
Result<std::vector<PlantedBug>> FindPlantedBugs(const std::string& glob, const std::string& kernels,
                                                Worker& worker);

/// One search for one law that kills, the law that the mutant's file names first.
struct Attempt {
  const Property* law = nullptr;  // that failed; null: none did
  int cases = 0;                  // of that law until it failed
  std::string line;               // the case, shrunk if that was asked for

  bool killed() const { return law != nullptr; }
};

struct PlantedResult {
  const PlantedBug* bug = nullptr;
  std::vector<Attempt> attempts;  // one a seed
  std::vector<int> matrix;        // by law: cases until it fails; kHolds or kSaysNothing
  double seconds = 0;
  std::string error;  // the harness itself failed

  static constexpr int kHolds = 0, kSaysNothing = -1;

  int survived() const;  // attempts
  /// Attempts that another law than the named one ended.
  int misnamed() const;
  std::vector<int> cases() const;  // of the attempts that killed
};

struct PlantedPlan {
  std::vector<const Property*> laws;
  SearchOptions search;  // its seed is the first
  int seeds = 1;
  bool matrix = false;  // every law runs, with the first seed, not only until one fails
  int jobs = 1;
};

/// In the order of the bugs; `done` hears of each as it ends, one at a time.
std::vector<PlantedResult> RunPlanted(const std::vector<PlantedBug>& bugs, const PlantedPlan& plan,
                                      const std::function<void(const PlantedResult&)>& done);

}  // namespace padproof
