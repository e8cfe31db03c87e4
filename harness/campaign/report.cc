#include "harness/campaign/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/campaign/controller.h"
#include "harness/case/simplify.h"
#include "harness/report/failure.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

int64_t CasesOf(const CampaignState& state, const std::string& identity) {
  int64_t cases = 0;
  for (const auto& [name, cell] : state.cells) {
    const auto found = cell.failed.find(identity);
    if (found != cell.failed.end()) cases += found->second;
  }
  return cases;
}

std::string Duration(double seconds) {
  const auto whole = static_cast<int>(seconds);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c == '\n' || static_cast<unsigned char>(c) >= 32 ? c : '?';
    }
  }
  return escaped;
}

void Add(CampaignState& state, const ShardStatus& status, const Ledger& ledger) {
  state.cases += status.cases;
  if (status.state == "failed" && std::find(state.problems.begin(), state.problems.end(),
                                            status.message) == state.problems.end()) {
    state.problems.push_back(status.message);
  }
  for (const auto& [name, cell] : status.cells) {
    CellCount& sum = state.cells[name];
    sum.cases += cell.cases;
    sum.held += cell.held;
    for (const auto& [identity, cases] : cell.failed) {
      sum.failed[identity] += cases;
      if (ledger.Find(identity) != nullptr) state.known[identity] += cases;
    }
  }
}

/// The story of a finding as its file tells it, one line without hashes.
std::string Story(const CampaignFinding& f) {
  std::string text = f.text.substr(0, f.text.rfind("\n" + f.entry.law + " "));
  std::string line;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') {
      line += "; ";
      at += text.compare(at, 3, "\n# ") == 0 ? 2 : 0;
    } else {
      line += text[at];
    }
  }
  return line.rfind("# ", 0) == 0 ? line.substr(2) : line;
}

