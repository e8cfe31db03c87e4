#include "harness/device/testing/fake_device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "harness/base/check.h"

namespace padproof {
namespace fake_device {
namespace {

constexpr int kPoison = 0xA5;

struct State {
  std::map<void*, size_t> allocations;  // bytes of each, whole pages
  size_t used = 0;
  int32_t lost = 0, last = 0, next_upload = 0;
};

State& TheState() {
  static State state;
  return state;
}

size_t PageBytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

void Protect(int protection) {
  for (const auto& [data, bytes] : TheState().allocations) {
    PADPROOF_CHECK(mprotect(data, bytes, protection) == 0);
  }
}

/// As of the CUDA runtime: an error is returned and remembered.
int32_t Answer(int32_t error) {
  State& state = TheState();
  if (state.lost != 0) error = state.lost;
  if (error != 0) state.last = error;
  return error;
}

int32_t Start(int32_t* devices) {
  const char* count = std::getenv("PADPROOF_FAKE_DEVICES");
  *devices = count != nullptr ? std::atoi(count) : 1;
  return Answer(0);
}

const char* DescribeDevice() { return "fake device"; }

int32_t Allocate(void** data, size_t bytes) {
  State& state = TheState();
  const size_t page = PageBytes(), whole = (bytes + page - 1) / page * page;
  if (state.lost != 0 || state.used + whole > kMemoryBytes) return Answer(kMemoryAllocation);
  void* mapped = mmap(nullptr, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return Answer(kMemoryAllocation);
  *data = static_cast<char*>(mapped) + page;
  state.allocations[*data] = whole;
  state.used += whole;
  const Running running;
  std::memset(*data, kPoison, whole);
  return Answer(0);
}

int32_t Release(void* data) {
  constexpr int32_t kInvalidValue = 1;
  State& state = TheState();
  const auto found = state.allocations.find(data);
  if (found == state.allocations.end()) return Answer(kInvalidValue);
  const size_t page = PageBytes();
  PADPROOF_CHECK(munmap(static_cast<char*>(data) - page, found->second + 2 * page) == 0);
  state.used -= found->second;
  state.allocations.erase(found);
  return Answer(0);
}

int32_t Upload(void* device, const void* host, size_t bytes) {
  const int32_t error = std::exchange(TheState().next_upload, 0);
  if (error != 0 || TheState().lost != 0) return Answer(error);
  const Running running;
  std::memcpy(device, host, bytes);
  return 0;
}

int32_t Download(void* host, const void* device, size_t bytes) {
  if (TheState().lost != 0) return Answer(0);
  const Running running;
  std::memcpy(host, device, bytes);
  return 0;
}

int32_t Synchronise() { return Answer(0); }

int32_t TakeError() {
  State& state = TheState();
  return state.lost != 0 ? state.lost : std::exchange(state.last, 0);
}

const char* ErrorName(int32_t error) {
  switch (error) {
    case kMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case kInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case kIllegalAddress:
      return "cudaErrorIllegalAddress";
    default:
      return "cudaErrorUnknown";
  }
}

constexpr DeviceTable kFake{Start,    DescribeDevice, Allocate,  Release,  Upload,
                            Download, Synchronise,    TakeError, ErrorName};

// ---- rows: their functions run while the device does --------------------------------------------

constexpr size_t kMaxRows = 64;

LaunchFunction& Wrapped(bool backward, size_t row) {
  static std::array<std::array<LaunchFunction, kMaxRows>, 2> functions{};
  return functions[backward ? 1 : 0][row];
}

template <bool kBackward, size_t kRow>
Status Launch(const AttentionArgs& args) {
  const Running running;
  return Wrapped(kBackward, kRow)(args);
}

template <bool kBackward, size_t... kRow>
constexpr std::array<LaunchFunction, kMaxRows> Launches(std::index_sequence<kRow...>) {
  return {Launch<kBackward, kRow>...};
}

LaunchFunction Wrap(LaunchFunction function, bool backward, size_t row) {
  static constexpr std::array kLaunches{Launches<false>(std::make_index_sequence<kMaxRows>{}),
                                        Launches<true>(std::make_index_sequence<kMaxRows>{})};
  if (function == nullptr) return nullptr;
  Wrapped(backward, row) = function;
  return kLaunches[backward ? 1 : 0][row];
}

}  // namespace

const DeviceTable& Table() { return kFake; }

Running::Running() { Protect(PROT_READ | PROT_WRITE); }
Running::~Running() { Protect(PROT_NONE); }

void LeaveError(int32_t error) { TheState().last = error; }
void Lose(int32_t error) { TheState().lost = error; }
void FailNextUpload(int32_t error) { TheState().next_upload = error; }
void Reset() {
  State& state = TheState();
  state.lost = state.last = state.next_upload = 0;
}
int Allocations() { return static_cast<int>(TheState().allocations.size()); }

}  // namespace fake_device

KernelRow OnDevice(KernelRow row) {
  static size_t rows = 0;
  PADPROOF_CHECK(rows < fake_device::kMaxRows);
  row.backend = "cuda";
  row.device = &fake_device::Table();
  row.forward = fake_device::Wrap(row.forward, false, rows);
  row.backward = fake_device::Wrap(row.backward, true, rows);
  ++rows;
  return row;
}

}  // namespace padproof
