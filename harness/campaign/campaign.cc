#include "harness/campaign/campaign.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/base/random.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string TextOf(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

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

Result<bool> WriteSettings(const std::string& directory, const CampaignSettings& s) {
  const json j{{"kernels", s.kernels},
               {"laws", s.laws},
               {"fuzzers", s.fuzzers},
               {"corpora", s.corpora},
               {"seed", s.seed},
               {"jobs", s.jobs},
               {"seconds", s.seconds},
               {"round_seconds", s.round_seconds},
               {"deadline_seconds", s.deadline_seconds},
               {"wedged_seconds", s.wedged_seconds},
               {"disk_limit_bytes", s.disk_limit_bytes}};
  return WriteDurably(directory + "/campaign.json", j.dump(2) + "\n");
}

Result<CampaignSettings> ReadSettings(const std::string& directory) {
  const std::string file = directory + "/campaign.json";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    return Error{directory + ": no campaign here; begin one with 'padproof campaign start'"};
  }
  try {
    const json j = json::parse(TextOf(file));
    CampaignSettings s;
    j.at("kernels").get_to(s.kernels);
    j.at("laws").get_to(s.laws);
    j.at("fuzzers").get_to(s.fuzzers);
    j.at("corpora").get_to(s.corpora);
    j.at("seed").get_to(s.seed);
    j.at("jobs").get_to(s.jobs);
    j.at("seconds").get_to(s.seconds);
    j.at("round_seconds").get_to(s.round_seconds);
    j.at("deadline_seconds").get_to(s.deadline_seconds);
    j.at("wedged_seconds").get_to(s.wedged_seconds);
    j.at("disk_limit_bytes").get_to(s.disk_limit_bytes);
    return s;
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

std::string FuzzerOf(const CampaignSettings& settings, int shard) {
  const auto number = static_cast<size_t>(shard);
  if (settings.fuzzers.empty() || number % 2 == 0) return {};
  return settings.fuzzers[number / 2 % settings.fuzzers.size()];
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
  const std::string text = TextOf(file);
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
  json cells = json::object();
  for (const auto& [name, cell] : status.cells) {
    cells[name] = {{"cases", cell.cases}, {"held", cell.held}, {"failed", cell.failed}};
  }
  const json j{{"state", status.state},
               {"message", status.message},
               {"cases", status.cases},
               {"seconds", status.seconds},
               {"cells", cells}};
  return WriteDurably(attempt_directory + "/status",
                      j.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

ShardStatus ReadStatus(const std::string& attempt_directory) {
  ShardStatus status;
  try {
    const json j = json::parse(TextOf(attempt_directory + "/status"));
    j.at("state").get_to(status.state);
    j.at("message").get_to(status.message);
    j.at("cases").get_to(status.cases);
    j.at("seconds").get_to(status.seconds);
    for (const auto& [name, cell] : j.at("cells").items()) {
      CellCount& count = status.cells[name];
      cell.at("cases").get_to(count.cases);
      cell.at("held").get_to(count.held);
      cell.at("failed").get_to(count.failed);
    }
  } catch (const json::exception&) {
    // A shard that was killed before its first word has judged nothing that anybody knows of.
  }
  return status;
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
  return std::strtod(TextOf(directory + "/clock").c_str(), nullptr);
}

void WriteClock(const std::string& directory, double seconds) {
  WriteDurably(directory + "/clock", fmt::format("{:.1f}\n", seconds));
}

}  // namespace padproof
