#include "harness/report/mutation_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/report/quantile.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

using nlohmann::json;

struct Counts {
  int killed = 0, unseen = 0, equivalent = 0, no_compile = 0, same_code = 0;

  void Add(const MutationReport& report, const Mutation& m) {
    killed += m.fate == Fate::killed;
    unseen += report.IsUnseen(m);
    equivalent += report.IsEquivalent(m);
    no_compile += m.fate == Fate::no_compile;
    same_code += m.fate == Fate::same_code;
  }
  double score() const { return 100.0 * killed / std::max(1, killed + unseen); }
};

Counts Total(const MutationReport& report) {
  Counts total;
  for (const Mutation& m : report.mutations) total.Add(report, m);
  return total;
}

std::string Row(std::string_view name, const Counts& c) {
  return fmt::format("{:<14}{:>8}{:>10}{:>12}{:>12}{:>11}\n", name, c.killed, c.unseen,
                     c.equivalent, c.no_compile, c.same_code);
}

std::string CountsByOperator(const MutationReport& report) {
  std::string text = fmt::format("\n{:<14}{:>8}{:>10}{:>12}{:>12}{:>11}\n", "operator", "killed",
                                 "survived", "equivalent", "no compile", "same code");
  for (const Operator& op : Operators()) {
    Counts counts;
    bool any = false;
    for (const Mutation& m : report.mutations) {
      if (m.edit.op != op.name) continue;
      counts.Add(report, m);
      any = true;
    }
    if (any) text += Row(op.name, counts);
  }
  return text + Row("all", Total(report));
}

/// Laws by how many edits they killed first.
std::map<std::string, int> Killers(const MutationReport& report) {
  std::map<std::string, int> killers;
  for (const Mutation& m : report.mutations) {
    if (m.fate == Fate::killed) ++killers[m.kill.law];
  }
  return killers;
}

std::vector<std::string> NeverFirst(const MutationReport& report) {
  const auto killers = Killers(report);
  std::vector<std::string> names;
  for (const Property* law : report.laws) {
    if (!killers.contains(law->name)) names.emplace_back(law->name);
  }
  return names;
}

std::vector<int> CasesToKill(const MutationReport& report) {
  std::vector<int> cases;
  for (const Mutation& m : report.mutations) {
    if (m.fate == Fate::killed) cases.push_back(m.kill.cases);
  }
  return cases;
}

std::string WhoKilled(const MutationReport& report) {
  const auto killers = Killers(report);
  std::vector<std::pair<std::string, int>> by_count(killers.begin(), killers.end());
  std::sort(by_count.begin(), by_count.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::string text = "first to kill:";
  for (const auto& [law, count] : by_count) text += fmt::format(" {} {},", law, count);
  text.back() = '\n';
  text += "never first:";
  for (const std::string& name : NeverFirst(report)) text += " " + name;
  return text + "\n";
}

std::string Lines(const MutationReport& report, bool (MutationReport::*is)(const Mutation&) const,
                  const std::string& title) {
  std::string text;
  for (const Mutation& m : report.mutations) {
    if (!(report.*is)(m)) continue;
    if (text.empty()) text = "\n" + Red(title) + "\n";
    text += fmt::format("  {}\n      {}\n", PlaceOf(report.file, m.edit), m.edit.source_line);
  }
  return text;
}

}  // namespace

bool MutationReport::red() const {
  return std::any_of(mutations.begin(), mutations.end(),
                     [&](const Mutation& m) { return IsUnseen(m) || IsMisjudged(m); });
}

std::string PlaceOf(const std::string& file, const Edit& edit) {
  const std::string name = std::filesystem::path(file).filename().string();
  return fmt::format("{}:{}:{}  {}  {}", name, edit.line, edit.column, edit.id, edit.what);
}

std::string FateLine(const MutationReport& report, const Mutation& m) {
  const std::string place = PlaceOf(report.file, m.edit);
  if (m.fate == Fate::killed) {
    const std::string cases =
        m.kill.cases > 0 ? fmt::format(", case {}", m.kill.cases) : ": " + m.kill.kind;
    return fmt::format("{:<10} {}   {}{}   {:.1f} s{}\n",
                       report.IsMisjudged(m) ? "KILLED" : "killed", place, m.kill.law, cases,
                       m.compile_seconds + m.run_seconds,
                       report.IsMisjudged(m) ? "   (said to be equivalent)" : "");
  }
  const bool excused = report.IsEquivalent(m);
  const std::string_view name = kFateNames[static_cast<size_t>(m.fate)];
  const std::string fate =
      report.IsUnseen(m) ? "SURVIVED" : std::string(excused ? "equivalent" : name);
  return fmt::format("{:<10} {}   {:.1f} s\n", fate, place, m.compile_seconds + m.run_seconds);
}

std::string MutationSummary(const MutationReport& report) {
  const Counts total = Total(report);
  const std::vector<int> cases = CasesToKill(report);
  std::string text = CountsByOperator(report);
  text += fmt::format(
      "\nscore {:.1f} %: {} of {} edits that change the code and are not known to be "
      "equivalent\n",
      total.score(), total.killed, total.killed + total.unseen);
  if (!cases.empty()) {
    text += fmt::format("cases of a law to the kill: median {}, p95 {}, most {}\n",
                        Quantile(cases, 0.5), Quantile(cases, 0.95), Quantile(cases, 1));
    text += WhoKilled(report);
  }
  text += Lines(report, &MutationReport::IsMisjudged, "said to be equivalent, and a law fails:");
  text += Lines(report, &MutationReport::IsUnseen, "no law sees these lines:");
  if (report.mutations.size() < report.asked) {
    text += fmt::format("the time was over: {} of {} edits were tried; run again to go on\n",
                        report.mutations.size(), report.asked);
  }
  return text;
}

std::string MutationJson(const MutationReport& report) {
  json mutants = json::array();
  for (const Mutation& m : report.mutations) {
    json entry{
        {"id", m.edit.id},
        {"operator", m.edit.op},
        {"line", m.edit.line},
        {"column", m.edit.column},
        {"what", m.edit.what},
        {"source", m.edit.source_line},
        {"fate", report.IsEquivalent(m) ? "equivalent" : kFateNames[static_cast<size_t>(m.fate)]},
        {"compile_seconds", m.compile_seconds},
        {"run_seconds", m.run_seconds}};
    if (m.fate == Fate::killed) {
      entry["killed_by"] = {{"law", m.kill.law},
                            {"kernel", m.kill.kernel},
                            {"kind", m.kill.kind},
                            {"case", m.kill.line},
                            {"cases", m.kill.cases}};
    }
    const auto reason = report.equivalents.find(m.edit.id);
    if (reason != report.equivalents.end()) entry["equivalent"] = reason->second;
    mutants.push_back(std::move(entry));
  }
  const Counts total = Total(report);
  const std::vector<int> cases = CasesToKill(report);
  const json whole{{"file", report.file},
                   {"asked", report.asked},
                   {"killed", total.killed},
                   {"survived", total.unseen},
                   {"equivalent", total.equivalent},
                   {"no_compile", total.no_compile},
                   {"same_code", total.same_code},
                   {"score_percent", total.score()},
                   {"median_cases", Quantile(cases, 0.5)},
                   {"p95_cases", Quantile(cases, 0.95)},
                   {"first_killers", Killers(report)},
                   {"never_first", NeverFirst(report)},
                   {"mutants", mutants}};
  return whole.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace padproof
