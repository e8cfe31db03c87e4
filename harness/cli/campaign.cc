#include "harness/campaign/campaign.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "harness/base/file.h"
#include "harness/base/words.h"
#include "harness/campaign/controller.h"
#include "harness/campaign/merge.h"
#include "harness/campaign/report.h"
#include "harness/campaign/shard.h"
#include "harness/cli/commands.h"
#include "harness/drivers/catalogue.h"
#include "harness/drivers/parent.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

namespace fs = std::filesystem;

struct CampaignFlags {
  std::string directory;
  CampaignSettings settings;
  double hours = 8;
  double round_minutes = 0;
  double disk_limit_gb = 10;
  std::string seed;
  std::string fuzzers;
  bool json = false;
  std::string junit;
  bool prepare = false;
  int round = 1, shard = 0, attempt = 0;
  double seconds = 0;
};

/// The libFuzzer targets of a build of the preset `fuzz` beside this one.
std::vector<std::string> BuiltFuzzers() {
  std::vector<std::string> fuzzers;
  std::error_code ignored;
  const fs::path folder = fs::path(ExecutableDirectory()).parent_path() / "fuzz";
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file(ignored) && GlobMatch("*_fuzzer", name)) {
      fuzzers.push_back(entry.path().string());
    }
  }
  std::sort(fuzzers.begin(), fuzzers.end());
  return fuzzers;
}

int64_t BytesIn(double gb) { return static_cast<int64_t>(gb * 1e9); }

std::string Complete(CampaignFlags& flags) {
  CampaignSettings& s = flags.settings;
  s.seed = SeedFrom(flags.seed);
  s.seconds = flags.hours * 3600;
  // Findings are shrunk and promoted at the end of a round, so that a night has several.
  s.round_seconds =
      flags.round_minutes > 0 ? flags.round_minutes * 60 : std::min(s.seconds / 8, 3600.0);
  s.disk_limit_bytes = BytesIn(flags.disk_limit_gb);
  s.jobs = JobsOf(s.jobs);
  if (s.corpora.empty()) s.corpora = CorporaDirectory();
  if (flags.fuzzers.empty()) {
    s.fuzzers = BuiltFuzzers();
  } else if (flags.fuzzers != "none") {
    for (const std::string& fuzzer : SplitAtCommas(flags.fuzzers)) {
      s.fuzzers.push_back(fs::absolute(fuzzer).string());
    }
  }
  for (const std::string& fuzzer : s.fuzzers) {
    std::error_code ignored;
    if (!fs::exists(fuzzer, ignored)) {
      return fuzzer +
             ": no such fuzz target; those of build/fuzz are made by cmake --preset fuzz && "
             "cmake --build --preset fuzz";
    }
  }
  s.corpora = fs::absolute(s.corpora).string();
  return {};
}

/// 1 for findings; else 3 where a shard could not do its work.
int ExitCodeOf(const CampaignState& state) {
  if (!state.findings.empty() || !state.unmerged.empty()) return kExitFails;
  return state.problems.empty() ? kExitHolds : kExitHarness;
}

int Conclude(const std::string& directory, const CampaignSettings& settings) {
  const CampaignState state = StateOf(directory, settings);
  fmt::print("{}", ReportText(state, settings));
  return ExitCodeOf(state);
}

int Control(const std::string& directory, const CampaignSettings& settings) {
  const auto end =
      RunCampaign(directory, settings, [](const std::string& line) { fmt::print("{}\n", line); });
  if (!end) return Complain(end.error().message, kExitHarness);
  const int exit_code = Conclude(directory, settings);
  switch (*end) {
    case CampaignEnd::time_is_up:
    case CampaignEnd::stopped:
      return exit_code;
    case CampaignEnd::disk_limit:
      return Complain(fmt::format("{}: the disk limit of {:.3g} GB is reached; make room, or give "
                                  "'padproof campaign resume' a higher --disk-limit",
                                  directory, static_cast<double>(settings.disk_limit_bytes) / 1e9),
                      kExitHarness);
    case CampaignEnd::nothing_runs:
      break;
  }
  return Complain(
      directory + ": no shard can run; why is said above, and in " + directory + "/rounds/*/*/log",
      kExitHarness);
}

