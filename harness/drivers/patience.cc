#include "harness/drivers/patience.h"

#include <time.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <ctime>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace padproof {
namespace {

double Seconds(clockid_t clock) {
  timespec spent{};
  if (clock_gettime(clock, &spent) != 0) return 0;
  return static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec);
}

/// The letter of proc(5) after the name, which may hold blanks and parentheses itself.
char StateIn(const std::filesystem::path& stat) {
  std::ifstream in(stat);
  std::string text;
  std::getline(in, text);
  const size_t name_end = text.rfind(") ");
  return name_end + 2 < text.size() && name_end != std::string::npos ? text[name_end + 2] : '?';
}

}  // namespace

double CpuSecondsOf(pid_t pid) {
  clockid_t clock{};
  return pid > 0 && clock_getcpuclockid(pid, &clock) == 0 ? Seconds(clock) : 0;
}

bool IsRunnable(pid_t pid) {
  std::error_code error;
  const auto tasks = std::filesystem::path("/proc") / std::to_string(pid) / "task";
  for (auto at = std::filesystem::directory_iterator(tasks, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const char state = StateIn(at->path() / "stat");
    if (state == 'R' || state == 'D') return true;
  }
  return false;
}

Patience::Patience(pid_t pid)
    : pid_(pid), cpu_(CpuSecondsOf(pid)), now_(Seconds(CLOCK_MONOTONIC)) {}

double Patience::Spent() {
  const double cpu = CpuSecondsOf(pid_), now = Seconds(CLOCK_MONOTONIC);
  // Several threads spend more than a second in a second; a deadline is one of the wall's.
  const double computed = std::min(cpu - cpu_, now - now_);
  spent_ += IsRunnable(pid_) ? computed : now - now_;
  cpu_ = cpu;
  now_ = now;
  return spent_;
}

}  // namespace padproof
