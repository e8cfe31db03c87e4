// One line that overwrites itself on a terminal. In a log a line a minute, or a tenth of the way.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace padproof {

class Progress {
 public:
  /// `cells` is the total; 0 shows nothing. With `cases`, the total of an exhaustive run, the bar
  /// counts cases, and a log has a line every tenth.
  explicit Progress(size_t cells, int64_t cases = 0);

  void Show(int64_t cases, size_t cells_done);
  /// Prints text above the bar.
  void Print(const std::string& text);
  void Clear();

 private:
  void ShowInLog(int64_t cases, const std::string& text);

  size_t cells_;
  int64_t cases_;
  bool on_terminal_;
  bool shown_ = false;
  int64_t tenths_ = 0;  // in a log
  std::chrono::steady_clock::time_point last_line_ = std::chrono::steady_clock::now();
};

}  // namespace padproof
