// A campaign: rounds of shards over hours, in one directory that says all there is to know of it.
//
//   campaign.json                     what was asked for
//   journal                           a line an event, appended
//   clock                             seconds used so far
//   stop                              there: end soon
//   findings/<identity>.case          one a way to fail, shrunk
//   corpus/<target>/                  units of a fuzz target; only ever added to
//   rounds/<r>/s<shard>-a<attempt>/   one writer ever: status, in_flight, findings/, units/, log
//   rounds/<r>/merged                 there: nothing of this round is missing above
//
// Whatever is written appears whole under its name or not at all, so that any process may be killed
// at any time: what it had found is there, and who comes later goes on from it.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/base/check.h"
#include "harness/drivers/known.h"
#include "harness/drivers/search.h"

namespace padproof {

struct CampaignSettings {
  std::string kernels = "*";
  std::string laws = "*";
  std::vector<std::string> fuzzers;  // libFuzzer targets; every second shard runs one, in turn
  std::string corpora;               // where findings are promoted to, and known.txt
  uint64_t seed = 0;
  int jobs = 1;
  double seconds = 0;        // in all
  double round_seconds = 0;  // of one round, its merge not counted
  double deadline_seconds = 10;
  double wedged_seconds = 120;  // without a new case
  int64_t disk_limit_bytes = 0;
};

Result<bool> WriteSettings(const std::string& directory, const CampaignSettings& settings);
/// An error says that there is no campaign, or what is wrong with its file.
Result<CampaignSettings> ReadSettings(const std::string& directory);

/// One shard at one try.
struct Attempt {
  int round = 1, shard = 0, attempt = 0;
};
std::string RoundDirectory(const std::string& directory, int round);
std::string AttemptDirectory(const std::string& directory, const Attempt& attempt);
/// Of all rounds, or of one; in order.
std::vector<Attempt> AttemptsIn(const std::string& directory, int round = 0);
int LastRound(const std::string& directory);  // 0: none yet
bool IsMerged(const std::string& directory, int round);

/// The target that a shard runs, "" for random search; and where its units are gathered.
std::string FuzzerOf(const CampaignSettings& settings, const Attempt& at);
std::string CorpusOf(const std::string& directory, const std::string& fuzzer);

bool StopAsked(const std::string& directory);

// ---- findings -----------------------------------------------------------------------------------

struct CampaignFinding {
  std::string identity;
  Entry entry;
  int round = 0, shard = 0;
  std::string note;   // "not seen again", say
  std::string saved;  // the regression test it became
  std::string text;   // what the case file says of it
};

/// What a finding says whose process got SIGKILL: from a person, or from who frees memory.
inline constexpr const char* kKilledFromOutside = "killed by SIGKILL";

/// Kind and region that an identity, law/kernel/kind/region, names.
Failure FailureOf(const std::string& identity);

/// Names are hashes of identities: two shards that find the same write the same file.
std::string FindingFile(const std::string& folder, const std::string& identity);
Result<bool> WriteFinding(const std::string& folder, const CampaignFinding& finding);
Result<CampaignFinding> ReadFinding(const std::string& file);
std::vector<CampaignFinding> FindingsIn(const std::string& folder);

// ---- what a shard says of itself ----------------------------------------------------------------

struct CellCount {
  int64_t cases = 0, held = 0;
  std::map<std::string, int64_t> failed;  // identity -> cases
};

struct ShardStatus {
  std::string state = "running";  // done, failed
  std::string message;
  int64_t cases = 0;
  double seconds = 0;
  std::map<std::string, CellCount> cells;  // by "law kernel"
};
Result<bool> WriteStatus(const std::string& attempt_directory, const ShardStatus& status);
ShardStatus ReadStatus(const std::string& attempt_directory);

/// Appends a line to the journal, durably.
void Journal(const std::string& directory, const std::string& line);

double ReadClock(const std::string& directory);
void WriteClock(const std::string& directory, double seconds);

}  // namespace padproof
