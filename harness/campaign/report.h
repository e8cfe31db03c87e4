// What a campaign has done so far, for people and for machines.

#pragma once

#include <string>

#include "harness/campaign/campaign.h"

namespace padproof {

struct CampaignState {
  int rounds = 0, merged = 0;
  double used_seconds = 0;
  int64_t cases = 0, bytes = 0;
  std::map<std::string, CellCount> cells;  // by "law kernel"
  std::vector<CampaignFinding> findings;   // merged ones
  /// Identities that shards wrote down and no merge has looked at yet.
  std::vector<std::string> unmerged;
  std::map<std::string, int64_t> known;  // identity of the ledger -> cases
  std::vector<std::string> problems;     // of shards that failed, each once
  bool running = false;
};
CampaignState StateOf(const std::string& directory, const CampaignSettings& settings);

/// One paragraph: how far it is.
std::string StatusText(const CampaignState& state, const CampaignSettings& settings);
/// The simplest finding of each kernel, with its case and how to see it again, and under which laws
/// there are others; then one line.
std::string ReportText(const CampaignState& state, const CampaignSettings& settings);
std::string ReportJson(const CampaignState& state);
/// A test case for each cell, failed if something was found in it.
std::string ReportJUnit(const CampaignState& state);

}  // namespace padproof
