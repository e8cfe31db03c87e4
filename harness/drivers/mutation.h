// Edits made by rule, tried one after another: compiled, run through the laws, and what became of
// each.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/drivers/hunt.h"
#include "harness/drivers/kernel_library.h"
#include "harness/mutants/edits.h"
#include "harness/mutants/flatten.h"

namespace padproof {

enum class Fate { killed, survived, same_code, no_compile };
inline constexpr std::array<std::string_view, 4> kFateNames{"killed", "survived", "same code",
                                                            "no compile"};

struct Mutation {
  Edit edit;
  Fate fate = Fate::no_compile;
  Kill kill;  // of one that was killed
  double compile_seconds = 0, run_seconds = 0;
};

struct MutationPlan {
  std::string file;                   // that is edited
  std::string source;                 // of it
  std::vector<Surroundings> kernels;  // through which it is compiled
  std::vector<const Property*> laws;
  std::string rows = "*";  // globs
  SearchOptions search;
  double seconds = 0;  // for all; 0: no limit
  int jobs = 1;
  std::string folder;              // for what is compiled
  std::vector<std::string> flags;  // for the compiler, besides the build's
};

struct MutationEvents {
  /// What is known of an edit from an earlier run; called by one thread at a time, as is `tried`.
  std::function<bool(Mutation&)> known;
  std::function<void(const Mutation&, bool was_known)> tried;
};

struct Tried {
  std::vector<Mutation> mutations;  // in the order of the edits; fewer if the time was over
  std::string refused;              // why none was tried: the source is not right as it is
};

/// First the source as it is goes the way of its edits: where it does not compile, has no row or
/// fails a law, every edit would be "killed". An error is the harness's own.
Result<Tried> TryEdits(const MutationPlan& plan, const std::vector<Edit>& edits,
                       const MutationEvents& events);

}  // namespace padproof
