#include "harness/report/progress.h"

#include <unistd.h>

#include <cstdio>

namespace padproof {

Progress::Progress(size_t cells)
    : cells_(cells), on_terminal_(cells > 0 && isatty(STDOUT_FILENO) == 1) {}

void Progress::Show(int64_t cases, size_t cells_done) {
  if (!on_terminal_) return;
  constexpr size_t kWidth = 30;
  const size_t full = kWidth * cells_done / cells_;
  std::string bar(full, '#');
  bar.append(kWidth - full, '.');
  std::printf("\r[%s] %zu/%zu cells, %lld cases", bar.c_str(), cells_done, cells_,
              static_cast<long long>(cases));
  std::fflush(stdout);
  shown_ = true;
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
