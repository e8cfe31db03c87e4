// The committed table of what finds what: this build's columns hold what was measured, the other
// builds' columns what they measured last. A cell that nobody has measured is "?".

#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/bugs/suite_judge.h"

namespace padproof::simt_bugs {
namespace {

/// The table's columns after the bug's name: five schedules, then the tools.
constexpr const char* kFoundColumns[] = {"forward", "reverse", "random", "warp lag", "preempt",
                                         "runtime", "asan",    "msan",   "tsan",     "race"};

using Cells = std::map<std::string, std::string>;  // column: cell
using FoundTable = std::map<std::string, Cells>;   // bug: cells

/// What this build measured of one bug. A plain build speaks for schedules and for the runtime, any
/// other one for its tools; preemption needs the race checker's hooks.
Cells MeasuredCells(const Runs& runs, const std::vector<Setup>& setups) {
  const Bug& bug = runs.bug->bug;
  Cells cells;
  for (int c = 0; c < kColumns; c++) {
    const std::vector<size_t> chosen = SetupsOf(setups, static_cast<Column>(c));
    if (chosen.empty() || (c == kPreempt ? !kRace : !kPlain)) continue;
    const bool shown = ShowsSchedules(bug);
    cells[kFoundColumns[c]] = !shown ? "-" : IsColumnExposed(runs, chosen) ? "exposed" : "hidden";
  }
  for (const Speaker* speaker : Watchers()) {
    if (kRace && kAsan && speaker->expectation == &Bug::asan) continue;  // the asan build's
    const Tool& claim = bug.*speaker->expectation;
    bool matched = false;
    const bool spoke = !KindsOf(*runs.broken[0], *speaker, claim, matched).empty();
    cells[speaker->name] = claim.verdict == Verdict::undefined ? "-" : spoke ? "found" : "silent";
  }
  return cells;
}

/// The rows of a Markdown table with the columns above; text around it is skipped.
FoundTable ReadFoundTable(const std::string& path) {
  FoundTable table;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| `", 0) != 0) continue;
    std::istringstream cells(line.substr(2));
    std::string name, cell;
    cells >> name;
    name = name.substr(1, name.size() - 2);
    std::getline(cells, cell, '|');
    for (const char* column : kFoundColumns) {
      std::getline(cells, cell, '|');
      const size_t begin = cell.find_first_not_of(' '), end = cell.find_last_not_of(' ');
      table[name][column] = begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1);
    }
  }
  return table;
}

/// Rows in the order of their names.
std::string TextOf(const FoundTable& table) {
  std::string head = "| planted bug |", rule = "|---|", rows;
  for (const char* column : kFoundColumns) {
    head += " " + std::string(column) + " |";
    rule += "---|";
  }
  for (const auto& [name, cells] : table) {
    rows += "| `" + name + "` |";
    for (const char* column : kFoundColumns) {
      const auto cell = cells.find(column);
      rows += " " + (cell == cells.end() || cell->second.empty() ? "?" : cell->second) + " |";
    }
    rows += "\n";
  }
  return head + "\n" + rule + "\n" + rows;
}

/// The committed table with what this build measured; bugs that are no more are dropped.
FoundTable Updated(const FoundTable& committed, const std::vector<Runs>& all,
                   const std::vector<Setup>& setups) {
  FoundTable table;
  for (const Runs& runs : all) {
    const auto known = committed.find(runs.bug->bug.name);
    Cells& cells = table[runs.bug->bug.name];
    if (known != committed.end()) cells = known->second;
    for (auto& [column, cell] : MeasuredCells(runs, setups)) cells[column] = cell;
  }
  return table;
}

/// One failure for each bug with a cell of this build that is not as committed, and for each row of
/// a bug that is no more (unless only some bugs ran).
void CompareWithCommitted(const FoundTable& committed, const std::vector<Runs>& all,
                          const std::vector<Setup>& setups, bool whole,
                          std::vector<Failure>& failures) {
  FoundTable missing = committed;
  for (const Runs& runs : all) {
    const std::string name = runs.bug->bug.name;
    missing.erase(name);
    const auto row = committed.find(name);
    std::string was, is;
    for (const auto& [column, cell] : MeasuredCells(runs, setups)) {
      const std::string known = row == committed.end() ? "no row" : row->second.at(column);
      if (known == cell) continue;
      was += (was.empty() ? "" : ", ") + column + " " + known;
      is += (is.empty() ? "" : ", ") + column + " " + cell;
    }
    if (is.empty()) continue;
    failures.push_back({name, "see columns", "as in the committed table: " + was, is, ""});
  }
  for (const auto& [name, cells] : missing) {
    if (whole) failures.push_back({name, "any", "no row in the committed table", "a row", ""});
  }
}

}  // namespace
}  // namespace padproof::simt_bugs
