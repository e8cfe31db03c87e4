// One call of a kernel: on the host with the buffers of the problem as they are, on a device with a
// copy of all of them.

#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "harness/device/device.h"
#include "harness/judge/kernel.h"
#include "harness/judge/problem.h"

namespace padproof {

/// What came of a call. `reason` is empty when it went well.
struct Called {
  StatusCode code = StatusCode::ok;
  std::string reason;
};

/// Calls `kernel`.forward or .backward with `args` of `problem`. A row with a device gets device
/// pointers, is waited for, and everything it may have written is copied back, guards and gaps
/// included, so that laws look at `problem` as after a call on the host. Whatever the device says
/// is wrong after the call is StatusCode::failed with CUDA's name for it, also where the kernel
/// itself said ok. Throws DeviceError when the call could not even be prepared.
Called Call(const KernelRow& kernel, Problem& problem, const AttentionArgs& args, bool backward);

/// The device refused before the kernel ran: nothing about the kernel is known.
class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// True after an error that the device does not recover from in this process (an illegal address,
/// say): every later call would fail, whoever makes it.
bool DeviceIsLost();

/// A copy of a problem's memory on a device, for one call.
class DeviceCall {
 public:
  /// Copies `memory`, byte for byte. Throws DeviceError.
  DeviceCall(const DeviceTable& device, std::vector<Problem::Stretch> memory);
  ~DeviceCall();
  DeviceCall(const DeviceCall&) = delete;
  DeviceCall& operator=(const DeviceCall&) = delete;

  /// The same arguments with pointers into the copy; null stays null.
  AttentionArgs Moved(AttentionArgs args) const;

  /// Waits for the device and copies the memory back; "" or what went wrong.
  std::string Finish();

 private:
  template <class T>
  void Move(T*& pointer) const;

  const DeviceTable& device_;
  std::vector<Problem::Stretch> memory_;
  std::vector<size_t> offsets_;  // of each stretch in the copy
  std::vector<uint8_t> image_;   // the copy, on the host
  uint8_t* data_ = nullptr;      // the copy, on the device
};

}  // namespace padproof
