// Runs a campaign on this machine: shards round by round, and a merge after each.

#pragma once

#include <functional>
#include <string>

#include "harness/campaign/campaign.h"

namespace padproof {

enum class CampaignEnd { time_is_up, stopped, disk_limit, nothing_runs };

/// Goes on from whatever is in `directory`, merging what an earlier controller left unmerged, until
/// the campaign's time is used. Shards that die, or show no new case for too long, are started
/// again beside what they left. `tell` gets lines for a person. An error: another controller is at
/// work, or a merge failed.
Result<CampaignEnd> RunCampaign(const std::string& directory, const CampaignSettings& settings,
                                const std::function<void(const std::string&)>& tell);

/// True while a controller is at work.
bool IsControlled(const std::string& directory);

/// Bytes of all files below, each counted once however many names it has.
int64_t BytesBelow(const std::string& directory);

}  // namespace padproof
