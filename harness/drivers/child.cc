#include "harness/drivers/child.h"

#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace padproof {
namespace {

constexpr auto kNap = std::chrono::milliseconds(10);
constexpr double kDyingSeconds = 5;  // who waits in a driver does not die, and is left to itself

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// The environment, where a setting replaces what was there under its name.
std::vector<std::string> EnvironmentWith(const std::vector<std::string>& settings) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    bool replaced = false;
    for (const std::string& setting : settings) {
      replaced = replaced || text.substr(0, text.find('=')) == setting.substr(0, setting.find('='));
    }
    if (!replaced) all.push_back(text);
  }
  all.insert(all.end(), settings.begin(), settings.end());
  return all;
}

}  // namespace

Result<Child> Child::Start(const std::vector<std::string>& argv, const std::string& log,
                           const std::vector<std::string>& settings, const std::string& folder) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (!folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (!log.empty()) {
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
  }
  std::vector<std::string> arguments = argv, environment = EnvironmentWith(settings);
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, argv.front().c_str(), &actions, nullptr,
                                  Pointers(arguments).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return Error{argv.front() + ": cannot be started: " + std::strerror(failed)};
  return Child(pid);
}

Child::Child(Child&& other) noexcept { *this = std::move(other); }

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(ended_, other.ended_);
  std::swap(exit_code_, other.exit_code_);
  return *this;
}

Child::~Child() {
  if (pid_ <= 0 || Ended()) return;
  Signal(SIGKILL);
  WaitFor(kDyingSeconds);
}

bool Child::Ended() {
  if (ended_ || pid_ <= 0) return true;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
  EndWith(status);
  return true;
}

void Child::Wait() {
  int status = 0;
  if (ended_ || pid_ <= 0) return;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  EndWith(status);
}

void Child::EndWith(int status) {
  ended_ = true;
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool Child::WaitFor(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!Ended()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(kNap);
  }
  return true;
}

void Child::Signal(int signal) {
  if (!ended_) kill(pid_, signal);
}

Result<int> RunProgram(const std::vector<std::string>& argv, const std::string& folder,
                       const std::string& output) {
  std::error_code ignored;
  std::filesystem::remove(std::filesystem::path(folder) / output, ignored);
  auto child = Child::Start(argv, output, {}, folder);
  if (!child) return child.error();
  child->Wait();
  return child->exit_code();
}

}  // namespace padproof
