// One line that overwrites itself on a terminal; nothing in a log.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace padproof {

class Progress {
 public:
  /// `cells` is the total; 0 shows nothing.
  explicit Progress(size_t cells);

  void Show(int64_t cases, size_t cells_done);
  /// Prints text above the bar.
  void Print(const std::string& text);
  void Clear();

 private:
  size_t cells_;
  bool on_terminal_;
  bool shown_ = false;
};

}  // namespace padproof
