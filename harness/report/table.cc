#include "harness/report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/report/reasons.h"
#include "harness/report/style.h"

namespace padproof {
namespace {

constexpr int kCellWidth = 7;

std::string CellText(const Cell& cell) {
  const auto padded = [](const std::string& text) {
    return fmt::format("{:>{}}", text, kCellWidth);
  };
  if (!cell.inapplicable.empty()) return Dim(padded("-"));
  if (!cell.error.empty()) return Red(padded("ERROR"));
  if (cell.finding) return Red(padded("FAIL"));
  if (cell.vacuous()) return Red(padded("NONE"));
  return Green(padded(std::to_string(cell.held)));
}

// Share of each class among the judged cases of one kernel, all laws together.
std::string ClassShares(const RunResult& result, const KernelInfo* kernel) {
  std::array<int64_t, kClassNames.size()> sums{};
  int64_t cases = 0;
  for (const Cell& cell : result.cells) {
    if (cell.kernel != kernel) continue;
    cases += cell.held + (cell.finding ? 1 : 0);
    for (size_t k = 0; k < sums.size(); ++k) sums[k] += cell.classes[k];
  }
  if (cases == 0) return "nothing ran";
  std::string text;
  for (size_t k = 0; k < sums.size(); ++k) {
    text += fmt::format("{}{} {}%", k == 0 ? "" : "  ", kClassNames[k], 100 * sums[k] / cases);
  }
  return text;
}

std::string Details(const Cell& cell) {
  std::string text;
  if (!cell.error.empty()) text += fmt::format("    {}\n", cell.error);
  if (cell.out_of_domain > 0) text += fmt::format("    {} out of domain\n", cell.out_of_domain);
  if (cell.unexplained > 0) {
    text += fmt::format("    {} unexplained, first {}\n", cell.unexplained, cell.first_unexplained);
  }
  for (const auto& [reason, count] : cell.skipped) {
    text += fmt::format("    {} skipped: {}\n", count, reason);
  }
  if (text.empty()) return text;
  return fmt::format("  {} / {}: {} of {} cases held\n", cell.law->name, cell.kernel->id, cell.held,
                     cell.cases) +
         text;
}

double WorstRatio(const Cell& cell) {
  double worst = 0;
  for (const auto& [region, ratio] : cell.worst_ratio) worst = std::max(worst, ratio);
  return worst;
}

// Laws with a bound alone: how near the cases that held came to it.
std::string Ratios(const RunResult& result, size_t kernels,
                   const std::vector<const Property*>& laws) {
  std::string text;
  for (size_t l = 0; l < laws.size(); ++l) {
    if (!laws[l]->has_bound) continue;
    if (text.empty()) text = "worst error / bound\n";
    text += fmt::format("{:<24}", laws[l]->name);
    for (size_t k = 0; k < kernels; ++k) {
      const Cell& cell = result.cells[k * laws.size() + l];
      text += cell.worst_ratio.empty() ? fmt::format("{:>{}}", "-", kCellWidth)
                                       : fmt::format("{:>{}.3f}", WorstRatio(cell), kCellWidth);
    }
    text += "\n";
  }
  return text;
}

/// Of an exhaustive run: how much of a kernel's scope each law has judged.
std::string ScopeOf(const RunResult& result, const KernelInfo* kernel) {
  int64_t scope = 0, laws = 0, fewest = INT64_MAX, most = 0, ended = 0;
  for (const Cell& cell : result.cells) {
    if (cell.kernel != kernel || cell.scope == 0) continue;
    scope = cell.scope;
    if (cell.finding || !cell.error.empty()) {
      ++ended;
      continue;
    }
    ++laws;
    fewest = std::min<int64_t>(fewest, cell.cases);
    most = std::max<int64_t>(most, cell.cases);
  }
  if (scope == 0) return {};
  std::string text = fmt::format("scope: {} cases", scope);
  if (laws > 0 && fewest == scope) text += fmt::format(", all judged under {} laws", laws);
  if (laws > 0 && fewest < scope) {
    text += fmt::format(", {} to {} ({:.1f}%) judged under each of {} laws", fewest, most,
                        100.0 * static_cast<double>(fewest) / static_cast<double>(scope), laws);
  }
  if (ended > 0) text += fmt::format("; {} ended at a failure", ended);
  return text;
}

}  // namespace

std::string Table(const RunResult& result, const std::vector<KernelInfo>& kernels,
                  const std::vector<const Property*>& laws, bool verbose) {
  std::string text = fmt::format("{:<24}", "law \\ kernel");
  for (size_t k = 0; k < kernels.size(); ++k) {
    text += fmt::format("{:>{}}", fmt::format("[{}]", k + 1), kCellWidth);
  }
  text += "\n";
  for (size_t l = 0; l < laws.size(); ++l) {
    text += fmt::format("{:<24}", laws[l]->name);
    for (size_t k = 0; k < kernels.size(); ++k) {
      text += CellText(result.cells[k * laws.size() + l]);
    }
    text += "\n";
  }
  text += Ratios(result, kernels.size(), laws);
  for (size_t k = 0; k < kernels.size(); ++k) {
    text +=
        fmt::format("[{}] {}   {}\n", k + 1, kernels[k].id, Dim(ClassShares(result, &kernels[k])));
    const std::string scope = ScopeOf(result, &kernels[k]);
    if (!scope.empty()) text += fmt::format("    {}\n", scope);
  }
  const std::string reasons = Reasons(result, kernels, laws);
  if (!reasons.empty()) text += "- where a law does not speak about a kernel:\n" + reasons;
  for (const Cell& cell : result.cells) {
    const bool notable = cell.vacuous() || !cell.error.empty() || cell.unexplained > 0;
    if (verbose || notable) text += Details(cell);
  }
  return text;
}

std::string Conclusion(const RunResult& result) {
  size_t failed = 0, vacuous = 0, errors = 0, ran = 0;
  int64_t held = 0, scope = 0;
  for (const Cell& cell : result.cells) {
    failed += cell.finding.has_value();
    vacuous += cell.vacuous();
    errors += !cell.error.empty();
    ran += cell.inapplicable.empty();
    held += cell.held;
    scope += cell.scope;
  }
  const std::string share =
      scope == 0
          ? ""
          : fmt::format(" of {} in scope ({:.1f}%)", scope,
                        100.0 * static_cast<double>(result.cases) / static_cast<double>(scope));
  const std::string numbers = fmt::format("{} cells, {} cases judged{}, {} held, {:.1f} s", ran,
                                          result.cases, share, held, result.seconds);
  if (failed + vacuous + errors == 0) return Green("all laws hold") + ": " + numbers + "\n";
  std::string text;
  if (failed > 0) text += fmt::format("{} cell(s) failed; ", failed);
  if (vacuous > 0) text += fmt::format("{} cell(s) tested nothing; ", vacuous);
  if (errors > 0) text += fmt::format("{} cell(s) could not be run; ", errors);
  return Red("RED") + ": " + text + numbers + "\n";
}

std::string TableJson(const RunResult& result) {
  using nlohmann::json;
  json cells = json::array();
  for (const Cell& cell : result.cells) {
    json j{{"law", cell.law->name},
           {"kernel", cell.kernel->id},
           {"inapplicable", cell.inapplicable},
           {"cases", cell.cases},
           {"scope", cell.scope},
           {"held", cell.held},
           {"out_of_domain", cell.out_of_domain},
           {"unexplained", cell.unexplained},
           {"first_unexplained", cell.first_unexplained},
           {"skipped", cell.skipped},
           {"known", cell.known},
           {"worst_ratio", cell.worst_ratio},
           {"seconds", cell.seconds},
           {"error", cell.error},
           {"tested_nothing", cell.vacuous()}};
    for (size_t k = 0; k < kClassNames.size(); ++k) {
      j["classes"][std::string(kClassNames[k])] = cell.classes[k];
    }
    if (cell.finding) {
      const Finding& f = *cell.finding;
      j["finding"] = {{"entry", Print(f.entry)},
                      {"kind", f.failure.kind},
                      {"region", f.failure.region},
                      {"where", f.failure.where},
                      {"expected", f.failure.expected},
                      {"got", f.failure.got},
                      {"extent", f.failure.extent},
                      {"note", f.failure.note},
                      {"cases", f.cases},
                      {"steps", f.steps},
                      {"half_shrunk", f.half_shrunk},
                      {"saved", f.saved}};
    }
    cells.push_back(std::move(j));
  }
  const json whole{{"cells", cells}, {"cases", result.cases}, {"seconds", result.seconds}};
  return whole.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace padproof
