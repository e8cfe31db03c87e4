// Reads what a child printed, and holds it against what its bug expects. Included by suite_main.cc
// only.

#pragma once

#include <sys/wait.h>

#include <cstring>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/bugs/suite_run.h"

namespace padproof::simt_bugs {
namespace {

// ---- reports ------------------------------------------------------------------------------------

/// The tools that can speak in this build, and how the first line of a report looks.
struct Speaker {
  const char* name;
  const char* pattern;      // its first group is the kind of report
  Tool Bug::* expectation;  // null: it belongs to another one's column
  bool watches;             // in this build
};

#if defined(SIMT_ASAN)
constexpr bool kAsan = true;
#else
constexpr bool kAsan = false;
#endif
#if defined(SIMT_MSAN)
constexpr bool kMsan = true;
#else
constexpr bool kMsan = false;
#endif
#if defined(SIMT_TSAN)
constexpr bool kTsan = true;
#else
constexpr bool kTsan = false;
#endif
constexpr bool kRace = kHooks;
constexpr bool kPlain = !kAsan && !kMsan && !kTsan && !kRace;

constexpr Speaker kSpeakers[] = {
    {"race", R"(padproof simt: (.*\brace\b.*))", &Bug::race, kRace},
    {"runtime", R"(padproof simt: (.*))", &Bug::runtime, kPlain},
    {"asan", R"(AddressSanitizer: ([a-zA-Z-]+))", &Bug::asan, kAsan},
    {"asan", R"(runtime error: (.*))", &Bug::asan, kAsan},
    {"msan", R"(MemorySanitizer: ([a-zA-Z-]+))", &Bug::msan, kMsan},
    {"tsan", R"(WARNING: ThreadSanitizer: ([a-zA-Z -]+))", &Bug::tsan, kTsan},
};

struct Report {
  std::string speaker;
  std::string kind;
};

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line.substr(0, 500));
  return lines;
}

