// What `padproof mutants` prints.

#pragma once

#include <string>
#include <vector>

#include "harness/drivers/planted.h"

namespace padproof {

/// What became of one planted bug: a line, and the case where there was one search.
std::string PlantedLine(const PlantedResult& result);

/// Counts, and how many cases the bugs needed where there was more than one seed.
std::string PlantedSummary(const std::vector<PlantedResult>& results);

/// Bugs by laws: cases until the law fails, `.` where it holds, `-` where it says nothing. Below,
/// for each law, how many bugs it kills, how many in the fewest cases (more than one law may), and
/// which it alone kills.
std::string KillMatrix(const std::vector<PlantedResult>& results,
                       const std::vector<const Property*>& laws);

std::string PlantedJson(const std::vector<PlantedResult>& results,
                        const std::vector<const Property*>& laws);

/// A survivor, a killed one that its file calls equivalent, and, with `all_laws` at hand, one that
/// another law kills than its file names.
bool AnyRed(const std::vector<PlantedResult>& results, bool all_laws);

}  // namespace padproof
