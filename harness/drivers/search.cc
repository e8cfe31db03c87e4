#include "harness/drivers/search.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>

#include "harness/base/file.h"
#include "harness/base/seconds.h"
#include "harness/drivers/random_cases.h"

namespace padproof {
namespace {

// Shrinking a hang waits out a deadline a candidate, so it uses a shorter one; a small case that
// takes longer than this is no less a hang.
constexpr double kHangShrinkSeconds = 1.0;

// Saving picks a fresh name, so two threads must not save at once.
void Save(Finding& finding, const std::string& corpora) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (corpora.empty()) return;
  const std::string previous = finding.saved;
  const std::string known = FindEntry(corpora, finding.entry);
  if (!known.empty() && known != previous) {
    finding.saved = known;
    finding.known = true;
    std::error_code ignored;
    if (!previous.empty()) std::filesystem::remove(previous, ignored);
    return;
  }
  const std::string path = previous.empty() ? FreshName(corpora, finding.entry) : previous;
  const auto written = WriteDurably(path, CaseFileText(finding));
  if (written)
    finding.saved = path;
  else
    finding.problem = written.error().message;
}

// A failure is judged again in a fresh process: what an earlier case left behind, damaged memory or
// a kernel's own state, fails a later one, which must not be reported as if it were to blame.
void NoteIfNotAlone(Failure& failure, const KernelInfo& kernel, const Property& law, const Case& c,
                    Worker& worker, const SearchOptions& options) {
  if (failure.kind == kind::kHang) return;  // once more would be as long again
  worker.Stop();
  const auto again = worker.Judge(kernel, law.name, Print(c), options.deadline_seconds);
  if (!again || again->outcome == Outcome::fails) return;
  failure.note += (failure.note.empty() ? "" : "; ");
  failure.note +=
      "not seen again in a fresh process: an earlier case left something behind, in the kernel's "
      "own state or in damaged memory";
}

int SizeAt(int index, const SearchOptions& options) {
  // Small cases first, the whole range within the first hundred cases of any budget.
  if (!options.grow) return 100;
  return std::min(100, 100 * (index + 1) / std::min(std::max(options.cases, 1), 100));
}

}  // namespace

std::string CaseFileText(const Finding& f) {
  std::string text = "# " + f.entry.law + " / " + f.entry.kernel + ": " + f.failure.kind;
  if (!f.failure.where.empty()) text += " at " + f.failure.where;
  text += "\n# " + f.failure.expected + "; " + f.failure.got + "\n";
  return text + Print(f.entry) + "\n";
}

std::string Inapplicable(const Property& law, const KernelInfo& kernel) {
  if (!kernel.missing.empty()) return "skipped: " + kernel.missing;
  const char* why =
      WhyInapplicable(law, kernel.backend, kernel.traits, {kernel.has_forward, kernel.has_backward},
                      kernel.has_host_twin);
  return why != nullptr ? why : "";
}

void ShrinkFinding(Finding& finding, const KernelInfo& kernel, Worker& worker,
                   const SearchOptions& options) {
  const bool hang = finding.failure.kind == kind::kHang;
  const double deadline =
      hang ? std::min(kHangShrinkSeconds, options.deadline_seconds) : options.deadline_seconds;
  const auto judge_within = [&](double seconds) {
    return [&, seconds](const Case& candidate) {
      return worker.Judge(kernel, finding.entry.law, Print(candidate), seconds);
    };
  };
  const auto judge = judge_within(deadline);
  const auto judge_alone = [&](const Case& candidate) {
    worker.Stop();
    return judge(candidate);
  };
  Shrunk shrunk = Shrink(finding.entry.c, finding.failure, judge, options.shrink);
  // A kernel with state of its own may have failed a simpler case for what an earlier one left
  // there: then each is judged in a process of its own. A hang ends its process as it is.
  if (shrunk.steps > 0 && !hang) {
    const auto alone = judge_alone(shrunk.c);
    if (alone && alone->outcome != Outcome::fails) {
      shrunk = Shrink(finding.entry.c, finding.failure, judge_alone, options.shrink);
    }
  }
  // A hang was shrunk in a hurry, and may have become a case that is only slow.
  if (shrunk.steps > 0 && deadline < options.deadline_seconds) {
    const auto patient = judge_within(options.deadline_seconds);
    const auto verdict = patient(shrunk.c);
    if (verdict && verdict->outcome == Outcome::fails) {
      shrunk.failure = verdict->failure;
    } else {
      shrunk = Shrink(finding.entry.c, finding.failure, patient, options.shrink);
    }
  }
  finding.entry.c = shrunk.c;
  finding.failure = shrunk.failure;
  finding.steps += shrunk.steps;
  finding.half_shrunk = shrunk.out_of_budget;
  Save(finding, options.corpora);
}

