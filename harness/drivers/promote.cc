#include "harness/drivers/promote.h"

#include <filesystem>

#include "harness/base/file.h"
#include "harness/drivers/identity.h"
#include "harness/drivers/replay.h"

namespace padproof {
namespace {

bool FailsAlike(const Entry& saved, const Finding& finding, Worker& worker, double deadline) {
  if (saved.law != finding.entry.law || saved.kernel != finding.entry.kernel) return false;
  if (saved == finding.entry) return true;
  const auto verdict = Replay(saved, worker, deadline);
  return verdict && verdict->outcome == Outcome::fails &&
         IdentityOf(saved.law, saved.kernel, verdict->failure) ==
             IdentityOf(saved.law, saved.kernel, finding.failure);
}

std::string FileThatFailsAlike(const Finding& finding, const std::string& corpora, Worker& worker,
                               double deadline) {
  const auto family = std::filesystem::path(corpora) / FamilyOf(finding.entry.kernel);
  for (const std::string& file : CorpusFiles(family.string())) {
    const auto entries = ReadCorpusFile(file);
    if (!entries) continue;
    for (const Entry& saved : *entries) {
      if (FailsAlike(saved, finding, worker, deadline)) return file;
    }
  }
  return {};
}

}  // namespace

bool Promote(Finding& finding, const std::string& corpora, Worker& worker,
             double deadline_seconds) {
  finding.saved = FileThatFailsAlike(finding, corpora, worker, deadline_seconds);
  finding.known = !finding.saved.empty();
  if (finding.known) return true;
  const std::string path = FreshName(corpora, finding.entry);
  const auto written = WriteDurably(path, CaseFileText(finding));
  if (!written) {
    finding.problem = written.error().message;
    return false;
  }
  finding.saved = path;
  return true;
}

}  // namespace padproof
