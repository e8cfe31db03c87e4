// What a law says about one kernel on one case.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace padproof {

/// `unexplained`: within every proven bound, yet none of the usual ways to compute it gives such
/// bits. Something to look at, not a failure.
enum class Outcome { holds, fails, not_applicable, out_of_domain, unexplained };

/// Nothing is wrong as far as is proven.
constexpr bool Held(Outcome outcome) {
  return outcome == Outcome::holds || outcome == Outcome::unexplained;
}

/// Kinds of failure. Shrinking keeps law, kernel, kind and region.
namespace kind {
inline constexpr const char* kValue = "value";  // a wrong number
inline constexpr const char* kNan = "nan";      // NaN where a number is due
inline constexpr const char* kUnwritten =
    "unwritten";                                  // the result still depends on the old content
inline constexpr const char* kGuard = "guard";    // a write outside a buffer
inline constexpr const char* kInput = "input";    // an input was changed
inline constexpr const char* kLaunch = "launch";  // the launch reported an error
inline constexpr const char* kCrash = "crash";    // a signal
inline constexpr const char* kExit = "exit";      // the kernel ended the process
inline constexpr const char* kHang = "hang";      // past the deadline
inline constexpr const char* kMemory = "memory";  // past the memory limit
}  // namespace kind

/// Where and how a law failed; every text is for a person.
struct Failure {
  std::string kind;      // one of kind::
  std::string region;    // tensor: "out", "lse", "dq", "dk", "dv", "pad dk", ...; "" if none
  std::string where;     // "out[b=0 h=0 i=0 d=0]"
  std::string expected;  // "pads 0: 0.2871"
  std::string got;       // "pads nan: nan"
  std::string extent;    // "1 of 1 elements"
  double ratio = 0;      // error / bound of the worst element, where a bound is used
  std::string note;      // one more line if it helps (largest term of the bound, stderr of a crash)
};

/// How near the elements of one tensor came to their bound.
struct Closeness {
  std::string region;    // as in Failure
  double worst = 0;      // largest error / bound; 1 passes
  int64_t elements = 0;  // judged
};

struct Verdict {
  Outcome outcome = Outcome::holds;
  std::string reason;                     // of not_applicable, out_of_domain and unexplained
  Failure failure;                        // of fails
  std::vector<Closeness> closeness = {};  // of laws with a bound: what was judged, by tensor

  static Verdict Holds() { return {}; }
  static Verdict Fails(Failure f) { return {Outcome::fails, {}, std::move(f)}; }
  static Verdict NotApplicable(std::string why) {
    return {Outcome::not_applicable, std::move(why), {}};
  }
  static Verdict Unexplained(std::string why) { return {Outcome::unexplained, std::move(why), {}}; }
  static Verdict OutOfDomain(std::string inequality) {
    return {Outcome::out_of_domain, std::move(inequality), {}};
  }
};

}  // namespace padproof
