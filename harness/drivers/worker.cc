#include "harness/drivers/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "harness/drivers/paths.h"
#include "harness/drivers/patience.h"
#include "harness/drivers/worker_main.h"

extern char** environ;

namespace padproof {
namespace {

constexpr double kLoadSeconds = 120;  // LibTorch from a cold disk
constexpr double kNapSeconds = 0.2;   // between two looks at a worker that does not answer
constexpr size_t kOutputKept = 2000;  // of a dead worker's output
constexpr const char* kNotForgotten = "cannot reset the worker's output file";

// Moves a descriptor out of the way of the worker's fixed numbers.
int High(int fd) {
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, 64);
  close(fd);
  return high;
}

void Close(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

// The line of a report that says most: a sanitizer's or the SIMT layer's summary, else the last
// one.
std::string Telling(const std::string& output) {
  std::string last;
  size_t start = 0;
  while (start < output.size()) {
    size_t end = output.find('\n', start);
    if (end == std::string::npos) end = output.size();
    std::string line = output.substr(start, end - start);
    start = end + 1;
    if (line.find("ERROR") != std::string::npos || line.find("SUMMARY") != std::string::npos ||
        line.find("runtime error") != std::string::npos) {
      return line;
    }
    if (!line.empty()) last = std::move(line);
  }
  return last;
}

/// True when a child is dead, and still to be waited for.
bool HasEnded(pid_t child) {
  siginfo_t ended{};
  const auto id = static_cast<id_t>(child);
  return waitid(P_PID, id, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == child;
}

/// A worker, and the processes that a kernel has started there.
void KillAll(pid_t worker) {
  kill(-worker, SIGKILL);
  kill(worker, SIGKILL);  // should a kernel have left the group
}

}  // namespace

Worker::~Worker() { Stop(); }

void Worker::Stop() {
  if (pid_ > 0) {
    KillAll(pid_);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  pid_ = -1;
  Close(request_);
  Close(reply_);
  Close(output_);
  pending_.clear();
  loaded_.clear();
}

Result<bool> Worker::EnsureStarted() {
  if (pid_ > 0) return true;
  signal(SIGPIPE, SIG_IGN);  // a worker that died is an error of write(), not the end of the run
  int request[2], reply[2];
  if (pipe2(request, O_CLOEXEC) != 0 || pipe2(reply, O_CLOEXEC) != 0) {
    return Error{std::string("cannot start a worker: ") + std::strerror(errno)};
  }
  for (int* fd : {&request[0], &request[1], &reply[0], &reply[1]}) *fd = High(*fd);
  output_ = High(memfd_create("padproof-worker", MFD_CLOEXEC));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output_, 1);
  posix_spawn_file_actions_adddup2(&actions, output_, 2);
  posix_spawn_file_actions_adddup2(&actions, request[0], kRequestDescriptor);
  posix_spawn_file_actions_adddup2(&actions, reply[1], kReplyDescriptor);
  const std::string program = WorkerProgram();
  std::string name = "padproof", command = "worker";
  char* argv[] = {name.data(), command.data(), nullptr};
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // a group of its own: see KillAll
  const int failed = posix_spawn(&pid_, program.c_str(), &actions, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(request[0]);
  close(reply[1]);
  request_ = request[1];
  reply_ = reply[0];
  if (failed != 0) {
    pid_ = -1;
    Stop();
    return Error{"cannot start a worker (" + program + "): " + std::strerror(failed)};
  }
  return true;
}

bool Worker::Send(const std::string& line) {
  const std::string data = line + "\n";
  for (size_t at = 0; at < data.size();) {
    const ssize_t put = write(request_, data.data() + at, data.size() - at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += static_cast<size_t>(put);
  }
  return true;
}

Worker::Answer Worker::Receive(std::string& line, double deadline_seconds) {
  Patience patience(pid_);
  double left = deadline_seconds;
  for (;;) {
    if (const size_t newline = pending_.find('\n'); newline != std::string::npos) {
      line.assign(pending_, 0, newline);
      pending_.erase(0, newline + 1);
      return Answer::line;
    }
    if (left <= 0) return Answer::timeout;
    pollfd waiting{reply_, POLLIN, 0};
    const double nap = std::min(left, kNapSeconds);
    if (poll(&waiting, 1, static_cast<int>(nap * 1000) + 1) <= 0) {
      if (HasEnded(pid_)) return Answer::closed;  // who it left behind holds the pipe open
      left = deadline_seconds - patience.Spent();
      continue;
    }
    char chunk[4096];
    const ssize_t got = read(reply_, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Answer::closed;
    pending_.append(chunk, static_cast<size_t>(got));
  }
}

bool Worker::ForgetOutput() {
  return ftruncate(output_, 0) == 0 && lseek(output_, 0, SEEK_SET) >= 0;
}

std::string Worker::TakeOutput() {
  const off_t size = lseek(output_, 0, SEEK_END);
  if (size <= 0) return {};
  const off_t kept = std::min<off_t>(size, kOutputKept);
  std::string text(static_cast<size_t>(kept), '\0');
  // The head of a report tells more than its tail.
  const ssize_t got = pread(output_, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

Verdict Worker::Obituary(bool timed_out, double deadline_seconds) {
  Failure failure;
  if (timed_out) {
    failure.kind = kind::kHang;
    failure.got = fmt::format("no answer within {:g} s", deadline_seconds);
    failure.expected = "an answer";
    Stop();
    return Verdict::Fails(failure);
  }
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  kill(-pid_, SIGKILL);  // what it has left behind
  pid_ = -1;
  failure.note = Telling(TakeOutput());
  failure.expected = "the kernel returns";
  const auto told = [&](const char* what) { return failure.note.find(what) != std::string::npos; };
  if (told("Sanitizer") || told(": runtime error: ")) {  // they end the process by exit
    failure.kind = kind::kCrash;
    failure.got = "stopped by a sanitizer report";
  } else if (WIFSIGNALED(status)) {
    killed_ = WTERMSIG(status) == SIGKILL;
    failure.kind = kind::kCrash;
    failure.got = "killed by " + SignalName(WTERMSIG(status));
  } else {
    failure.kind = kind::kExit;
    failure.got = "the process ended with exit code " + std::to_string(WEXITSTATUS(status));
  }
  Stop();
  return Verdict::Fails(failure);
}

Result<std::vector<KernelInfo>> Worker::Load(const std::string& plugin) {
  const auto started = EnsureStarted();
  if (!started) return started.error();
  if (const auto known = loaded_.find(plugin); known != loaded_.end()) return known->second;
  if (!ForgetOutput()) return Error{kNotForgotten};
  std::string line;
  const bool sent = Send(ToLine(Request{Request::Kind::load, plugin, {}, {}, {}}));
  const Answer answer = sent ? Receive(line, kLoadSeconds) : Answer::closed;
  const std::string what = plugin.empty() ? "built-in kernels" : plugin;
  if (answer != Answer::line) {
    const bool hangs = answer == Answer::timeout;
    const Failure death = Obituary(hangs, kLoadSeconds).failure;
    return Error{what + ": the worker that loaded it " + (hangs ? "was stopped: " : "died: ") +
                 death.got + (death.note.empty() ? "" : ", and said '" + death.note + "'") +
                 "; see in a debugger what it does then: static initialisers, padproof_plugin(), "
                 "the start of a device"};
  }
  const auto reply = ParseReply(line);
  if (!reply) return Error{what + ": garbled answer while loading"};
  if (!reply->error.empty()) return Error{reply->error};
  loaded_.emplace(plugin, reply->kernels);
  return reply->kernels;
}

Result<Verdict> Worker::Judge(const KernelInfo& kernel, const std::string& law,
                              const std::string& line, double deadline_seconds) {
  killed_ = false;
  const auto verdict = JudgeOnce(kernel, law, line, deadline_seconds);
  return killed_ ? JudgeOnce(kernel, law, line, deadline_seconds) : verdict;
}

Result<Verdict> Worker::JudgeOnce(const KernelInfo& kernel, const std::string& law,
                                  const std::string& line, double deadline_seconds) {
  if (!kernel.missing.empty()) return Error{kernel.id + ": skipped: " + kernel.missing};
  const auto started = EnsureStarted();
  if (!started) return started.error();
  if (!loaded_.contains(kernel.plugin)) {
    if (const auto rows = Load(kernel.plugin); !rows) return rows.error();
  }
  if (!ForgetOutput()) return Error{kNotForgotten};
  std::string reply_line;
  const bool sent =
      Send(ToLine(Request{Request::Kind::judge, kernel.plugin, kernel.id, law, line}));
  const Answer answer = sent ? Receive(reply_line, deadline_seconds) : Answer::closed;
  if (answer != Answer::line) return Obituary(answer == Answer::timeout, deadline_seconds);
  const auto reply = ParseReply(reply_line);
  if (!reply) {
    Stop();
    return Verdict::Fails({.kind = kind::kCrash,
                           .expected = "the kernel leaves other descriptors alone",
                           .got = "the worker's answer was overwritten"});
  }
  if (reply->last) Stop();  // its device is lost; the next case gets a fresh process
  if (!reply->error.empty()) return Error{reply->error};
  return reply->verdict;
}

}  // namespace padproof
