// Replays saved entries: the same judge as every other driver, in a worker.

#pragma once

#include <string>
#include <vector>

#include "harness/drivers/corpus.h"
#include "harness/drivers/worker.h"

namespace padproof {

/// Where an entry came from: "corpora/x.case" or "" for the command line.
struct Replayable {
  Entry entry;
  std::string file;
};

/// Reads an entry, a case file, or every case file below a folder.
Result<std::vector<Replayable>> ReadReplayables(const std::string& text_or_path);

/// Judges one entry; an error if its law or kernel does not exist.
Result<Verdict> Replay(const Entry& entry, Worker& worker, double deadline_seconds);

}  // namespace padproof
