// The acceptance suite of the SIMT layer: every planted bug, broken and clean, in every schedule,
// each run in a process of its own. Prints what was seen, and exits with 1 if this build does not
// see what it should, or sees anything in a clean twin. Never instrumented.
//
//   simt_bugs [--only TEXT] [--list] [--check FILE] [--markdown FILE] [--verbose] [--jobs N]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "harness/simt/bugs/bug.h"
#include "harness/simt/bugs/suite_found.h"
#include "harness/simt/bugs/suite_judge.h"
#include "harness/simt/bugs/suite_run.h"
#include "harness/simt/bugs/suite_table.h"
#include "harness/simt/runtime.h"

#if defined(SIMT_MSAN)
extern "C" {
void __msan_check_mem_is_initialized(const volatile void* data, size_t bytes);
void __msan_scoped_disable_interceptor_checks();
void __msan_scoped_enable_interceptor_checks();
}
#endif

namespace padproof::simt_bugs {
namespace {

Registration* first_bug = nullptr;
Registration** end_of_bugs = &first_bug;
uint64_t digest = 0xCBF29CE484222325ull;

constexpr const char* kUsage =
    "usage: simt_bugs [--only TEXT] [--list] [--check FILE] [--markdown FILE] [--verbose] [--jobs "
    "N]\n"
    "  --only TEXT      bugs whose name contains TEXT\n"
    "  --check FILE     also hold the committed table of what finds what against the runs\n"
    "  --markdown FILE  print that table, with this build's columns as measured\n"
    "  --verbose        also print what the children printed\n";

struct Arguments {
  std::string program, only, check, markdown;
  bool list = false, verbose = false;
  size_t jobs = 2;
};

/// What the suite itself hands to the C library was written by code that MemorySanitizer did not
/// see; only what kernels hand over is checked.
void WatchLibraryCalls([[maybe_unused]] bool watch) {
#if defined(SIMT_MSAN)
  watch ? __msan_scoped_enable_interceptor_checks() : __msan_scoped_disable_interceptor_checks();
#endif
}

/// Runs one twin in this process; prints the digest when it comes to its end.
int RunChild(const std::string& name, const std::string& twin, size_t setup) {
  simt::CurrentOptions() = AllSetups().at(setup).options;
  for (const Registration* r = first_bug; r != nullptr; r = r->next) {
    if (name != r->bug.name) continue;
    WatchLibraryCalls(true);
    (twin == "broken" ? r->bug.broken : r->bug.clean)();
    WatchLibraryCalls(false);
    std::printf("simt_bugs digest %016llx\n", static_cast<unsigned long long>(digest));
    return 0;
  }
  return 2;
}

void PrintList() {
  for (const Registration* r = first_bug; r != nullptr; r = r->next) {
    std::printf("%-28s %s (%s)\n", r->bug.name, r->bug.title, r->bug.source);
  }
}

/// Runs both twins of the chosen bugs in all setups; a clean twin that bugs share runs once.
std::vector<Runs> RunAll(const std::string& only, size_t setups, size_t jobs,
                         std::deque<Task>& tasks) {
  std::vector<Runs> all;
  for (const Registration* r = first_bug; r != nullptr; r = r->next) {
    if (std::string(r->bug.name).find(only) == std::string::npos) continue;
    Runs runs{r, {}, {}};
    for (const Runs& known : all) {
      if (known.bug->bug.clean == r->bug.clean) runs.clean = known.clean;
    }
    const auto add = [&](bool broken, std::vector<const Outcome*>& outcomes) {
      for (size_t setup = 0; setup < setups; setup++) {
        outcomes.push_back(&tasks.emplace_back(Task{r, broken, setup, {}}).outcome);
      }
    };
    if (runs.clean.empty()) add(false, runs.clean);
    add(true, runs.broken);
    all.push_back(runs);
  }
  RunTasks(tasks, jobs);
  return all;
}

int RunSuite(const Arguments& arguments) {
  const std::vector<Setup> setups = AllSetups();
  std::deque<Task> tasks;
  const std::vector<Runs> all = RunAll(arguments.only, setups.size(), arguments.jobs, tasks);
  std::vector<Failure> failures;
  std::set<const Outcome*> judged;  // clean twins that bugs share are judged once
  for (const Runs& runs : all) {
    if (judged.insert(runs.clean[0]).second) JudgeClean(runs, setups, failures);
    JudgeSchedules(runs, setups, failures);
    JudgeTools(runs, failures);
  }
  if (!arguments.markdown.empty()) {
    const FoundTable committed = ReadFoundTable(arguments.markdown);
    std::printf("%s", TextOf(Updated(committed, all, setups)).c_str());
    return 0;
  }
  if (!arguments.check.empty()) {
    CompareWithCommitted(ReadFoundTable(arguments.check), all, setups, arguments.only.empty(),
                         failures);
  }
  PrintTables(all, setups);
  if (arguments.verbose) PrintOutputs(all);
  for (const Failure& failure : failures) {
    std::printf("%s\n", TextOf(failure, arguments.program).c_str());
    if (arguments.verbose) std::printf("%s\n", failure.output.c_str());
  }
  std::printf("%zu bugs, %zu runs, %zu expectations not met\n", all.size(), tasks.size(),
              failures.size());
  return failures.empty() && !all.empty() ? 0 : 1;
}

/// False if the words are not those of kUsage.
bool Parse(const std::vector<std::string>& words, Arguments& arguments) {
  for (size_t i = 0; i < words.size(); i++) {
    const bool has_value = i + 1 < words.size();
    if (words[i] == "--only" && has_value) {
      arguments.only = words[++i];
    } else if (words[i] == "--check" && has_value) {
      arguments.check = words[++i];
    } else if (words[i] == "--markdown" && has_value) {
      arguments.markdown = words[++i];
    } else if (words[i] == "--jobs" && has_value) {
      arguments.jobs = static_cast<size_t>(std::max(1, std::atoi(words[++i].c_str())));
    } else if (words[i] == "--list") {
      arguments.list = true;
    } else if (words[i] == "--verbose") {
      arguments.verbose = true;
    } else {
      return false;
    }
  }
  return true;
}

int Main(int argc, char** argv) {
  WatchLibraryCalls(false);
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 4 && words[0] == "--child") {
    return RunChild(words[1], words[2], std::stoul(words[3]));
  }
  Arguments arguments;
  arguments.program = argv[0];
  if (!Parse(words, arguments)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (!arguments.list) return RunSuite(arguments);
  PrintList();
  return 0;
}

}  // namespace

Registration::Registration(const Bug& b, const char* f, int line)
    : bug(b), file(f), first_line(b.first_line), last_line(b.last_line != 0 ? b.last_line : line) {
  // Bugs of one file register in the order of its lines.
  for (const Registration* r = first_bug; r != nullptr && b.first_line == 0; r = r->next) {
    if (std::strcmp(r->file, f) == 0) first_line = std::max(first_line, r->last_line + 1);
  }
  *end_of_bugs = this;
  end_of_bugs = &next;
}

void Record(const void* data, size_t bytes) {
#if defined(SIMT_MSAN)
  __msan_check_mem_is_initialized(data, bytes);
#endif
  const auto* byte = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < bytes; i++) digest = (digest ^ byte[i]) * 0x100000001B3ull;
}

void Fail(const char* what) {
  std::fprintf(stderr, "simt_bugs: %s\n", what);
  std::fflush(stderr);
  _exit(3);
}

}  // namespace padproof::simt_bugs

int main(int argc, char** argv) { return padproof::simt_bugs::Main(argc, argv); }
