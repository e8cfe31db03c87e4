// libFuzzer's entry points over a FuzzTarget: parse, judge, and edit entries field by field.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include "fuzz/target.h"
#include "harness/campaign/campaign.h"
#include "harness/campaign/in_flight.h"
#include "harness/case/mutate.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/corpus.h"
#include "harness/drivers/known.h"
#include "harness/drivers/loaded_kernels.h"
#include "harness/drivers/parent.h"
#include "harness/drivers/paths.h"
#include "harness/drivers/search.h"
#include "harness/judge/property.h"
#include "harness/report/failure.h"

namespace padproof {
namespace {

struct Callable {
  const KernelRow* row;
  KernelInfo info;
};

struct Arena {
  std::vector<Callable> kernels;
  std::vector<const Property*> laws;
};

[[noreturn]] void Refuse(const std::string& message) {
  std::fprintf(stderr, "padproof: %s\n", message.c_str());
  std::exit(2);
}

std::string KernelPatterns() {
  const char* chosen = std::getenv("PADPROOF_FUZZ_KERNELS");
  return chosen != nullptr ? chosen : std::string(Target().kernels);
}

void AddMatching(const std::string& library, const std::string& patterns,
                 std::vector<Callable>& kernels) {
  const auto rows = RowsOf(library);
  if (!rows) Refuse(rows.error().message);
  for (const KernelRow* row : *rows) {
    KernelInfo info = Describe(*row, library);
    if (MatchesAny(patterns, info)) kernels.push_back({row, std::move(info)});
  }
}

const Arena& TheArena() {
  static const Arena arena = [] {
    Arena a;
    const std::string patterns = KernelPatterns();
    for (const std::string& library : LibrariesFor(patterns)) {
      AddMatching(library, patterns, a.kernels);
      if (!a.kernels.empty()) break;  // one library a campaign: LibTorch is not loaded for nothing
    }
    if (a.kernels.empty()) Refuse("PADPROOF_FUZZ_KERNELS: no kernel matches '" + patterns + "'");
    for (const std::string_view name : Target().laws) {
      const Property* law = FindProperty(name);
      if (law == nullptr) Refuse("fuzz target names an unknown law '" + std::string(name) + "'");
      a.laws.push_back(law);
    }
    return a;
  }();
  return arena;
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

// The first entry of a case file; # starts a comment.
Result<Entry> EntryOf(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string line = text.substr(0, end);
    line.resize(std::min(line.find('#'), line.size()));
    if (line.find_first_not_of(" \t\r") != std::string::npos) return ParseEntry(line);
    text.erase(0, end + 1);
  }
  return Error{"empty"};
}

const Callable* FindCallable(const std::string& id) {
  for (const Callable& kernel : TheArena().kernels) {
    if (kernel.info.id == id) return &kernel;
  }
  return nullptr;
}

const Property* FindLaw(const std::string& name) {
  for (const Property* law : TheArena().laws) {
    if (name == law->name) return law;
  }
  return nullptr;
}

template <class T>
const T& Pick(const std::vector<T>& all, Random& random) {
  return all[random.Below(static_cast<uint32_t>(all.size()))];
}

// An edited copy of `entry`, or a fresh one if there is none.
Entry Edited(const Entry* entry, Random& random) {
  const Callable* kernel = entry != nullptr ? FindCallable(entry->kernel) : nullptr;
  const Property* law = entry != nullptr ? FindLaw(entry->law) : nullptr;
  const bool fresh = kernel == nullptr || law == nullptr || random.Chance(5);
  if (fresh || random.Chance(10)) kernel = &Pick(TheArena().kernels, random);
  if (fresh || random.Chance(10)) law = Pick(TheArena().laws, random);
  const Domain domain = DomainOf(kernel->info);
  Case c =
      fresh ? Generate(domain, random, random.Between(0, 100)) : Mutate(entry->c, domain, random);
  if (random.Chance(80)) PrepareFor(*law, c, kernel->info.traits, random);
  return {law->name, kernel->info.id, std::move(c)};
}

size_t Store(const Entry& entry, uint8_t* data, size_t max_size) {
  const std::string text = Print(entry) + "\n";
  if (text.size() > max_size) return 0;
  std::copy(text.begin(), text.end(), data);
  return text.size();
}

[[noreturn]] void ReportAndDie(const Entry& entry, const KernelInfo& kernel, const Property& law,
                               const Failure& failure) {
  const Finding finding{
      .entry = entry, .failure = failure, .statement = law.statement, .source = kernel.file};
  std::fprintf(stderr, "%s  then    padproof minimize ARTIFACT\nDEDUP_TOKEN: %s\n",
               Report(finding).c_str(), IdentityOf(entry.law, entry.kernel, failure).c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto entry = EntryOf(data, size);
  if (!entry) return -1;
  const Callable* kernel = FindCallable(entry->kernel);
  const Property* law = FindLaw(entry->law);
  if (kernel == nullptr || law == nullptr) return -1;
  const Verdict verdict = JudgeInFlight(*law, *kernel->row, *entry);
  if (verdict.outcome == Outcome::fails) {
    if (KnownFailures().Find(*entry, verdict.failure) != nullptr) return 0;
    ReportAndDie(*entry, kernel->info, *law, verdict.failure);
  }
  return Held(verdict.outcome) ? 0 : -1;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  Random random(seed);
  const auto entry = EntryOf(data, size);
  for (int attempt = 0; attempt < 8; ++attempt) {
    const Entry edited = Edited(entry ? &*entry : nullptr, random);
    if (const size_t stored = Store(edited, data, max_size)) return stored;
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b,
                                            size_t b_size, uint8_t* out, size_t max_size,
                                            unsigned seed) {
  Random random(seed);
  const auto first = EntryOf(a, a_size), second = EntryOf(b, b_size);
  const Callable* kernel = first ? FindCallable(first->kernel) : nullptr;
  if (!second || kernel == nullptr) return 0;
  Entry child = *first;
  child.c = Cross(first->c, second->c, DomainOf(kernel->info), random);
  return Store(child, out, max_size);
}

}  // namespace padproof
