#include "harness/drivers/known.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "harness/base/file.h"
#include "harness/base/printable.h"
#include "harness/base/words.h"
#include "harness/drivers/identity.h"
#include "harness/drivers/replay.h"
#include "harness/judge/property.h"

namespace padproof {
namespace {

constexpr std::array kKinds{kind::kValue, kind::kNan,    kind::kUnwritten, kind::kGuard,
                            kind::kInput, kind::kLaunch, kind::kCrash,     kind::kExit,
                            kind::kHang,  kind::kMemory};

constexpr const char* kForm = "expected 'LAW KERNEL CASE  # KIND at REGION: REASON'";

/// "nan at pad dk", or "crash" where there is no region.
Result<Failure> ParseWhat(std::string_view text) {
  const size_t at = text.find(" at ");
  Failure failure{.kind = std::string(Trim(text.substr(0, at)))};
  if (at != std::string_view::npos) failure.region = Trim(text.substr(at + 4));
  if (std::find(kKinds.begin(), kKinds.end(), failure.kind) != kKinds.end()) return failure;
  return Error{"'" + Printable(failure.kind) + "' is no kind of failure; there are " +
               Join(kKinds)};
}

Result<KnownFailure> ParseKnown(std::string_view line) {
  const size_t hash = line.find('#');
  const size_t colon = hash == std::string_view::npos ? hash : line.find(": ", hash);
  if (colon == std::string_view::npos || Trim(line.substr(colon + 1)).empty()) return Error{kForm};
  const auto entry = ParseEntry(Trim(line.substr(0, hash)));
  if (!entry) return Error{entry.error().message};
  if (FindProperty(entry->law) == nullptr) {
    return Error{"no law is called '" + Printable(entry->law) + "'; see 'padproof list'"};
  }
  auto failure = ParseWhat(line.substr(hash + 1, colon - hash - 1));
  if (!failure) return failure.error();
  return KnownFailure{
      .entry = *entry, .failure = *failure, .reason = std::string(Trim(line.substr(colon + 1)))};
}

}  // namespace

std::string KnownFailure::identity() const { return IdentityOf(entry.law, entry.kernel, failure); }

const KnownFailure* Ledger::Find(const std::string& identity) const {
  const auto found = by_identity_.find(identity);
  return found == by_identity_.end() ? nullptr : &found->second;
}

const KnownFailure* Ledger::Find(const Entry& entry, const Failure& failure) const {
  return by_identity_.empty() ? nullptr : Find(IdentityOf(entry.law, entry.kernel, failure));
}

void Ledger::Add(KnownFailure known) {
  std::string identity = known.identity();
  by_identity_.try_emplace(std::move(identity), std::move(known));
}

Result<Ledger> ParseLedger(const std::string& path, const std::string& text) {
  Ledger ledger;
  std::istringstream in(text);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    line = Trim(line);
    if (line.empty() || line.front() == '#') continue;
    auto known = ParseKnown(line);
    const std::string place = path + ":" + std::to_string(number);
    if (!known) return Error{place + ": " + known.error().message};
    known->place = place;
    if (const KnownFailure* twin = ledger.Find(known->identity())) {
      return Error{place + ": the same failure as " + twin->place + "; remove one"};
    }
    ledger.Add(std::move(*known));
  }
  return ledger;
}

Result<Ledger> ReadLedger(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / "known.txt").string();
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return Ledger{};
  const auto text = ReadFile(path);
  if (!text) return Error{path + ": cannot be read: " + std::strerror(errno)};
  return ParseLedger(path, *text);
}

std::string StillFails(const KnownFailure& known, Worker& worker, double deadline_seconds) {
  const auto verdict = Replay(known.entry, worker, deadline_seconds);
  if (!verdict) return known.place + ": " + verdict.error().message;
  if (verdict->outcome != Outcome::fails) {
    return known.place + ": fixed: remove the line (" + Print(known.entry) + ")";
  }
  const std::string now = IdentityOf(known.entry.law, known.entry.kernel, verdict->failure);
  if (now == known.identity()) return {};
  return known.place + ": it fails in another way now, " + now + ": look again, then mend the line";
}

}  // namespace padproof
