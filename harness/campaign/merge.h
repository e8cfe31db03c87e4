// The end of a round: what its shards found becomes part of the campaign.

#pragma once

#include <string>

#include "harness/campaign/campaign.h"

namespace padproof {

/// Shrinks and promotes each new finding of the round, adds its units to the corpora of their
/// targets, and marks the round as merged. May be killed and run again at any time: each step is
/// done whole or not at all, and a step that was done is not done again. An error: the disk is
/// full, say; the round stays unmerged.
Result<bool> MergeRound(const std::string& directory, const CampaignSettings& settings, int round);

}  // namespace padproof
