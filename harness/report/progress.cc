#include "harness/report/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace padproof {

Progress::Progress(size_t cells, int64_t cases)
    : cells_(cells), cases_(cases), on_terminal_(cells > 0 && isatty(STDOUT_FILENO) == 1) {}

void Progress::Show(int64_t cases, size_t cells_done) {
  if (cells_ == 0) return;
  const std::string text = std::to_string(cells_done) + "/" + std::to_string(cells_) + " cells, " +
                           std::to_string(cases) +
                           (cases_ > 0 ? "/" + std::to_string(cases_) : "") + " cases";
  if (!on_terminal_) return ShowInLog(cases, text);
  constexpr size_t kWidth = 30;
  const double done = cases_ > 0 ? static_cast<double>(cases) / static_cast<double>(cases_)
                                 : static_cast<double>(cells_done) / static_cast<double>(cells_);
  const size_t full = std::min(kWidth, static_cast<size_t>(kWidth * done));
  const std::string bar = std::string(full, '#') + std::string(kWidth - full, '.');
  std::printf("\r[%s] %s", bar.c_str(), text.c_str());
  std::fflush(stdout);
  shown_ = true;
}

void Progress::ShowInLog(int64_t cases, const std::string& text) {
  if (cases_ == 0) {  // how many there will be is not known
    const auto now = std::chrono::steady_clock::now();
    if (now - last_line_ < std::chrono::minutes(1)) return;
    last_line_ = now;
    return Print(text + "\n");
  }
  const int64_t tenths = 10 * cases / cases_;
  if (tenths <= tenths_ || tenths >= 10) return;
  tenths_ = tenths;
  Print(std::to_string(tenths) + "0%: " + text + "\n");
}

void Progress::Print(const std::string& text) {
  Clear();
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void Progress::Clear() {
  if (shown_) std::fputs("\r\033[K", stdout);
  shown_ = false;
}

}  // namespace padproof