/// The first line of each report in `output`.
std::vector<Report> ReportsIn(const std::string& output) {
  static const std::vector<std::regex> patterns = [] {
    std::vector<std::regex> compiled;
    for (const Speaker& s : kSpeakers) compiled.emplace_back(s.pattern);
    return compiled;
  }();
  std::vector<Report> reports;
  for (const std::string& line : LinesOf(output)) {
    if (line.rfind("SUMMARY", 0) == 0) continue;
    if (line.find("padproof simt: error inside a kernel") != std::string::npos) continue;
    for (size_t i = 0; i < patterns.size(); i++) {
      std::smatch match;
      if (!std::regex_search(line, match, patterns[i])) continue;
      reports.push_back({kSpeakers[i].name, match[1]});
      break;
    }
  }
  return reports;
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// "file.cu:12" for the first line of the bug's kernel that `output` names; else empty.
std::string PlaceIn(const std::string& output, const Registration& bug) {
  const std::string file = std::string(BaseName(bug.file)) + ":";
  for (size_t at = output.find(file); at != std::string::npos; at = output.find(file, at + 1)) {
    const int line = std::atoi(output.c_str() + at + file.size());
    if (bug.first_line <= line && line <= bug.last_line) return file + std::to_string(line);
  }
  return "";
}

/// How a child ended, if not by itself with status 0 or by a report.
std::string EndOf(const Outcome& outcome) {
  if (outcome.timed_out) return "hangs";
  if (WIFSIGNALED(outcome.status)) return strsignal(WTERMSIG(outcome.status));
  if (outcome.digest.empty()) return "exit " + std::to_string(WEXITSTATUS(outcome.status));
  return "";
}

// ---- verdicts -----------------------------------------------------------------------------------

/// All runs of the twins of one bug, in the order of AllSetups().
struct Runs {
  const Registration* bug;
  std::vector<const Outcome*> clean, broken;
};

/// Race checkers report and go on, so what a schedule exposes shows beside what they find.
bool IsExposed(const Runs& runs, size_t setup) {
  const Outcome& outcome = *runs.broken[setup];
  if (outcome.digest != runs.clean[0]->digest) return true;
  for (const Report& report : ReportsIn(outcome.output)) {
    if (report.speaker != "race" && report.speaker != "tsan") return true;
  }
  return false;
}

/// In words: the first report and its place, or how the child ended, or whether its output differs.
std::string Describe(const Runs& runs, size_t setup) {
  const Outcome& outcome = *runs.broken[setup];
  if (const auto reports = ReportsIn(outcome.output); !reports.empty()) {
    const std::string place = PlaceIn(outcome.output, *runs.bug);
    return reports[0].speaker + ": " + reports[0].kind + (place.empty() ? "" : ", " + place);
  }
  if (const std::string end = EndOf(outcome); !end.empty()) return end;
  return outcome.digest == runs.clean[0]->digest ? "silent" : "output differs";
}

/// Clean twins end by themselves, print no report, and give the same bits in every schedule.
void JudgeClean(const Runs& runs, const std::vector<Setup>& setups,
                std::vector<std::string>& failures) {
  for (size_t i = 0; i < setups.size(); i++) {
    const Outcome& outcome = *runs.clean[i];
    const auto complain = [&](const std::string& what) {
      failures.push_back(std::string(runs.bug->bug.name) + ": the clean twin " + what + " (" +
                         kColumnNames[setups[i].column] + ")\n" + outcome.output.substr(0, 2000));
    };
    if (!ReportsIn(outcome.output).empty()) {
      complain("is not silent");
    } else if (!EndOf(outcome).empty()) {
      complain("does not come to its end: " + EndOf(outcome));
    } else if (outcome.digest != runs.clean[0]->digest) {
      complain("gives other bits than in forward order");
    }
  }
}

Exposure ExpectedIn(const Schedules& s, Column column) {
  const Exposure expected[kColumns] = {s.forward, s.reverse, s.random, s.warp_lag, s.preempt};
  return expected[column];
}

/// True if any run of the column is exposed; `ran` says whether there is one.
bool IsColumnExposed(const Runs& runs, const std::vector<Setup>& setups, Column column, bool& ran) {
  bool exposed = false;
  ran = false;
  for (size_t i = 0; i < setups.size(); i++) {
    if (setups[i].column != column) continue;
    ran = true;
    exposed |= IsExposed(runs, i);
  }
  return exposed;
}

void JudgeSchedules(const Runs& runs, const std::vector<Setup>& setups,
                    std::vector<std::string>& failures) {
  for (int c = 0; c < kColumns; c++) {
    bool ran = false;
    const bool exposed = IsColumnExposed(runs, setups, static_cast<Column>(c), ran);
    const Exposure expected = ExpectedIn(runs.bug->bug.schedules, static_cast<Column>(c));
    if (!ran || expected == Exposure::open || exposed == (expected == Exposure::exposed)) continue;
    failures.push_back(std::string(runs.bug->bug.name) + ": " + kColumnNames[c] +
                       (exposed ? " exposes what was expected to stay hidden"
                                : " hides what was expected to be exposed"));
  }
}

/// Empty if the tool says what is expected of it in the forward run.
std::string JudgeTool(const Runs& runs, const Speaker& speaker) {
  const Tool& expected = runs.bug->bug.*speaker.expectation;
  const Outcome& outcome = *runs.broken[0];
  std::string kinds;
  bool matched = false;
  for (const Report& report : ReportsIn(outcome.output)) {
    if (report.speaker != speaker.name) continue;
    kinds += (kinds.empty() ? "" : "; ") + report.kind;
    matched |= expected.verdict == Verdict::found &&
               std::regex_search(report.kind, std::regex(expected.text));
  }
  if (expected.verdict == Verdict::missed && !kinds.empty()) {
    return "finds '" + kinds + "', though " + expected.text;
  }
  if (expected.verdict != Verdict::found) return "";
  if (!matched) {
    return kinds.empty() ? std::string("finds nothing")
                         : "reports '" + kinds + "', expected '" + expected.text + "'";
  }
  if (expected.names_line && PlaceIn(outcome.output, *runs.bug).empty())
    return "does not name the kernel's line";
  return "";
}

void JudgeTools(const Runs& runs, std::vector<std::string>& failures) {
  std::string last;
  for (const Speaker& speaker : kSpeakers) {
    if (!speaker.watches || last == speaker.name) continue;
    last = speaker.name;
    if (const std::string complaint = JudgeTool(runs, speaker); !complaint.empty()) {
      failures.push_back(std::string(runs.bug->bug.name) + ": " + speaker.name + " " + complaint +
                         "\n" + runs.broken[0]->output.substr(0, 3000));
    }
  }
}

}  // namespace
}  // namespace padproof::simt_bugs
