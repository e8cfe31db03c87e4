// Streams and events: handles that are checked, and times. Nothing is ever pending. A handle is a
// number that is never given out twice, so one that was destroyed is known for good.

#include "harness/simt/runtime/host_streams.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>

#include "harness/simt/host_api.h"
#include "harness/simt/runtime/give.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

using Clock = std::chrono::steady_clock;

struct Stream {
  unsigned flags;
  int priority;
};

struct Event {
  bool timed;
  bool recorded;
  Clock::time_point when;
};

struct Handles {
  std::map<cudaStream_t, Stream> streams;
  std::map<cudaEvent_t, Event> events;
  uintptr_t last = 0x1000;

  template <class Handle>
  Handle Next() {
    return reinterpret_cast<Handle>(last += 16);
  }
};

constinit std::mutex mutex;

// Never destroyed: destructors of the program's statics may still use them.
Handles& All() {
  static auto* const handles = new Handles;
  return *handles;
}

const Stream* Find(cudaStream_t stream) {
  static constexpr Stream kDefault{cudaStreamDefault, 0};
  if (stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread) {
    return &kDefault;
  }
  const auto found = All().streams.find(stream);
  return found == All().streams.end() ? nullptr : &found->second;
}

Event* Find(cudaEvent_t event) {
  const auto found = All().events.find(event);
  return found == All().events.end() ? nullptr : &found->second;
}

cudaError_t CheckEvent(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  return Find(event) != nullptr ? cudaSuccess : Record(cudaErrorInvalidResourceHandle);
}

}  // namespace

cudaError_t CheckStream(cudaStream_t stream) {
  if (stream == nullptr) return cudaSuccess;
  const std::lock_guard lock(mutex);
  return Find(stream) != nullptr ? cudaSuccess : Record(cudaErrorInvalidResourceHandle);
}

void DestroyStreamsAndEvents() {
  const std::lock_guard lock(mutex);
  All().streams.clear();
  All().events.clear();
}

inline namespace toolkit_names {

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithPriority(stream, cudaStreamDefault, 0);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return cudaStreamCreateWithPriority(stream, flags, 0);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  if (stream == nullptr || flags > cudaStreamNonBlocking) return Record(cudaErrorInvalidValue);
  const std::lock_guard lock(mutex);
  const auto handle = All().Next<cudaStream_t>();
  All().streams[handle] = {flags, std::clamp(priority, kGreatestPriority, 0)};
  Give(stream, handle);
  return cudaSuccess;
}

cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned* flags) {
  if (flags == nullptr) return Record(cudaErrorInvalidValue);
  const std::lock_guard lock(mutex);
  const Stream* found = Find(stream);
  if (found == nullptr) return Record(cudaErrorInvalidResourceHandle);
  Give(flags, found->flags);
  return cudaSuccess;
}

cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
  if (priority == nullptr) return Record(cudaErrorInvalidValue);
  const std::lock_guard lock(mutex);
  const Stream* found = Find(stream);
  if (found == nullptr) return Record(cudaErrorInvalidResourceHandle);
  Give(priority, found->priority);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  if (All().streams.erase(stream) == 0) return Record(cudaErrorInvalidResourceHandle);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return CheckStream(stream); }
cudaError_t cudaStreamQuery(cudaStream_t stream) { return CheckStream(stream); }

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  if (flags > 1) return Record(cudaErrorInvalidValue);
  if (const cudaError_t error = CheckStream(stream); error != cudaSuccess) return error;
  return CheckEvent(event);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  if (function == nullptr) return Record(cudaErrorInvalidValue);
  if (const cudaError_t error = CheckStream(stream); error != cudaSuccess) return error;
  function(data);
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  const bool timed = (flags & cudaEventDisableTiming) == 0;
  if (event == nullptr || flags > 7 || ((flags & cudaEventInterprocess) != 0 && timed)) {
    return Record(cudaErrorInvalidValue);
  }
  const std::lock_guard lock(mutex);
  const auto handle = All().Next<cudaEvent_t>();
  All().events[handle] = {timed, false, {}};
  Give(event, handle);
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (const cudaError_t error = CheckStream(stream); error != cudaSuccess) return error;
  const std::lock_guard lock(mutex);
  Event* found = Find(event);
  if (found == nullptr) return Record(cudaErrorInvalidResourceHandle);
  found->recorded = true;
  found->when = Clock::now();
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) { return CheckEvent(event); }
cudaError_t cudaEventQuery(cudaEvent_t event) { return CheckEvent(event); }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  constexpr double kResolution = 0.0005;  // of a device, in ms
  if (milliseconds == nullptr) return Record(cudaErrorInvalidValue);
  const std::lock_guard lock(mutex);
  const Event* from = Find(start);
  const Event* to = Find(end);
  const auto usable = [](const Event* e) { return e != nullptr && e->timed && e->recorded; };
  if (!usable(from) || !usable(to)) return Record(cudaErrorInvalidResourceHandle);
  const double elapsed = std::chrono::duration<double, std::milli>(to->when - from->when).count();
  Give(milliseconds, static_cast<float>(elapsed >= 0 ? std::max(elapsed, kResolution) : elapsed));
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  if (All().events.erase(event) == 0) return Record(cudaErrorInvalidResourceHandle);
  return cudaSuccess;
}

}  // namespace toolkit_names
}  // namespace host_build
}  // namespace padproof::simt
