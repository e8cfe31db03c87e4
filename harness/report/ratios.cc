#include "harness/report/ratios.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace padproof {
namespace {

// A quantile jumps when it is above the next kept one: a median above the kept 90 %, a 90 % above
// the kept 99 %. For cases drawn alike that is 11 or more of 21 where one in 10 is expected
// (1.4e-6), or 6 or more of 59 where one in 100 is (3e-5), and less likely for all other numbers of
// cases: over 160 rows another seed does it once in 200 runs, if all are of that size. The factor
// covers the digits of the text and the arithmetic of another CPU; what is below the floor is far
// from its bound. A maximum has no such law: its tail is long, so its factor is measured. In 16
// bits, where most cases have no error at all, it says nothing: one element that is rounded the
// other way is nearly all of the bound.
//
// Beside a table of 1,000 cases a cell, five runs of 200 (9,400 cases each) and five of 20: medians
// up to 0.89 of the kept 90 %, 90 % up to 1.00 of the kept 99 % (a row whose values are few), and
// maxima above the floor up to 2.4 times the kept ones, two of 1,750 rows above twice. A factor of
// 1 + 2^-21 in the forward, within the bound in all of 320 cases, makes seven jumps there.
constexpr int64_t kMedianCases = 20, kP90Cases = 50;
constexpr double kFactor = 1.1, kFloor = 0.02;
constexpr double kMaxFactor = 3, kMaxFloor = 0.1;

/// The smallest of the sorted values that `share` of them do not exceed.
double Quantile(const std::vector<double>& sorted, double share) {
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(1.0, rank)) - 1];
}

Result<RatioRow> ParseRow(const std::string& line) {
  std::istringstream words(line);
  RatioRow row;
  std::string dtype, percent, more;
  words >> row.key.kernel >> row.key.law >> row.key.region >> dtype >> row.cases >> row.elements >>
      row.median >> row.p90 >> row.p99 >> row.max >> percent;
  if (!words || words >> more) return Error{"expected the eleven columns that are named above"};
  const auto& names = EnumText<Dtype>::names;
  const auto name = std::find(names.begin(), names.end(), dtype);
  if (name == names.end()) return Error{"no dtype '" + dtype + "'"};
  row.key.dtype = static_cast<Dtype>(name - names.begin());
  if (percent.back() != '%') return Error{"expected a percentage, got '" + percent + "'"};
  row.out_of_domain = std::strtod(percent.c_str(), nullptr) / 100;
  const bool ordered = 0 <= row.median && row.median <= row.p90 && row.p90 <= row.p99 &&
                       row.p99 <= row.max && row.max <= 1;
  if (row.cases < 1 || !ordered) return Error{"expected 0 <= median <= 90% <= 99% <= max <= 1"};
  return row;
}

std::string Name(const RatioKey& key) {
  return fmt::format("{} / {}  {} {}", key.law, key.kernel, key.region, NameOf(key.dtype));
}

}  // namespace

void RatioSurvey::Add(const Judgement& judgement) {
  const Outcome outcome = judgement.verdict.outcome;
  if (!judgement.law.has_bound || outcome == Outcome::not_applicable) return;
  RatioKey key{judgement.kernel.id, judgement.law.name, "", judgement.c.dtype};
  Domain& domain = domains_[key];
  ++(outcome == Outcome::out_of_domain ? domain.outside : domain.inside);
  for (const Closeness& close : judgement.verdict.closeness) {
    key.region = close.region;
    Samples& samples = samples_[key];
    samples.worst.push_back(close.worst);
    samples.elements += close.elements;
    if (!(close.worst > samples.max)) continue;
    samples.max = close.worst;
    samples.nearest = Print(Entry{key.law, key.kernel, judgement.c});
  }
}

std::vector<RatioRow> RatioSurvey::Rows() const {
  std::vector<RatioRow> rows;
  for (const auto& [key, samples] : samples_) {
    std::vector<double> worst = samples.worst;
    std::sort(worst.begin(), worst.end());
    RatioKey whole = key;
    whole.region.clear();
    const Domain& domain = domains_.at(whole);
    const double judged = static_cast<double>(domain.inside + domain.outside);
    rows.push_back({.key = key,
                    .cases = static_cast<int64_t>(worst.size()),
                    .elements = samples.elements,
                    .median = Quantile(worst, 0.5),
                    .p90 = Quantile(worst, 0.9),
                    .p99 = Quantile(worst, 0.99),
                    .max = worst.back(),
                    .out_of_domain = static_cast<double>(domain.outside) / judged,
                    .nearest = samples.nearest});
  }
  return rows;
}

std::string RatioText(const std::vector<RatioRow>& rows) {
  std::string text = fmt::format("# {:<34} {:<21} {:<8}{:<6}{:>8}{:>12}{:>8}{:>8}{:>8}{:>8}{:>8}\n",
                                 "kernel", "law", "tensor", "dtype", "cases", "elements", "median",
                                 "90%", "99%", "max", "domain");
  for (const RatioRow& row : rows) {
    text += fmt::format(
        "{:<36} {:<21} {:<8}{:<6}{:>8}{:>12}{:>8.4f}{:>8.4f}{:>8.4f}{:>8.4f}{:>7.1f}%\n",
        row.key.kernel, row.key.law, row.key.region, NameOf(row.key.dtype), row.cases, row.elements,
        row.median, row.p90, row.p99, row.max, 100 * row.out_of_domain);
  }
  return text;
}

Result<std::vector<RatioRow>> ParseRatios(const std::string& file, std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::vector<RatioRow> rows;
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    line.erase(std::min(line.find('#'), line.size()));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto row = ParseRow(line);
    if (!row) return Error{fmt::format("{}:{}: {}", file, number, row.error().message)};
    const auto same = [&](const RatioRow& other) { return other.key == row->key; };
    if (std::any_of(rows.begin(), rows.end(), same)) {
      return Error{fmt::format("{}:{}: {} is there twice", file, number, Name(row->key))};
    }
    rows.push_back(*row);
  }
  return rows;
}

std::string Describe(const Jump& jump) {
  return fmt::format("{}: {} {:.4f}, above the kept {} {:.4f}", Name(jump.key), jump.what, jump.now,
                     jump.kept_what, jump.kept);
}

RatioComparison CompareRatios(const std::vector<RatioRow>& kept,
                              const std::vector<RatioRow>& rows) {
  RatioComparison result;
  for (const RatioRow& row : rows) {
    const auto old = std::find_if(kept.begin(), kept.end(),
                                  [&](const RatioRow& other) { return other.key == row.key; });
    if (old == kept.end()) {
      ++result.unknown;
      continue;
    }
    ++result.compared;
    const auto above = [](double now, double before, double factor, double floor) {
      return now > floor && now > factor * before;
    };
    if (row.cases >= kMedianCases && above(row.median, old->p90, kFactor, kFloor)) {
      result.jumps.push_back({row.key, "median", row.median, "90 %", old->p90});
    }
    if (row.cases >= kP90Cases && above(row.p90, old->p99, kFactor, kFloor)) {
      result.jumps.push_back({row.key, "90 %", row.p90, "99 %", old->p99});
    }
    const bool rare = old->p90 <= kFloor && row.median <= kFloor;
    const bool rare_in_16_bits = rare && row.key.dtype != Dtype::f32;
    if (!rare_in_16_bits && above(row.max, old->max, kMaxFactor, kMaxFloor)) {
      result.jumps.push_back({row.key, "maximum", row.max, "maximum", old->max});
    }
  }
  result.not_run = kept.size() - result.compared;
  return result;
}

}  // namespace padproof
