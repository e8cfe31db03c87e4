// The test of MemorySanitizer in kernels: every twin in every order, each in a process of its own.
// A broken twin must be reported with its marked line, a clean one must be silent. Not
// instrumented.
//
//   simt_unwritten [NAME]    runs the pairs whose name contains NAME, and prints what they said

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/sanitizer.h"
#include "harness/simt/unwritten/pair.h"

extern "C" void __msan_scoped_enable_interceptor_checks();

namespace padproof::simt_unwritten {
namespace {

constexpr const char* kSource = PADPROOF_SOURCE_DIRECTORY "/harness/simt/unwritten/kernels.cu";
constexpr const char* kReport = "MemorySanitizer: use-of-uninitialized-value";

/// Of each mark, the number of its line.
std::map<std::string, int> MarkedLines() {
  constexpr std::string_view kMark = "// unwritten: ";
  std::map<std::string, int> lines;
  std::ifstream in(kSource);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const size_t at = line.find(kMark);
    if (at != std::string::npos) lines[line.substr(at + kMark.size())] = number;
  }
  return lines;
}

struct Outcome {
  std::string output;
  bool died;
};

Outcome RunInChild(const Pair& pair, bool broken, Order order) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    alarm(60);
    simt::CurrentOptions().order = order;
    simt::CurrentOptions().seed = 1;
    __msan_scoped_enable_interceptor_checks();  // as in a program that is instrumented whole
    pair.run(broken);
    std::_Exit(0);
  }
  close(ends[1]);
  Outcome outcome{};
  char chunk[4096];
  for (ssize_t n; (n = read(ends[0], chunk, sizeof chunk)) > 0;) {
    outcome.output.append(chunk, static_cast<size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  outcome.died = status != 0;
  return outcome;
}

/// Empty, or what was expected instead.
std::string Wrong(const Pair& pair, bool broken, const Outcome& outcome, int line) {
  const auto says = [&](const std::string& text) {
    return outcome.output.find(text) != std::string::npos;
  };
  if (!broken) return outcome.died || !outcome.output.empty() ? "a clean twin is not silent" : "";
  if (!outcome.died || !says(kReport)) return "a broken twin is not reported";
  const std::string place = "kernels.cu:" + std::to_string(line);
  if (!says(place + ":") && !says(place + "\n")) return "the report does not name " + place;
  if (!says(pair.says)) return std::string("the report does not say ") + pair.says;
  return "";
}

/// The report of the runtime comes whole, and nothing of MemorySanitizer with it.
std::string WrongWithDivergent() {
  const std::string output = RunInChild(kDivergent, true, Order::forward).output;
  const bool whole = output.find(kDivergent.says) != std::string::npos &&
                     output.find("  threads 4-63: ") != std::string::npos;
  if (whole && output.find("MemorySanitizer") == std::string::npos) return "";
  return "not the runtime's report alone:\n" + output;
}

int Main(int argc, char** argv) {
  simt::IgnoreLibraryCalls();
  const std::map<std::string, int> lines = MarkedLines();
  int runs = 0, failures = 0;
  if (const std::string wrong = WrongWithDivergent(); !wrong.empty()) {
    std::printf("FAILED %s: %s\n", kDivergent.name, wrong.c_str());
    ++failures;
  }
  for (size_t i = 0; i < kPairCount; ++i) {
    const Pair& pair = kPairs[i];
    if (argc > 1 && std::strstr(pair.name, argv[1]) == nullptr) continue;
    const auto marked = lines.find(pair.name);
    if (marked == lines.end()) {
      std::printf("FAILED %s: no line is marked\n", pair.name);
      ++failures;
      continue;
    }
    for (const bool broken : {true, false}) {
      for (const Order order : {Order::forward, Order::reverse, Order::random, Order::warp_lag}) {
        const Outcome outcome = RunInChild(pair, broken, order);
        const std::string wrong = Wrong(pair, broken, outcome, marked->second);
        ++runs;
        if (!wrong.empty()) {
          ++failures;
          std::printf("FAILED %s %s %s: %s\n", pair.name, broken ? "broken" : "clean",
                      NameOf(order).data(), wrong.c_str());
        }
        if (argc > 1 || !wrong.empty()) std::printf("%s", outcome.output.c_str());
      }
    }
  }
  std::printf("%zu pairs, %d runs, %d failures\n", kPairCount, runs, failures);
  return failures == 0 && runs > 0 ? 0 : 1;
}

}  // namespace
}  // namespace padproof::simt_unwritten

int main(int argc, char** argv) { return padproof::simt_unwritten::Main(argc, argv); }
