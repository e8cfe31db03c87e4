// One shard of one round: a process that searches and writes down what it finds.

#pragma once

#include <string>

#include "harness/campaign/campaign.h"

namespace padproof {

/// Searches for `seconds`, or until the campaign is asked to stop, and ends with status "done" or
/// "failed". True unless it failed. What is known already, in the ledger of the corpora or in
/// `findings/`, is counted and does not end the search, nor does what it finds.
bool RunShard(const std::string& directory, const CampaignSettings& settings,
              const Attempt& attempt, double seconds);

}  // namespace padproof
