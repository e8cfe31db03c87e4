// What both kinds of shards do with a failure and with the time.

#pragma once

#include <chrono>
#include <string>

#include "harness/campaign/campaign.h"
#include "harness/campaign/in_flight.h"

namespace padproof {

class ShardLog {
 public:
  ShardLog(const std::string& directory, const CampaignSettings& settings, const Attempt& attempt,
           double seconds);

  /// Reads what is known; false, and the status says why, if that is not possible.
  bool Begin();
  bool IsOver() const;  // by time, or because somebody asked
  double left() const { return seconds_ - elapsed(); }
  double elapsed() const;

  /// Writes a failure down, if it is new, and knows it from then on. True if it was new.
  bool Found(const Entry& entry, const Failure& failure, const std::string& text);
  const Ledger& known() const { return known_; }

  ShardStatus& status() { return status_; }
  /// Writes the status, at most once a second unless `now`.
  void Tell(bool now = false);
  bool End(const std::string& state, const std::string& message = "");

  const std::string& directory() const { return directory_; }
  const std::string& folder() const { return folder_; }  // of this attempt
  const CampaignSettings& settings() const { return settings_; }
  const Attempt& attempt() const { return attempt_; }

 private:
  std::string directory_, folder_;
  const CampaignSettings& settings_;
  Attempt attempt_;
  double seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double told_ = -1;
  Ledger known_;
  ShardStatus status_;
};

bool RunFuzzShard(ShardLog& log, const std::string& fuzzer);

}  // namespace padproof
