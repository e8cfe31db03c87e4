// The worker process: the only place where kernel code runs, apart from fuzz targets.

#pragma once

namespace padproof {

/// Descriptors that the parent hands to a worker.
inline constexpr int kRequestDescriptor = 3;
inline constexpr int kReplyDescriptor = 4;

/// Answers requests until the parent closes its end; returns the exit code.
int RunWorker();

}  // namespace padproof
