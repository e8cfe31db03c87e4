// Prints what the runs showed.

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
void PrintTable(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line, rule;
    for (size_t i = 0; i < row.size(); i++) {
      line += row[i] + std::string(widths[i] - row[i].size(), ' ') + "  ";
      rule += std::string(widths[i], '-') + "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::printf("%s\n", line.c_str());
    if (&row == &rows[0]) std::printf("%s\n", rule.c_str());
  }
  std::printf("\n");
}

/// "hidden", or how the first exposed run of the column showed itself and how many did.
std::string CellOf(const Runs& runs, const std::vector<size_t>& setups) {
  size_t exposed = 0;
  std::string how;
  for (size_t i : setups) {
    if (!IsExposed(runs, i)) continue;
    exposed++;
    if (!how.empty()) continue;
    const Outcome& outcome = *runs.broken[i];
    const std::string end = EndOf(outcome);
    how = !ReportsIn(outcome.output).empty() ? "report" : end.empty() ? "output" : end;
  }
  if (setups.empty()) return "not run";
  if (exposed == 0) return "hidden";
  return how + " " + std::to_string(exposed) + "/" + std::to_string(setups.size());
}

void PrintTables(const std::vector<Runs>& all, const std::vector<Setup>& setups) {
  std::vector<Row> bugs{{"planted bug", "clean twin", BuildName() + ", forward order"}};
  std::vector<Row> schedules{{"planted bug"}};
  for (int c = 0; c < kColumns; c++) schedules[0].emplace_back(kColumnNames[c]);
  for (const Runs& runs : all) {
    std::vector<Failure> complaints;
    JudgeClean(runs, setups, complaints);
    bugs.push_back(
        {runs.bug->bug.name,
         complaints.empty() ? "silent" : std::to_string(complaints.size()) + " runs fail",
         Describe(*runs.broken[0], *runs.bug, *runs.clean[0])});
    if (!ShowsSchedules(runs.bug->bug)) continue;
    Row& row = schedules.emplace_back(Row{runs.bug->bug.name});
    for (int c = 0; c < kColumns; c++) {
      row.push_back(CellOf(runs, SetupsOf(setups, static_cast<Column>(c))));
    }
  }
  std::printf("Planted bugs, build %s\n\n", BuildName().c_str());
  PrintTable(bugs);
  if (schedules.size() == 1) return;
  std::printf("What each schedule exposes, build %s\n\n", BuildName().c_str());
  PrintTable(schedules);
}

/// What every broken twin printed in forward order.
void PrintOutputs(const std::vector<Runs>& all) {
  for (const Runs& runs : all) {
    std::printf("---- %s\n%s\n", runs.bug->bug.name, runs.broken[0]->output.c_str());
  }
}

}  // namespace
}  // namespace padproof::simt_bugs
