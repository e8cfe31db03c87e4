#include "harness/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace padproof {
namespace {

namespace fs = std::filesystem;

bool SyncAndClose(int fd) {
  const bool synced = fsync(fd) == 0;
  return close(fd) == 0 && synced;
}

}  // namespace

std::optional<std::string> ReadFile(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {  // which opens, and reads as empty
    errno = EISDIR;
    return std::nullopt;
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Result<bool> WriteDurably(const std::string& path, const std::string& text) {
  std::error_code error;
  const fs::path target(path);
  fs::create_directories(target.parent_path(), error);
  const std::string temporary = path + ".part-" + std::to_string(getpid());
  const auto failed = [&] { return Error{path + ": cannot be saved: " + std::strerror(errno)}; };
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failed();
  const ssize_t put = write(fd, text.data(), text.size());
  if (!SyncAndClose(fd) || put != static_cast<ssize_t>(text.size())) return failed();
  if (rename(temporary.c_str(), path.c_str()) != 0) return failed();
  const int folder = open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) SyncAndClose(folder);
  return true;
}

FolderLock::FolderLock(const std::string& folder)
    : fd_(open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)),
      held_(fd_ >= 0 && flock(fd_, LOCK_EX | LOCK_NB) == 0) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace padproof
