// Holds what the twins of a bug did against what the bug claims. A failure names the bug, the
// build, the schedule, what was expected and what was got, in one line.

#pragma once

#include <regex>
#include <string>
#include <vector>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/bugs/suite_reports.h"
#include "harness/simt/bugs/suite_run.h"

namespace padproof::simt_bugs {
namespace {

/// All runs of the twins of one bug, in the order of AllSetups().
struct Runs {
  const Registration* bug;
  std::vector<const Outcome*> clean, broken;
};

struct Failure {
  std::string bug;
  std::string schedule;
  std::string expected;
  std::string got;
  std::string output;  // of the child, for --verbose
};

/// Tools of this build, as "asan+race"; "plain" if there is none.
std::string BuildName() {
  std::string name;
  for (const auto& [active, text] : {std::pair{kAsan, "asan"}, std::pair{kMsan, "msan"},
                                     std::pair{kTsan, "tsan"}, std::pair{kRace, "race"}}) {
    if (active) name += (name.empty() ? "" : "+") + std::string(text);
  }
  return name.empty() ? "plain" : name;
}

/// One line, without its end: the complaint and the command that shows it again.
std::string TextOf(const Failure& failure, const std::string& program) {
  return "FAILED " + failure.bug + ", build " + BuildName() + ", schedule " + failure.schedule +
         ": expected " + failure.expected + ", got " + failure.got + "; again: " + program +
         " --verbose --only " + failure.bug;
}

// ---- what was seen ------------------------------------------------------------------------------

/// Race checkers report and go on, so what a schedule exposes shows beside what they find.
bool IsExposed(const Runs& runs, size_t setup) {
  const Outcome& outcome = *runs.broken[setup];
  if (outcome.digest != runs.clean[0]->digest) return true;
  for (const Report& report : ReportsIn(outcome.output)) {
    if (report.speaker != "race" && report.speaker != "tsan") return true;
  }
  return false;
}

/// In words: the first report and its place, or how the child ended, or whether its output differs
/// from `same_as`.
std::string Describe(const Outcome& outcome, const Registration& bug, const Outcome& same_as) {
  if (const auto reports = ReportsIn(outcome.output); !reports.empty()) {
    const std::string place = PlaceIn(outcome.output, bug);
    return reports[0].speaker + ": " + reports[0].kind + (place.empty() ? "" : ", " + place);
  }
  if (const std::string end = EndOf(outcome); !end.empty()) return end;
  return outcome.digest == same_as.digest ? "silent" : "output differs";
}

/// What `speaker` reported of a run, one after another; `matched` says whether one is as claimed.
std::string KindsOf(const Outcome& outcome, const Speaker& speaker, const Tool& claim,
                    bool& matched) {
  std::string kinds;
  matched = false;
  for (const Report& report : ReportsIn(outcome.output)) {
    if (report.speaker != speaker.name) continue;
    kinds += (kinds.empty() ? "" : "; ") + report.kind;
    matched |=
        claim.verdict == Verdict::found && std::regex_search(report.kind, std::regex(claim.text));
  }
  return kinds;
}

/// Tools of this build, each once.
std::vector<const Speaker*> Watchers() {
  std::vector<const Speaker*> watchers;
  for (const Speaker& speaker : kSpeakers) {
    const bool known = !watchers.empty() && std::strcmp(watchers.back()->name, speaker.name) == 0;
    if (speaker.watches && !known) watchers.push_back(&speaker);
  }
  return watchers;
}

/// A build whose tool ends a run at the first report shows nothing of schedules, and one whose
/// buffers hold no value shows other things.
bool ShowsSchedules(const Bug& bug) {
  if (kMsan || kTsan || bug.schedules.undefined != nullptr) return false;
  return !kAsan || bug.asan.verdict == Verdict::missed;
}

// ---- verdicts -----------------------------------------------------------------------------------

/// Clean twins end by themselves, print no report, and give the same bits in every schedule.
void JudgeClean(const Runs& runs, const std::vector<Setup>& setups,
                std::vector<Failure>& failures) {
  for (size_t i = 0; i < setups.size(); i++) {
    const Outcome& outcome = *runs.clean[i];
    const std::string got = Describe(outcome, *runs.bug, *runs.clean[0]);
    if (got == "silent") continue;
    failures.push_back({runs.bug->bug.name, NameOf(setups[i]),
                        "the clean twin to be silent and equal to its forward run", got,
                        outcome.output});
  }
}

Exposure ExpectedIn(const Schedules& s, Column column) {
  const Exposure expected[kColumns] = {s.forward, s.reverse, s.random, s.warp_lag, s.preempt};
  return expected[column];
}

/// Indices of the column's runs.
std::vector<size_t> SetupsOf(const std::vector<Setup>& setups, Column column) {
  std::vector<size_t> indices;
  for (size_t i = 0; i < setups.size(); i++) {
    if (setups[i].column == column) indices.push_back(i);
  }
  return indices;
}

bool IsColumnExposed(const Runs& runs, const std::vector<size_t>& setups) {
  for (size_t setup : setups) {
    if (IsExposed(runs, setup)) return true;
  }
  return false;
}

void JudgeSchedules(const Runs& runs, const std::vector<Setup>& setups,
                    std::vector<Failure>& failures) {
  const Bug& bug = runs.bug->bug;
  if (!ShowsSchedules(bug)) return;
  for (int c = 0; c < kColumns; c++) {
    const std::vector<size_t> chosen = SetupsOf(setups, static_cast<Column>(c));
    if (chosen.empty()) continue;
    const bool exposed = IsColumnExposed(runs, chosen);
    const bool expected = ExpectedIn(bug.schedules, static_cast<Column>(c)) == Exposure::exposed;
    if (exposed == expected) continue;
    const Outcome& outcome = *runs.broken[chosen[0]];
    failures.push_back(
        {bug.name, kColumnNames[c], expected ? "the bug to be exposed" : "the bug to stay hidden",
         exposed ? "an exposed run" : "the clean twin's output in every run", outcome.output});
  }
}

void JudgeTools(const Runs& runs, std::vector<Failure>& failures) {
  const Outcome& outcome = *runs.broken[0];
  for (const Speaker* speaker : Watchers()) {
    const Tool& claim = runs.bug->bug.*speaker->expectation;
    bool matched = false;
    const std::string kinds = KindsOf(outcome, *speaker, claim, matched);
    const std::string got = kinds.empty() ? "no report" : "'" + kinds + "'";
    const auto complain = [&](const std::string& expected, const std::string& what) {
      failures.push_back({runs.bug->bug.name, "forward", expected, what, outcome.output});
    };
    const std::string name = speaker->name;
    if (claim.verdict == Verdict::missed && !kinds.empty()) {
      complain(name + " to miss it (" + claim.text + ")", got);
    } else if (claim.verdict == Verdict::found && !matched) {
      complain(name + " to report '" + claim.text + "'", got);
    } else if (matched && claim.names_line && PlaceIn(outcome.output, *runs.bug).empty()) {
      complain(name + " to name a line of the kernel", got + " without one");
    }
  }
}

}  // namespace
}  // namespace padproof::simt_bugs
