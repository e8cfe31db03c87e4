// libFuzzer's entry points over a FuzzTarget: parse, judge, and edit entries field by field.

#include <cstdlib>
#include <sstream>
#include <string>

#include "fuzz/support/callable.h"
#include "fuzz/support/counters.h"
#include "fuzz/support/finding.h"
#include "fuzz/support/text.h"
#include "fuzz/target.h"
#include "harness/campaign/campaign.h"
#include "harness/campaign/in_flight.h"
#include "harness/case/mutate.h"
#include "harness/drivers/corpus.h"
#include "harness/drivers/known.h"
#include "harness/drivers/parent.h"
#include "harness/drivers/paths.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

/// A law on a kernel that it speaks about.
struct Pair {
  const Property* law;
  const Callable* kernel;
};

struct Arena {
  std::vector<Callable> kernels;
  std::vector<Pair> pairs;
};

bool SpeaksAbout(const Property& law, const KernelInfo& k) {
  return WhyInapplicable(law, k.backend, k.traits, {k.has_forward, k.has_backward},
                         k.has_host_twin) == nullptr;
}

const Arena& TheArena() {
  static const Arena arena = [] {
    Arena a{.kernels = CallableKernels(Target().kernels), .pairs = {}};
    for (const std::string_view name : Target().laws) {
      const Property* law = FindProperty(name);
      if (law == nullptr) Refuse("fuzz target names an unknown law '" + std::string(name) + "'");
      for (const Callable& kernel : a.kernels) {
        if (SpeaksAbout(*law, kernel.info)) a.pairs.push_back({law, &kernel});
      }
    }
    if (a.pairs.empty()) Refuse("PADPROOF_FUZZ_KERNELS: no law of this target speaks about these");
    return a;
  }();
  return arena;
}

/// Null if the entry is not of this target.
const Pair* FindPair(const Entry& entry) {
  for (const Pair& pair : TheArena().pairs) {
    if (entry.law == pair.law->name && entry.kernel == pair.kernel->info.id) return &pair;
  }
  return nullptr;
}

// Failures that end no run: those of the ledger, and the findings below the folders that
// PADPROOF_KNOWN names (colon separated), where a campaign puts them.
const Ledger& KnownFailures() {
  static const Ledger known = [] {
    auto ledger = ReadLedger(CorporaDirectory());
    if (!ledger) Refuse(ledger.error().message);
    const char* named = std::getenv("PADPROOF_KNOWN");
    std::stringstream folders{std::string(named != nullptr ? named : "")};
    for (std::string folder; std::getline(folders, folder, ':');) {
      for (const CampaignFinding& f : FindingsIn(folder)) {
        ledger->Add({.entry = f.entry, .failure = FailureOf(f.identity), .reason = "found"});
      }
    }
    return *ledger;
  }();
  return known;
}

// Where a campaign looks for the case that this process was at when it ended without a word.
InFlightFile* InFlightCase() {
  static const char* path = std::getenv("PADPROOF_IN_FLIGHT");
  static InFlightFile* file = [] {
    if (path == nullptr) return static_cast<InFlightFile*>(nullptr);
    DieWithParent();
    return new InFlightFile(path);
  }();
  return file;
}

Verdict JudgeInFlight(const Property& law, const KernelRow& row, const Entry& entry) {
  InFlightFile* file = InFlightCase();
  if (file == nullptr) return Judge(law, row, entry.c);
  file->Begin(Print(entry));
  Verdict verdict = Judge(law, row, entry.c);
  file->End();
  return verdict;
}

Result<Entry> EntryOf(const uint8_t* data, size_t size) {
  return ParseEntry(FirstLine(data, size));
}

template <class T>
const T& Pick(const std::vector<T>& all, Random& random) {
  return all[random.Below(static_cast<uint32_t>(all.size()))];
}

// An edited copy of `entry`, or a fresh one if there is none.
Entry Edited(const Entry* entry, Random& random) {
  const Pair* pair = entry != nullptr ? FindPair(*entry) : nullptr;
  const bool fresh = pair == nullptr || random.Chance(5);
  if (fresh || random.Chance(15)) pair = &Pick(TheArena().pairs, random);
  const KernelInfo& kernel = pair->kernel->info;
  const Domain domain = DomainOf(kernel);
  Case c =
      fresh ? Generate(domain, random, random.Between(0, 100)) : Mutate(entry->c, domain, random);
  if (Target().bend != nullptr) {
    Target().bend(c, domain, random);
    c = Fit(domain, c);
  }
  if (random.Chance(80)) PrepareFor(*pair->law, c, kernel.traits, random);
  return {pair->law->name, kernel.id, std::move(c)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto entry = EntryOf(data, size);
  const Pair* pair = entry ? FindPair(*entry) : nullptr;
  if (pair == nullptr) return -1;
  const Verdict verdict = JudgeInFlight(*pair->law, *pair->kernel->row, *entry);
  CountCase(entry->c, pair->kernel->info.traits.tile_k, verdict);
  if (verdict.outcome == Outcome::fails) {
    if (KnownFailures().Find(*entry, verdict.failure) != nullptr) return 0;
    ReportAndDie(*entry, verdict.failure, *pair->law, pair->kernel->info,
                 "padproof minimize ARTIFACT");
  }
  return Held(verdict.outcome) ? 0 : -1;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  Random random(seed);
  const auto entry = EntryOf(data, size);
  for (int attempt = 0; attempt < 8; ++attempt) {
    const Entry edited = Edited(entry ? &*entry : nullptr, random);
    if (const size_t stored = Store(Print(edited), data, max_size)) return stored;
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b,
                                            size_t b_size, uint8_t* out, size_t max_size,
                                            unsigned seed) {
  Random random(seed);
  const auto first = EntryOf(a, a_size), second = EntryOf(b, b_size);
  const Pair* pair = first ? FindPair(*first) : nullptr;
  if (!second || pair == nullptr) return 0;
  Entry child = *first;
  child.c = Cross(first->c, second->c, DomainOf(pair->kernel->info), random);
  return Store(Print(child), out, max_size);
}

}  // namespace padproof
