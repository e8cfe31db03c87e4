// How near kernels come to their proven bounds over many cases: the rows of kernels/ratios.txt,
// and which of them have jumped since it was written.

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/drivers/search.h"

namespace padproof {

/// One tensor of one law on one kernel, in one storage type.
struct RatioKey {
  std::string kernel, law, region;
  Dtype dtype = Dtype::f32;
  auto operator<=>(const RatioKey&) const = default;
};

/// Over its cases, the ratio of error to bound of the worst element of a case.
struct RatioRow {
  RatioKey key;
  int64_t cases = 0;     // that judged an element of this tensor
  int64_t elements = 0;  // judged
  double median = 0, p90 = 0, p99 = 0, max = 0;
  double out_of_domain = 0;  // share of this law's cases in which a correct kernel may overflow
  std::string nearest;       // entry that replays the maximum; not in the text
};

/// Collects judgements of laws with a bound.
class RatioSurvey {
 public:
  void Add(const Judgement& judgement);
  std::vector<RatioRow> Rows() const;  // by key

 private:
  struct Samples {
    std::vector<double> worst;  // of each case
    int64_t elements = 0;
    double max = -1;
    std::string nearest;
  };
  struct Domain {
    int64_t inside = 0, outside = 0;
  };
  std::map<RatioKey, Samples> samples_;
  std::map<RatioKey, Domain> domains_;  // of keys without a region
};

/// Aligned columns under a line of names.
std::string RatioText(const std::vector<RatioRow>& rows);

/// What RatioText wrote; '#' begins a comment. An error names `file` and the line.
Result<std::vector<RatioRow>> ParseRatios(const std::string& file, std::string_view text);

/// What is worth a look: a number that grew beyond what another seed explains.
struct Jump {
  RatioKey key;
  const char* what = "";  // "median", "90 %", "maximum"
  double now = 0;
  const char* kept_what = "";  // the kept number that it is above
  double kept = 0;
};
std::string Describe(const Jump& jump);

/// `rows` against those of the same key in `kept`.
struct RatioComparison {
  std::vector<Jump> jumps;
  size_t compared = 0, unknown = 0, not_run = 0;  // rows of both, of `rows` alone, of `kept` alone
};
RatioComparison CompareRatios(const std::vector<RatioRow>& kept, const std::vector<RatioRow>& rows);

}  // namespace padproof