int Start(CampaignFlags& flags) {
  const std::string& directory = flags.directory;
  std::error_code error;
  if (fs::exists(directory + "/campaign.json", error)) {
    return Complain(directory + ": there is a campaign; 'padproof campaign resume' goes on with it",
                    kExitUsage);
  }
  if (const std::string wrong = Complete(flags); !wrong.empty()) return Complain(wrong, kExitUsage);
  // What cannot be found is said now, and not in the morning.
  Worker worker;
  if (const auto k = FindKernels(flags.settings.kernels, worker); !k) {
    return Complain(k.error().message, kExitUsage);
  }
  if (const auto l = FindLaws(flags.settings.laws); !l) {
    return Complain(l.error().message, kExitUsage);
  }
  if (const auto k = ReadLedger(flags.settings.corpora); !k) {
    return Complain(k.error().message, kExitUsage);
  }
  worker.Stop();
  if (const auto written = WriteSettings(directory, flags.settings); !written) {
    return Complain(written.error().message, kExitUsage);
  }
  const CampaignSettings& s = flags.settings;
  fmt::print(
      "padproof campaign: {} jobs, {:.3g} hours in rounds of {:.3g} minutes, seed {}; {} fuzz "
      "targets\n",
      s.jobs, s.seconds / 3600, s.round_seconds / 60, s.seed, s.fuzzers.size());
  if (flags.prepare) return kExitHolds;
  return Control(directory, s);
}

/// Calls `act` with the settings of an existing campaign.
template <class Act>
int WithSettings(const std::string& directory, Act act) {
  const auto settings = ReadSettings(directory);
  if (!settings) return Complain(settings.error().message, kExitUsage);
  return act(*settings);
}

int Report(const CampaignFlags& flags) {
  return WithSettings(flags.directory, [&](const CampaignSettings& settings) {
    const CampaignState state = StateOf(flags.directory, settings);
    fmt::print("{}", flags.json ? ReportJson(state) : ReportText(state, settings));
    if (!flags.junit.empty()) {
      const auto written = WriteDurably(flags.junit, ReportJUnit(state));
      if (!written) return Complain(written.error().message, kExitHarness);
    }
    return ExitCodeOf(state);
  });
}

int Resume(const CampaignFlags& flags, bool hours_given, bool limit_given) {
  return WithSettings(flags.directory, [&](CampaignSettings settings) {
    if (hours_given) settings.seconds = flags.hours * 3600;
    if (limit_given) settings.disk_limit_bytes = BytesIn(flags.disk_limit_gb);
    const auto written = WriteSettings(flags.directory, settings);
    if (!written) return Complain(written.error().message, kExitHarness);
    return Control(flags.directory, settings);
  });
}

int Stop(const CampaignFlags& flags) {
  return WithSettings(flags.directory, [&](const CampaignSettings&) {
    if (!IsControlled(flags.directory)) {
      return Complain(flags.directory + ": nothing is running here", kExitUsage);
    }
    const auto written = WriteDurably(flags.directory + "/stop", "");
    if (!written) return Complain(written.error().message, kExitHarness);
    fmt::print("asked to stop: its shards end within seconds, then the round is merged\n");
    return kExitHolds;
  });
}

CLI::App* AddTo(CLI::App& parent, const char* name, const char* what, CampaignFlags& flags) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->add_option("directory", flags.directory, "where the campaign lives")->required();
  return command;
}

void AddLimits(CLI::App& command, CampaignFlags& flags) {
  command.add_option("--hours", flags.hours, "how long, shrinking not counted")
      ->check(CLI::Range(0.0005, 10000.0))
      ->capture_default_str();
  command.add_option("--disk-limit", flags.disk_limit_gb, "GB of the directory; 0: no limit")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
}

