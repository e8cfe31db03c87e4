// What a child's output says: which tool reported what, and at which line of the kernel.

#pragma once

#include <sys/wait.h>

#include <cstring>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/bugs/suite_run.h"

namespace padproof::simt_bugs {
namespace {

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
#if defined(SIMT_RACE)
constexpr bool kRace = true;  // kernels call the runtime at their loads and stores
#else
constexpr bool kRace = false;
#endif
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

}  // namespace
}  // namespace padproof::simt_bugs
