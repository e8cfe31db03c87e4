// Runs every SIMT kernel of this binary once a case, under a random schedule, for many cases: the
// program that every build of the SIMT layer shares (plain, sanitizers, race checker). No third
// party and no reference, so that a tool which must see all code can watch it, and it is fast.
//
//   simt_sweep [--cases N] [--seed N] [--jobs N] [--kernel TEXT] [--plugin FILE] [--case LINE]
//
// N cases for each kernel whose id contains TEXT. A case that kills its process (a sanitizer's
// report, an abort, a hang) is named with its line, which --case runs again, and the sweep goes on.
// Exit code: 0 nothing found, 1 something found, 2 bad usage.

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "harness/base/words.h"
#include "harness/judge/kernel_registry.h"
#include "harness/judge/property.h"
#include "harness/simt/sweep_case.h"

namespace padproof {
namespace {

constexpr unsigned kSecondsPerCase = 60;  // of wall time, for a case of at most a second of work
constexpr int kMaxFindings = 10;
constexpr int kFoundByUs = 3;  // exit code of a process whose tools saw nothing wrong, but we did

struct Settings {
  uint64_t cases = 1000;
  uint64_t seed = 0;
  uint64_t jobs = 1;
  std::string kernel;
  std::string plugin;
  std::string line;
};

/// The work: task t is case t / kernels of kernel t % kernels.
struct Sweep {
  Settings settings;
  std::vector<const KernelRow*> all;     // whose forwards may be borrowed
  std::vector<const KernelRow*> chosen;  // those to run
  Case given;                            // of --case

  uint64_t tasks() const {
    return settings.line.empty() ? settings.cases * chosen.size() : chosen.size();
  }
  const KernelRow& RowOf(uint64_t task) const { return *chosen[task % chosen.size()]; }
  Case CaseOf(uint64_t task) const {
    if (!settings.line.empty()) return given;
    return DrawSweepCase(RowOf(task), settings.seed, task / chosen.size());
  }
};

/// What a process of the sweep leaves behind when it dies; in memory that it shares.
struct Progress {
  volatile uint64_t task;  // that it runs
  volatile uint64_t begun;
};

struct Totals {
  uint64_t begun = 0;
  int findings = 0;
};

/// Runs tasks first, first + jobs, ... to the last.
[[noreturn]] void RunTasks(const Sweep& sweep, uint64_t first, Progress& progress) {
  for (uint64_t task = first; task < sweep.tasks(); task += sweep.settings.jobs) {
    progress.task = task;
    progress.begun = progress.begun + 1;
    alarm(kSecondsPerCase);
    const std::string wrong = RunSweepCase(sweep.RowOf(task), sweep.all, sweep.CaseOf(task));
    if (wrong.empty()) continue;
    std::fprintf(stderr, "simt_sweep: %s\n", wrong.c_str());
    std::_Exit(kFoundByUs);
  }
  std::_Exit(0);
}

std::string TextOfStatus(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "took too long";
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exited with " + std::to_string(WEXITSTATUS(status));
}

/// One process a job, and one more for each that dies.
Totals RunJobs(const Sweep& sweep) {
  const size_t jobs = sweep.settings.jobs;
  void* shared = mmap(nullptr, jobs * sizeof(Progress), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) std::abort();
  auto* progress = static_cast<Progress*>(shared);
  std::vector<pid_t> children(jobs);
  const auto start = [&](size_t job, uint64_t first) {
    children[job] = fork();
    if (children[job] < 0) std::abort();
    if (children[job] == 0) RunTasks(sweep, first, progress[job]);
  };
  for (size_t job = 0; job < jobs; ++job) start(job, job);
  Totals totals;
  int status = 0;
  for (pid_t gone = wait(&status); gone > 0; gone = wait(&status)) {
    const auto job =
        static_cast<size_t>(std::find(children.begin(), children.end(), gone) - children.begin());
    if (status == 0) continue;
    const uint64_t task = progress[job].task;
    std::fprintf(stderr, "simt_sweep: %s %s: %s\n", IdOf(sweep.RowOf(task)).c_str(),
                 Print(sweep.CaseOf(task)).c_str(), TextOfStatus(status).c_str());
    if (++totals.findings < kMaxFindings) start(job, task + jobs);
  }
  for (size_t job = 0; job < jobs; ++job) totals.begun += progress[job].begun;
  munmap(shared, jobs * sizeof(Progress));
  return totals;
}

bool ReadNumber(const char* text, uint64_t least, uint64_t& number) {
  char* end = nullptr;
  number = std::strtoull(text, &end, 10);
  return end != text && *end == '\0' && text[0] != '-' && number >= least;
}

bool ReadSettings(int argc, char** argv, Settings& settings) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    const char* value = argv[i + 1];
    bool good = true;
    if (flag == "--cases") {
      good = ReadNumber(value, 1, settings.cases);
    } else if (flag == "--seed") {
      good = ReadNumber(value, 0, settings.seed);
    } else if (flag == "--jobs") {
      good = ReadNumber(value, 1, settings.jobs);
    } else if (flag == "--kernel") {
      settings.kernel = value;
    } else if (flag == "--plugin") {
      settings.plugin = value;
    } else if (flag == "--case") {
      settings.line = value;
    } else {
      good = false;
    }
    if (!good) return false;
  }
  return argc % 2 == 1;
}

