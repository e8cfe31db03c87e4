#include "harness/campaign/campaign.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/base/file.h"
#include "harness/base/random.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Reads "s<shard>-a<attempt>".
bool ParseAttempt(const std::string& name, Attempt& attempt) {
  return std::sscanf(name.c_str(), "s%d-a%d", &attempt.shard, &attempt.attempt) == 2;
}

/// The rest of the line "# <key> ..." of a finding's file, or "".
std::string Noted(const std::string& text, const std::string& key) {
  const std::string start = "# " + key + " ";
  const size_t at = text.rfind(start, 0) == 0 ? 0 : text.find("\n" + start);
  if (at == std::string::npos) return {};
  const size_t begin = text.find(start, at) + start.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CampaignSettings, kernels, laws, fuzzers, corpora, seed, jobs,
                                   seconds, round_seconds, deadline_seconds, wedged_seconds,
                                   disk_limit_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CellCount, cases, held, failed)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ShardStatus, state, message, cases, seconds, cells)

Result<bool> WriteSettings(const std::string& directory, const CampaignSettings& settings) {
  return WriteDurably(directory + "/campaign.json", json(settings).dump(2) + "\n");
}

Result<CampaignSettings> ReadSettings(const std::string& directory) {
  const std::string file = directory + "/campaign.json";
  const auto text = ReadFile(file);
  if (!text) {
    return Error{directory + ": no campaign here; begin one with 'padproof campaign start'"};
  }
  try {
    return json::parse(*text).get<CampaignSettings>();
  } catch (const json::exception& e) {
    return Error{file + ": " + e.what() + "; it is written by 'padproof campaign start'"};
  }
}

std::string RoundDirectory(const std::string& directory, int round) {
  return fmt::format("{}/rounds/{:04}", directory, round);
}

std::string AttemptDirectory(const std::string& directory, const Attempt& a) {
  return fmt::format("{}/s{:02}-a{:02}", RoundDirectory(directory, a.round), a.shard, a.attempt);
}

int LastRound(const std::string& directory) {
  int last = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory + "/rounds", ignored)) {
    last = std::max(last, std::atoi(entry.path().filename().c_str()));
  }
  return last;
}

std::vector<Attempt> AttemptsIn(const std::string& directory, int round) {
  std::vector<Attempt> attempts;
  const int first = round > 0 ? round : 1, last = round > 0 ? round : LastRound(directory);
  for (int r = first; r <= last; ++r) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(RoundDirectory(directory, r), ignored)) {
      Attempt attempt{.round = r};
      if (ParseAttempt(entry.path().filename().string(), attempt)) attempts.push_back(attempt);
    }
  }
  std::sort(attempts.begin(), attempts.end(), [](const Attempt& a, const Attempt& b) {
    return std::tie(a.round, a.shard, a.attempt) < std::tie(b.round, b.shard, b.attempt);
  });
  return attempts;
}

bool IsMerged(const std::string& directory, int round) {
  std::error_code ignored;
  return fs::exists(RoundDirectory(directory, round) + "/merged", ignored);
}

std::string FuzzerOf(const CampaignSettings& settings, const Attempt& at) {
  const bool alone = settings.jobs == 1;  // one job does in turn what several do side by side
  const int number = alone ? at.round - 1 : at.shard;
  if (settings.fuzzers.empty() || number % 2 == 0) return {};
  const int turn = alone ? number / 2 : (at.round - 1) * (settings.jobs / 2) + number / 2;
  return settings.fuzzers[static_cast<size_t>(turn) % settings.fuzzers.size()];
}

std::string CorpusOf(const std::string& directory, const std::string& fuzzer) {
  return directory + "/corpus/" + Stem(fuzzer);
}

bool StopAsked(const std::string& directory) {
  std::error_code ignored;
  return fs::exists(directory + "/stop", ignored);
}

// ---- findings -----------------------------------------------------------------------------------

Failure FailureOf(const std::string& identity) {
  const size_t region = identity.rfind('/');
  const size_t kind = region == std::string::npos ? region : identity.rfind('/', region - 1);
  if (kind == std::string::npos) return {.kind = identity};
  return {.kind = identity.substr(kind + 1, region - kind - 1),
          .region = identity.substr(region + 1)};
}

std::string FindingFile(const std::string& folder, const std::string& identity) {
  return fmt::format("{}/{:016x}.case", folder, HashOf(identity));
}

Result<bool> WriteFinding(const std::string& folder, const CampaignFinding& f) {
  std::string text =
      fmt::format("# identity {}\n# found in round {} by shard {}\n", f.identity, f.round, f.shard);
  if (!f.note.empty()) text += "# note " + f.note + "\n";
  if (!f.saved.empty()) text += "# saved " + f.saved + "\n";
  return WriteDurably(FindingFile(folder, f.identity), text + f.text);
}

Result<CampaignFinding> ReadFinding(const std::string& file) {
  const auto entries = ReadCorpusFile(file);
  if (!entries) return entries.error();
  const std::string text = ReadFile(file).value_or("");
  CampaignFinding f{.identity = Noted(text, "identity"),
                    .entry = entries->front(),
                    .note = Noted(text, "note"),
                    .saved = Noted(text, "saved")};
  std::sscanf(Noted(text, "found in").c_str(), "round %d by shard %d", &f.round, &f.shard);
  const size_t story = text.find("\n# " + f.entry.law + " / ");
  f.text = text.substr(story == std::string::npos ? text.size() : story + 1);
  if (f.identity.empty()) return Error{file + ": no line '# identity ...'"};
  return f;
}

std::vector<CampaignFinding> FindingsIn(const std::string& folder) {
  std::vector<CampaignFinding> findings;
  for (const std::string& file : CorpusFiles(folder)) {
    if (auto finding = ReadFinding(file)) findings.push_back(std::move(*finding));
  }
  std::sort(findings.begin(), findings.end(), [](const auto& a, const auto& b) {
    return std::tie(a.round, a.identity) < std::tie(b.round, b.identity);
  });
  return findings;
}

// ---- what a shard says of itself ----------------------------------------------------------------

Result<bool> WriteStatus(const std::string& attempt_directory, const ShardStatus& status) {
  return WriteDurably(attempt_directory + "/status",
                      json(status).dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

ShardStatus ReadStatus(const std::string& attempt_directory) {
  try {
    return json::parse(ReadFile(attempt_directory + "/status").value_or("")).get<ShardStatus>();
  } catch (const json::exception&) {
    return {};  // killed before its first word, it has judged nothing that anybody knows of
  }
}

void Journal(const std::string& directory, const std::string& line) {
  const int fd =
      open((directory + "/journal").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return;
  std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char time[32];
  std::strftime(time, sizeof time, "%F %T", &local);
  const std::string text = fmt::format("{} {}\n", time, line);
  if (write(fd, text.data(), text.size()) > 0) fdatasync(fd);
  close(fd);
}

double ReadClock(const std::string& directory) {
  return std::strtod(ReadFile(directory + "/clock").value_or("").c_str(), nullptr);
}

void WriteClock(const std::string& directory, double seconds) {
  WriteDurably(directory + "/clock", fmt::format("{:.1f}\n", seconds));
}

}  // namespace padproof
