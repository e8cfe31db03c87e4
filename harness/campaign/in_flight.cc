#include "harness/campaign/in_flight.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>

namespace padproof {

struct InFlightFile::Map {
  std::atomic<uint64_t> sequence;
  std::atomic<uint64_t> length;  // 0: idle
  char text[4096];
};

InFlightFile::InFlightFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return;
  if (ftruncate(fd, sizeof(Map)) == 0) {
    void* map = mmap(nullptr, sizeof(Map), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) map_ = static_cast<Map*>(map);
  }
  close(fd);
}

InFlightFile::~InFlightFile() {
  if (map_ != nullptr) munmap(map_, sizeof(Map));
}

void InFlightFile::Begin(const std::string& text) {
  if (map_ == nullptr) return;
  const size_t length = std::min(text.size(), sizeof map_->text);
  map_->length = 0;
  std::memcpy(map_->text, text.data(), length);
  map_->length = length;
  ++map_->sequence;
}

void InFlightFile::End() {
  if (map_ != nullptr) map_->length = 0;
}

InFlightState ReadInFlight(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  uint64_t head[2] = {0, 0};
  InFlightState state;
  if (!in.read(reinterpret_cast<char*>(head), sizeof head)) return state;
  state.sequence = head[0];
  state.text.resize(std::min<uint64_t>(head[1], 4096));
  if (!in.read(state.text.data(), static_cast<std::streamsize>(state.text.size()))) {
    state.text.clear();
  }
  return state;
}

}  // namespace padproof