/// "1 way", "2 ways"
std::string Counted(size_t n, const char* what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

/// law/kernel/kind/region
std::string LawOf(const std::string& identity) { return identity.substr(0, identity.find('/')); }
std::string KernelOf(const std::string& identity) {
  const size_t begin = identity.find('/') + 1;
  return identity.substr(begin, identity.find('/', begin) - begin);
}

std::string Names(const std::set<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

/// What one kernel did wrong, the simplest case first: mostly one bug, which many laws see.
using ByKernel = std::map<std::string, std::vector<const CampaignFinding*>>;
ByKernel GroupedByKernel(const std::vector<CampaignFinding>& findings) {
  ByKernel groups;
  for (const CampaignFinding& f : findings) groups[f.entry.kernel].push_back(&f);
  for (auto& [kernel, group] : groups) {
    std::iter_swap(group.begin(),
                   std::min_element(group.begin(), group.end(), [](auto* a, auto* b) {
                     return ComplexityOf(a->entry.c) < ComplexityOf(b->entry.c);
                   }));
  }
  return groups;
}

std::string FindingText(const CampaignState& s, const CampaignFinding& f) {
  std::string text = fmt::format("{}   {}\n", f.identity, Red("FAILED"));
  text += fmt::format("  case    {}\n", Print(f.entry.c));
  text += fmt::format("  what    {}\n", Story(f));
  text += fmt::format("  found   in round {}; {} cases so far\n", f.round,
                      std::max<int64_t>(1, CasesOf(s, f.identity)));
  if (!f.note.empty()) text += fmt::format("  note    {}\n", f.note);
  text += fmt::format("  replay  {}\n", ReplayCommand(Print(f.entry)));
  if (!f.saved.empty()) text += fmt::format("  saved   {}\n", f.saved);
  return text;
}

/// The others of a group in one line.
std::string AlsoText(const std::vector<const CampaignFinding*>& group) {
  if (group.size() < 2) return {};
  std::set<std::string> laws;
  for (size_t n = 1; n < group.size(); ++n) laws.insert(group[n]->entry.law);
  return fmt::format("  also    {}, under {} (--json tells of each)\n",
                     Counted(group.size() - 1, "other way"), Names(laws));
}

}  // namespace

CampaignState StateOf(const std::string& directory, const CampaignSettings& settings) {
  CampaignState state{.rounds = LastRound(directory),
                      .used_seconds = ReadClock(directory),
                      .bytes = BytesBelow(directory),
                      .findings = FindingsIn(directory + "/findings"),
                      .running = IsControlled(directory)};
  for (int r = 1; r <= state.rounds; ++r) state.merged += IsMerged(directory, r);
  const auto ledger = ReadLedger(settings.corpora);
  std::set<std::string> merged, unmerged;
  for (const CampaignFinding& f : state.findings) merged.insert(f.identity);
  for (const Attempt& attempt : AttemptsIn(directory)) {
    const std::string folder = AttemptDirectory(directory, attempt);
    Add(state, ReadStatus(folder), ledger ? *ledger : Ledger{});
    if (IsMerged(directory, attempt.round)) continue;  // what is not there by now was dismissed
    for (const CampaignFinding& f : FindingsIn(folder + "/findings")) {
      if (!merged.contains(f.identity)) unmerged.insert(f.identity);
    }
  }
  state.unmerged.assign(unmerged.begin(), unmerged.end());
  return state;
}

std::string StatusText(const CampaignState& s, const CampaignSettings& settings) {
  std::string text =
      fmt::format("{}: round {}, {} of {}, {} jobs\n", s.running ? "running" : "not running",
                  s.rounds, Duration(s.used_seconds), Duration(settings.seconds), settings.jobs);
  const double speed = s.used_seconds > 0 ? static_cast<double>(s.cases) / s.used_seconds : 0;
  text += fmt::format("{} cases in {} cells, {:.0f} a second; {:.1f} MB on disk{}\n", s.cases,
                      s.cells.size(), speed, static_cast<double>(s.bytes) / 1e6,
                      settings.disk_limit_bytes > 0
                          ? fmt::format(" of {:.1f}", settings.disk_limit_bytes / 1e6)
                          : "");
  std::map<std::string, std::set<std::string>> unmerged;
  std::set<std::string> kernels;
  for (const CampaignFinding& f : s.findings) kernels.insert(f.entry.kernel);
  for (const std::string& identity : s.unmerged) {
    kernels.insert(KernelOf(identity));
    unmerged[KernelOf(identity)].insert(LawOf(identity));
  }
  text += fmt::format("{} to fail in {}, {} of them not merged yet; {} known\n",
                      Counted(s.findings.size() + s.unmerged.size(), "way"),
                      Counted(kernels.size(), "kernel"), s.unmerged.size(), s.known.size());
  for (const auto& [kernel, laws] : unmerged) {
    text += fmt::format("  {}: under {}\n", kernel, Names(laws));
  }
  for (const std::string& problem : s.problems) text += "a shard failed: " + problem + "\n";
  return text;
}

std::string ReportText(const CampaignState& s, const CampaignSettings& settings) {
  std::string text;
  for (const auto& [kernel, group] : GroupedByKernel(s.findings)) {
    text += FindingText(s, *group.front()) + AlsoText(group) + "\n";
  }
  for (const auto& [identity, cases] : s.known) {
    text += fmt::format("known: {}, in {} cases\n", identity, cases);
  }
  return text + StatusText(s, settings);
}

std::string ReportJson(const CampaignState& s) {
  using nlohmann::json;
  json findings = json::array(), cells = json::array();
  for (const CampaignFinding& f : s.findings) {
    findings.push_back({{"identity", f.identity},
                        {"entry", Print(f.entry)},
                        {"story", Story(f)},
                        {"round", f.round},
                        {"shard", f.shard},
                        {"cases", CasesOf(s, f.identity)},
                        {"note", f.note},
                        {"saved", f.saved}});
  }
  for (const auto& [name, cell] : s.cells) {
    cells.push_back({{"law", name.substr(0, name.find(' '))},
                     {"kernel", name.substr(name.find(' ') + 1)},
                     {"cases", cell.cases},
                     {"held", cell.held},
                     {"failed", cell.failed}});
  }
  const json whole{{"findings", findings},  {"unmerged", s.unmerged},    {"known", s.known},
                   {"cells", cells},        {"cases", s.cases},          {"rounds", s.rounds},
                   {"bytes", s.bytes},      {"seconds", s.used_seconds}, {"running", s.running},
                   {"problems", s.problems}};
  return whole.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string ReportJUnit(const CampaignState& s) {
  std::multimap<std::string, const CampaignFinding*> by_cell;
  for (const CampaignFinding& f : s.findings)
    by_cell.emplace(f.entry.law + " " + f.entry.kernel, &f);
  std::set<std::string> names;
  for (const auto& [name, cell] : s.cells) names.insert(name);
  for (const auto& [name, finding] : by_cell) names.insert(name);
  size_t failures = 0;
  std::string cases;
  for (const std::string& name : names) {
    const size_t space = name.find(' ');
    cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\">\n",
                         Escaped(name.substr(0, space)), Escaped(name.substr(space + 1)));
    const auto [begin, end] = by_cell.equal_range(name);
    failures += begin != end;
    for (auto at = begin; at != end; ++at) {
      const CampaignFinding& f = *at->second;
      cases += fmt::format("      <failure message=\"{}\">{}</failure>\n", Escaped(Story(f)),
                           Escaped(ReplayCommand(Print(f.entry))));
    }
    cases += "    </testcase>\n";
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
      "  <testsuite name=\"campaign\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.1f}\">\n"
      "{}  </testsuite>\n</testsuites>\n",
      names.size(), failures, s.problems.size(), s.used_seconds, cases);
}

}  // namespace padproof
