#include "harness/report/planted_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/report/quantile.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

using nlohmann::json;
using Results = std::vector<PlantedResult>;

bool SaidEquivalent(const PlantedResult& r) { return !r.bug->mutant.equivalent.empty(); }
bool IsKilled(const PlantedResult& r) { return r.survived() == 0; }
bool IsMisjudged(const PlantedResult& r) { return SaidEquivalent(r) && !r.cases().empty(); }
bool IsUnseen(const PlantedResult& r) { return !SaidEquivalent(r) && r.survived() > 0; }

int Count(const Results& results, bool (*is)(const PlantedResult&)) {
  return static_cast<int>(std::count_if(results.begin(), results.end(), is));
}

std::string Spread(const std::vector<int>& cases) {
  return fmt::format("median {}, p95 {}, most {}", Quantile(cases, 0.5), Quantile(cases, 0.95),
                     Quantile(cases, 1));
}

std::string OneSearch(const PlantedResult& r) {
  const Attempt& a = r.attempts[0];
  return fmt::format("{}   {:<44} {:<24} after {:>3} cases{}{}\n         {}\n", Green("killed"),
                     r.bug->row.id, a.law->name, a.cases,
                     r.misnamed() > 0 ? "   (not the law its file names)" : "",
                     SaidEquivalent(r) ? "   (said to be equivalent)" : "", a.line);
}

std::string ManySearches(const PlantedResult& r) {
  const size_t seeds = r.attempts.size();
  std::string notes;
  if (r.misnamed() > 0) {
    notes += fmt::format("   (by another law than its file names: {} of {})", r.misnamed(), seeds);
  }
  if (SaidEquivalent(r)) notes += "   (said to be equivalent)";
  return fmt::format("{}   {:<44} {:<24} {} cases, {} seeds{}   {:.1f} s\n", Green("killed"),
                     r.bug->row.id, r.bug->mutant.killed_by, Spread(r.cases()), seeds, notes,
                     r.seconds);
}

/// Over all bugs and seeds: "median 2, p95 17, most 80", and who needs many.
std::string SpreadOfAll(const Results& results) {
  std::vector<int> all;
  std::string slow;
  for (const PlantedResult& r : results) {
    const std::vector<int> cases = r.cases();
    all.insert(all.end(), cases.begin(), cases.end());
    const int p95 = Quantile(cases, 0.95);
    constexpr int kMany = 20;
    if (p95 > kMany) slow += fmt::format("  {:<44} {}\n", r.bug->row.id, Spread(cases));
  }
  std::string text = "cases of a law to the kill: " + Spread(all) + "\n";
  if (!slow.empty()) text += "above 20 at p95:\n" + slow;
  return text;
}

/// The bugs that fall to one law.
struct Kills {
  int all = 0;
  int first = 0;            // no other law kills them in fewer cases
  int alone = 0;            // no other law kills them at all
  std::string alone_names;  // ": row row"
};

Kills KillsOf(size_t law, const Results& results) {
  Kills kills;
  for (const PlantedResult& r : results) {
    if (law >= r.matrix.size() || r.matrix[law] <= 0) continue;
    int killers = 0, fewest = r.matrix[law];
    for (int cases : r.matrix) {
      if (cases <= 0) continue;
      ++killers;
      fewest = std::min(fewest, cases);
    }
    ++kills.all;
    kills.first += r.matrix[law] == fewest;
    if (killers > 1) continue;
    ++kills.alone;
    kills.alone_names += (kills.alone == 1 ? ": " : " ") + r.bug->row.name;
  }
  return kills;
}

}  // namespace

std::string PlantedLine(const PlantedResult& r) {
  if (!r.error.empty()) return {};
  if (IsKilled(r)) return r.attempts.size() == 1 ? OneSearch(r) : ManySearches(r);
  const bool excused = SaidEquivalent(r) && r.cases().empty();
  const std::string seeds = r.attempts.size() == 1
                                ? ""
                                : fmt::format("  {} of {} seeds", r.survived(), r.attempts.size());
  return fmt::format("{} {:<44} {}{}\n", excused ? "equivalent" : Red("SURVIVED"), r.bug->row.id,
                     excused ? r.bug->mutant.equivalent : r.bug->mutant.bug, seeds);
}

std::string PlantedSummary(const Results& results) {
  const int unseen = Count(results, IsUnseen), misjudged = Count(results, IsMisjudged);
  const int equivalent = Count(results, SaidEquivalent) - misjudged;
  const int killed = static_cast<int>(results.size()) - unseen - equivalent;
  std::string text =
      fmt::format("{} killed, {} survived, {} equivalent\n", killed, unseen, equivalent);
  if (!results.empty() && results[0].attempts.size() > 1) text += SpreadOfAll(results);
  if (misjudged > 0) {
    text += fmt::format("{}: {} killed that their files call equivalent\n", Red("RED"), misjudged);
  }
  return text;
}

std::string KillMatrix(const Results& results, const std::vector<const Property*>& laws) {
  std::string text = fmt::format("\n{:<44}", "cases until law ... fails");
  for (size_t n = 0; n < laws.size(); ++n) text += fmt::format("{:>4}", n + 1);
  text += "\n";
  for (const PlantedResult& r : results) {
    text += fmt::format("{:<44}", r.bug->row.name);
    for (int cases : r.matrix) {
      const bool killed = cases > 0;
      text += fmt::format("{:>4}", killed                           ? std::to_string(cases)
                                   : cases == PlantedResult::kHolds ? "."
                                                                    : "-");
    }
    text += "\n";
  }
  std::string idle;
  for (size_t n = 0; n < laws.size(); ++n) {
    const Kills kills = KillsOf(n, results);
    text += fmt::format("{:>4}  {:<26}kills {:>3}, first {:>3}, alone {:>3}{}\n", n + 1,
                        laws[n]->name, kills.all, kills.first, kills.alone, kills.alone_names);
    if (kills.first == 0) idle += std::string(" ") + laws[n]->name;
  }
  return text + (idle.empty() ? "" : "never first, hence never alone:" + idle + "\n");
}

std::string PlantedJson(const Results& results, const std::vector<const Property*>& laws) {
  json rows = json::array();
  for (const PlantedResult& r : results) {
    json attempts = json::array(), matrix = json::object();
    for (const Attempt& a : r.attempts) {
      attempts.push_back({{"killed", a.killed()},
                          {"law", a.killed() ? a.law->name : ""},
                          {"cases", a.cases},
                          {"case", a.line}});
    }
    for (size_t n = 0; n < r.matrix.size(); ++n) matrix[laws[n]->name] = r.matrix[n];
    rows.push_back({{"kernel", r.bug->row.id},
                    {"mutant", r.bug->mutant.name},
                    {"bug", r.bug->mutant.bug},
                    {"killed_by", r.bug->mutant.killed_by},
                    {"equivalent", r.bug->mutant.equivalent},
                    {"attempts", attempts},
                    {"matrix", matrix},
                    {"median_cases", Quantile(r.cases(), 0.5)},
                    {"p95_cases", Quantile(r.cases(), 0.95)},
                    {"seconds", r.seconds}});
  }
  const json whole{{"survived", Count(results, IsUnseen)},
                   {"misjudged", Count(results, IsMisjudged)},
                   {"mutants", rows}};
  return whole.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

bool AnyRed(const Results& results, bool all_laws) {
  return std::any_of(results.begin(), results.end(), [&](const PlantedResult& r) {
    return IsUnseen(r) || IsMisjudged(r) || (all_laws && r.misnamed() > 0 && IsKilled(r));
  });
}

}  // namespace padproof
