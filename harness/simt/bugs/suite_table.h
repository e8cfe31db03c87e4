// Prints what the runs showed, as text or as Markdown. Included by suite_main.cc only.

#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/bugs/suite_judge.h"
#include "harness/simt/bugs/suite_run.h"

namespace padproof::simt_bugs {
namespace {

using Row = std::vector<std::string>;

/// The first row is the head.
void PrintTable(std::vector<Row> rows, bool markdown) {
  std::vector<size_t> widths(rows[0].size());
  for (Row& row : rows) {
    for (size_t i = 0; i < row.size(); i++) {
      for (size_t at = 0; markdown && (at = row[i].find('|', at)) != std::string::npos; at += 2) {
        row[i].insert(at, "\\");
      }
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (size_t r = 0; r < rows.size(); r++) {
    std::string line = markdown ? "|" : "";
    for (size_t i = 0; i < rows[r].size(); i++) {
      const std::string pad(widths[i] - rows[r][i].size(), ' ');
      line += markdown ? " " + rows[r][i] + pad + " |" : rows[r][i] + pad + "  ";
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    std::printf("%s\n", line.c_str());
    if (r != 0) continue;
    std::string rule = markdown ? "|" : "";
    for (size_t width : widths) rule += markdown ? "---|" : std::string(width, '-') + "  ";
    std::printf("%s\n", rule.c_str());
  }
  std::printf("\n");
}

std::string BuildName() {
  std::string name;
  for (const auto& [active, text] : {std::pair{kAsan, "asan"}, std::pair{kMsan, "msan"},
                                     std::pair{kTsan, "tsan"}, std::pair{kRace, "race"}}) {
    if (active) name += (name.empty() ? "" : "+") + std::string(text);
  }
  return name.empty() ? "plain" : name;
}

/// "hidden", or how the first exposed run of the column showed itself.
std::string CellOf(const Runs& runs, const std::vector<Setup>& setups, Column column) {
  size_t exposed = 0, ran = 0;
  std::string how;
  for (size_t i = 0; i < setups.size(); i++) {
    if (setups[i].column != column) continue;
    ran++;
    if (!IsExposed(runs, i)) continue;
    exposed++;
    if (!how.empty()) continue;
    const std::string end = EndOf(*runs.broken[i]);
    how = !end.empty()                                      ? end
          : runs.broken[i]->digest != runs.clean[0]->digest ? "exposed"
                                                            : "report";
    if (end == "Aborted" && !ReportsIn(runs.broken[i]->output).empty()) how = "report";
  }
  if (ran == 0) return "not run";
  if (exposed == 0) return "hidden";
  return ran == 1 ? how : how + " " + std::to_string(exposed) + "/" + std::to_string(ran);
}

void PrintTables(const std::vector<Runs>& all, const std::vector<Setup>& setups, bool markdown) {
  std::vector<Row> bugs{{"planted bug", "clean twin", BuildName() + ", forward order"}};
  std::vector<Row> schedules{{"planted bug"}};
  for (int c = 0; c < kColumns; c++) schedules[0].emplace_back(kColumnNames[c]);
  for (const Runs& runs : all) {
    std::vector<std::string> complaints;
    JudgeClean(runs, setups, complaints);
    bugs.push_back(
        {runs.bug->bug.name,
         complaints.empty() ? "silent" : std::to_string(complaints.size()) + " runs fail",
         Describe(runs, 0)});
    if (runs.bug->bug.kind == Kind::memory) continue;
    Row& row = schedules.emplace_back(Row{runs.bug->bug.name});
    for (int c = 0; c < kColumns; c++) {
      row.push_back(CellOf(runs, setups, static_cast<Column>(c)));
    }
  }
  std::printf("Planted bugs, build %s\n\n", BuildName().c_str());
  PrintTable(bugs, markdown);
  if (schedules.size() == 1) return;
  std::printf("Races and divergence by schedule, build %s\n\n", BuildName().c_str());
  PrintTable(schedules, markdown);
}

/// What every broken twin printed in forward order.
void PrintOutputs(const std::vector<Runs>& all) {
  for (const Runs& runs : all) {
    std::printf("---- %s\n%s\n", runs.bug->bug.name, runs.broken[0]->output.c_str());
  }
}

}  // namespace
}  // namespace padproof::simt_bugs
