// Files: read whole, written so that nothing is lost, and folders that are one process's alone.

#pragma once

#include <optional>
#include <string>

#include "harness/base/check.h"

namespace padproof {

/// Its bytes; none if it cannot be read, with errno saying why. Who asks knows the remedy.
std::optional<std::string> ReadFile(const std::string& path);

/// Makes the folders above it too. A run that is killed leaves the old file or the new one:
/// temporary name, fsync, rename. An error names the path.
Result<bool> WriteDurably(const std::string& path, const std::string& text);

/// Holds a folder, by its file `lock`, until it is destroyed or its process ends.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// False: another process holds it, or it cannot be written.
  bool held() const { return held_; }

 private:
  int fd_;
  bool held_;
};

}  // namespace padproof