/// Empty, or why there is nothing to run.
std::string Prepare(Sweep& sweep) {
  std::vector<const KernelRow*> candidates = RegisteredKernels();
  sweep.all = candidates;
  if (!sweep.settings.plugin.empty()) {
    const auto rows = RowsOf(sweep.settings.plugin);
    if (!rows) return rows.error().message;
    candidates = *rows;
  }
  for (const KernelRow* row : candidates) {
    const bool named = IdOf(*row).find(sweep.settings.kernel) != std::string::npos;
    if (named && std::strcmp(row->backend, "simt") == 0) sweep.chosen.push_back(row);
  }
  if (sweep.chosen.empty()) {
    std::string names;
    for (const KernelRow* row : candidates) {
      if (std::strcmp(row->backend, "simt") == 0) AppendTo(names, IdOf(*row));
    }
    return "no SIMT kernel is called '" + sweep.settings.kernel + "'; there are " + names;
  }
  const auto by_name = [](const KernelRow* a, const KernelRow* b) {
    return std::strcmp(a->name, b->name) < 0;
  };
  std::sort(sweep.chosen.begin(), sweep.chosen.end(), by_name);
  if (sweep.settings.line.empty()) return "";
  const auto c = Parse(sweep.settings.line);
  if (!c) return c.error().message;
  sweep.given = *c;
  for (const KernelRow* row : sweep.chosen) {
    if (!IsWithin(DomainOf(*row), *c)) return IdOf(*row) + " cannot run this case";
  }
  return "";
}

int Main(int argc, char** argv) {
  simt::IgnoreLibraryCalls();
  Sweep sweep;
  if (!ReadSettings(argc, argv, sweep.settings)) {
    std::fprintf(stderr,
                 "usage: simt_sweep [--cases N] [--seed N] [--jobs N] [--kernel TEXT] "
                 "[--plugin FILE] [--case LINE]\n");
    return 2;
  }
  if (const std::string why = Prepare(sweep); !why.empty()) {
    std::fprintf(stderr, "simt_sweep: %s\n", why.c_str());
    return 2;
  }
  const auto start = std::chrono::steady_clock::now();
  const Totals totals = RunJobs(sweep);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (totals.findings >= kMaxFindings) std::fprintf(stderr, "simt_sweep: stopped early\n");
  std::printf("simt_sweep: %zu kernels, %llu cases, %d findings, %.1f s, %.1f cases/s\n",
              sweep.chosen.size(), static_cast<unsigned long long>(totals.begun), totals.findings,
              seconds.count(), static_cast<double>(totals.begun) / seconds.count());
  return totals.findings == 0 ? 0 : 1;
}

}  // namespace
}  // namespace padproof

#if defined(SIMT_TSAN)
/// A report ends the process, as those of all other tools do.
extern "C" const char* __tsan_default_options() { return "halt_on_error=1:atexit_sleep_ms=0"; }
#endif

int main(int argc, char** argv) { return padproof::Main(argc, argv); }
