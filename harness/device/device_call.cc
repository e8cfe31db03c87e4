#include "harness/device/device_call.h"

#include <cstring>

#include "harness/base/check.h"

namespace padproof {
namespace {

// Every buffer begins where an allocation of its own would.
constexpr size_t kAlignment = 256;
static_assert(kGuardBytes % kAlignment == 0, "data keep the alignment of their buffer");

bool device_is_lost = false;

std::string Describe(const DeviceTable& device, int32_t error, const char* when) {
  return std::string(device.error_name(error)) + " (" + std::to_string(error) + ") " + when;
}

/// Throws for an error before the kernel ran.
void Prepared(const DeviceTable& device, int32_t error, const char* when) {
  if (error == 0) return;
  device.take_error();
  if (device.synchronise() != 0) device_is_lost = true;
  throw DeviceError("the device: " + Describe(device, error, when));
}

}  // namespace

bool DeviceIsLost() { return device_is_lost; }

DeviceCall::DeviceCall(const DeviceTable& device, std::vector<Problem::Stretch> memory)
    : device_(device), memory_(std::move(memory)) {
  size_t bytes = 0;
  for (const Problem::Stretch& stretch : memory_) {
    offsets_.push_back(bytes);
    bytes += (stretch.bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  image_.resize(bytes);
  for (size_t n = 0; n < memory_.size(); ++n) {
    std::memcpy(image_.data() + offsets_[n], memory_[n].begin, memory_[n].bytes);
  }
  // Nobody else's error is blamed on the kernel.
  Prepared(device, device.take_error(), "was left over before the call");
  void* data = nullptr;
  const std::string what = "allocating " + std::to_string(bytes) + " bytes for the case";
  Prepared(device, device.allocate(&data, bytes), what.c_str());
  data_ = static_cast<uint8_t*>(data);
  if (const int32_t error = device.upload(data_, image_.data(), bytes); error != 0) {
    device.release(data_);
    Prepared(device, error, "copying the case to it");
  }
}

DeviceCall::~DeviceCall() {
  if (!device_is_lost) device_.release(data_);
}

AttentionArgs DeviceCall::Moved(AttentionArgs args) const {
  ForEachPointer(args, [&](const void* pointer) -> const void* {
    const auto* address = static_cast<const uint8_t*>(pointer);
    for (size_t n = 0; n < memory_.size(); ++n) {
      const uint8_t* begin = memory_[n].begin;
      const bool inside =
          address >= begin + kGuardBytes && address <= begin + memory_[n].bytes - kGuardBytes;
      if (inside) return data_ + offsets_[n] + (address - begin);
    }
    PADPROOF_CHECK(!"a pointer of the arguments leads into no buffer of the problem");
    return nullptr;
  });
  return args;
}

std::string DeviceCall::Finish() {
  const char* when = "while the kernel ran";
  int32_t error = device_.synchronise();
  if (error == 0) {
    when = "was left by the call";  // a launch that failed, say
    error = device_.take_error();
  }
  if (error == 0) {
    when = "copying the results back";
    error = device_.download(image_.data(), data_, image_.size());
  }
  if (error != 0) {
    device_.take_error();
    device_is_lost = device_.synchronise() != 0;
    return Describe(device_, error, when);
  }
  for (size_t n = 0; n < memory_.size(); ++n) {
    std::memcpy(memory_[n].begin, image_.data() + offsets_[n], memory_[n].bytes);
  }
  return {};
}

namespace {

Called CalledWith(const Status& status) {
  if (status.code == StatusCode::ok) return {};
  return {status.code, status.reason != nullptr ? status.reason : "no reason given"};
}

}  // namespace

Called CallOnHost(const KernelRow& kernel, const AttentionArgs& args, bool backward) {
  return CalledWith((backward ? kernel.backward : kernel.forward)(args));
}

Called Call(const KernelRow& kernel, Problem& problem, const AttentionArgs& args, bool backward) {
  if (kernel.device == nullptr) return CallOnHost(kernel, args, backward);
  const LaunchFunction launch = backward ? kernel.backward : kernel.forward;
  DeviceCall on_device(*kernel.device, problem.Memory());
  Called result = CalledWith(launch(on_device.Moved(args)));
  const std::string error = on_device.Finish();
  if (error.empty()) return result;
  const bool told = result.code == StatusCode::failed;
  return {StatusCode::failed, error + (told ? ": " + result.reason : "")};
}

}  // namespace padproof
