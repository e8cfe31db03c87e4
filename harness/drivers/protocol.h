// One request line to a worker, one reply line back, both JSON.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/drivers/kernel_info.h"
#include "harness/judge/verdict.h"

namespace padproof {

struct Request {
  enum class Kind { load, judge };
  Kind kind = Kind::load;
  std::string plugin;  // path; "" for the kernels that are compiled in
  std::string kernel;  // judge: id
  std::string law;     // judge: name
  std::string line;    // judge: the case
};

struct Reply {
  std::string error;                // not empty: the worker could not do it
  std::vector<KernelInfo> kernels;  // of load
  Verdict verdict;                  // of judge
  bool last = false;                // the worker ends now: its device is lost
};

std::string ToLine(const Request& request);
std::string ToLine(const Reply& reply);
/// Nothing if the line is not one of ours (a kernel wrote into the pipe).
std::optional<Request> ParseRequest(const std::string& line);
std::optional<Reply> ParseReply(const std::string& line);

/// For `--json`.
std::string ToJson(const KernelInfo& kernel);

}  // namespace padproof