bool JudgeInto(Cell& cell, const Case& c, int nth, Worker& worker, const SearchOptions& options,
               const SearchEvents& events) {
  const KernelInfo& kernel = *cell.kernel;
  const Property& law = *cell.law;
  const auto verdict = worker.Judge(kernel, law.name, Print(c), options.deadline_seconds);
  if (!verdict) {
    cell.error = verdict.error().message;
    return false;
  }
  ++cell.cases;
  if (events.judged) events.judged({kernel, law, c, *verdict});
  if (verdict->outcome == Outcome::not_applicable) {
    ++cell.skipped[verdict->reason];
    return true;
  }
  if (verdict->outcome == Outcome::out_of_domain) {
    ++cell.out_of_domain;
    return true;
  }
  const auto classes = Classify(c, kernel.traits.tile_k);
  for (size_t k = 0; k < classes.size(); ++k) cell.classes[k] += classes[k];
  if (verdict->outcome == Outcome::unexplained && cell.unexplained++ == 0) {
    cell.first_unexplained = verdict->reason + ": " + Print(Entry{law.name, kernel.id, c});
  }
  if (Held(verdict->outcome)) {
    ++cell.held;
    for (const Closeness& close : verdict->closeness) {
      double& worst = cell.worst_ratio[close.region];
      worst = std::max(worst, close.worst);
    }
    return true;
  }
  if (options.known != nullptr) {
    if (const auto* known = options.known->Find({law.name, kernel.id, c}, verdict->failure)) {
      ++cell.known[known->identity()];
      return true;
    }
  }
  Failure failure = verdict->failure;
  NoteIfNotAlone(failure, kernel, law, c, worker, options);
  cell.finding = Finding{.entry = {law.name, kernel.id, c},
                         .failure = failure,
                         .statement = law.statement,
                         .source = kernel.file,
                         .cases = nth};
  Save(*cell.finding, options.corpora);
  if (events.found) events.found(*cell.finding);
  return false;
}

Finding FindingOf(const Entry& entry, const Failure& failure, const KernelInfo& kernel) {
  return {.entry = entry,
          .failure = failure,
          .statement = FindProperty(entry.law)->statement,
          .source = kernel.file};
}

Case NthCase(const KernelInfo& kernel, const Property& law, const SearchOptions& options,
             int index) {
  const uint64_t stream = HashOf({options.seed, HashOf(kernel.id), HashOf(law.name)});
  Case c = DrawCase(DomainOf(kernel), stream, index, SizeAt(index, options));
  Random random(HashOf({stream, static_cast<uint64_t>(index), 1}));
  PrepareFor(law, c, kernel.traits, random);
  return c;
}

bool SearchOn(Cell& cell, int to, Worker& worker, const SearchOptions& options,
              const SearchEvents& events) {
  const auto start = Clock::now();
  const double before = cell.seconds;
  const auto is_over = [&] {
    cell.seconds = before + SecondsSince(start);
    const bool late = options.seconds > 0 && cell.seconds > options.seconds;
    return late || (events.stopped && events.stopped());
  };
  while (cell.cases < to && !is_over()) {
    const Case c = NthCase(*cell.kernel, *cell.law, options, cell.cases);
    if (JudgeInto(cell, c, cell.cases + 1, worker, options, events)) continue;
    if (cell.finding) ShrinkFinding(*cell.finding, *cell.kernel, worker, options);
    is_over();
    return false;
  }
  return cell.cases < options.cases && !is_over();
}

Cell Search(const KernelInfo& kernel, const Property& law, Worker& worker,
            const SearchOptions& options, const SearchEvents& events) {
  Cell cell{.kernel = &kernel, .law = &law, .inapplicable = Inapplicable(law, kernel)};
  if (cell.inapplicable.empty()) SearchOn(cell, options.cases, worker, options, events);
  return cell;
}

}  // namespace padproof
