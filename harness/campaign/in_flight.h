// The case that a process is at, in a file that outlives it: a process that is killed, or wedged in
// a driver, can say nothing any more.

#pragma once

#include <cstdint>
#include <string>

namespace padproof {

class InFlightFile {
 public:
  /// Makes or takes over the file and maps it; `ok` says whether that went well.
  explicit InFlightFile(const std::string& path);
  ~InFlightFile();
  InFlightFile(const InFlightFile&) = delete;
  InFlightFile& operator=(const InFlightFile&) = delete;

  bool ok() const { return map_ != nullptr; }
  void Begin(const std::string& text);
  void End();

 private:
  struct Map;
  Map* map_ = nullptr;
};

/// What the file of another process says.
struct InFlightState {
  uint64_t sequence = 0;  // grows with every case
  std::string text;       // of the case in flight; "" if there is none
};
InFlightState ReadInFlight(const std::string& path);

}  // namespace padproof