void AddStart(CLI::App& campaign, const std::shared_ptr<CampaignFlags>& flags, int& exit_code) {
  CLI::App* start = AddTo(campaign, "start", "begins a campaign and runs it", *flags);
  CampaignSettings& s = flags->settings;
  AddLimits(*start, *flags);
  start->add_option("--kernel", s.kernels, "kernels: globs, comma separated")
      ->capture_default_str();
  start
      ->add_option(
          "--law", s.laws,
          "laws of the shards that draw: globs, comma separated; a fuzz target has its own")
      ->capture_default_str();
  start->add_option("--jobs", s.jobs, "shards at a time; 0: one a core")
      ->check(CLI::Range(0, 1024));
  AddSeedFlag(*start, flags->seed);
  start
      ->add_option("--round-minutes", flags->round_minutes,
                   "findings are shrunk and promoted after each round (default: an eighth of the "
                   "time, an hour at most)")
      ->check(CLI::Range(0.01, 10000.0));
  start->add_option("--fuzzer", flags->fuzzers,
                    "libFuzzer targets that every second shard runs, comma separated, or the "
                    "word none (default: those of build/fuzz, if any)");
  AddDeadlineFlag(*start, s.deadline_seconds);
  start
      ->add_option("--wedged", s.wedged_seconds,
                   "seconds without a new case until a shard is killed")
      ->check(CLI::Range(0.5, 86400.0))
      ->capture_default_str();
  AddCorporaFlag(*start, s.corpora);
  start->add_flag("--prepare", flags->prepare,
                  "write the directory and run nothing: Slurm does (fuzz/campaign/submit)");
  start->callback([flags, &exit_code] { exit_code = Start(*flags); });
}

/// What the controller runs, and a batch system may.
void AddParts(CLI::App& campaign, const std::shared_ptr<CampaignFlags>& flags, int& exit_code) {
  CLI::App* shard = AddTo(campaign, "shard", "one shard of one round", *flags);
  shard->add_option("round", flags->round)->required();
  shard->add_option("shard", flags->shard)->required();
  shard->add_option("attempt", flags->attempt)->required();
  shard->add_option("seconds", flags->seconds)->required();
  shard->callback([flags, &exit_code] {
    DieWithParent();
    exit_code = WithSettings(flags->directory, [&](const CampaignSettings& settings) {
      const Attempt attempt{flags->round, flags->shard, flags->attempt};
      return RunShard(flags->directory, settings, attempt, flags->seconds) ? kExitHolds
                                                                           : kExitHarness;
    });
  });
  CLI::App* merge = AddTo(campaign, "merge", "the end of one round", *flags);
  merge->add_option("round", flags->round)->required();
  merge->callback([flags, &exit_code] {
    DieWithParent();
    exit_code = WithSettings(flags->directory, [&](const CampaignSettings& settings) {
      const auto merged = MergeRound(flags->directory, settings, flags->round);
      return merged ? kExitHolds : Complain(merged.error().message, kExitHarness);
    });
  });
  for (CLI::App* part : {shard, merge}) part->group("");  // not for people
}

}  // namespace

void AddCampaign(CLI::App& app, int& exit_code) {
  CLI::App* campaign = app.add_subcommand(
      "campaign", "searches for hours, keeps what it finds, and may be killed at any time");
  campaign->require_subcommand(1);
  const auto flags = std::make_shared<CampaignFlags>();
  AddStart(*campaign, flags, exit_code);
  CLI::App* resume = AddTo(*campaign, "resume", "goes on with a campaign that ended early", *flags);
  AddLimits(*resume, *flags);
  for (const char* limit : {"--hours", "--disk-limit"}) {
    resume->get_option(limit)->default_str("as it was started");
  }
  resume->callback([flags, resume, &exit_code] {
    exit_code = Resume(*flags, resume->count("--hours") > 0, resume->count("--disk-limit") > 0);
  });
  CLI::App* status = AddTo(*campaign, "status", "how far it is", *flags);
  status->callback([flags, &exit_code] {
    exit_code = WithSettings(flags->directory, [&](const CampaignSettings& settings) {
      fmt::print("{}", StatusText(StateOf(flags->directory, settings), settings));
      return kExitHolds;
    });
  });
  CLI::App* report = AddTo(*campaign, "report", "what it found", *flags);
  report->add_flag("--json", flags->json, "the report as JSON on stdout");
  report->add_option("--junit", flags->junit, "also write JUnit XML to this file");
  report->callback([flags, &exit_code] { exit_code = Report(*flags); });
  CLI::App* stop = AddTo(*campaign, "stop", "ends it soon, with nothing lost", *flags);
  stop->callback([flags, &exit_code] { exit_code = Stop(*flags); });
  AddParts(*campaign, flags, exit_code);
}

}  // namespace padproof
