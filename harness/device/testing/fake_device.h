// A device made of host memory, so that the way to a device and back is tested where there is none.
// Its memory can be touched only while the device runs: a pointer to it that the host side uses by
// mistake is a segmentation fault. Fresh memory is poisoned, and what lies beyond an allocation is
// never mapped.
//
// PADPROOF_FAKE_DEVICES=0 in the environment makes it a machine without a device.

#pragma once

#include "harness/device/device.h"

namespace padproof::fake_device {

inline constexpr int32_t kMemoryAllocation = 2;
inline constexpr int32_t kInvalidConfiguration = 9;
inline constexpr int32_t kIllegalAddress = 700;
inline constexpr size_t kMemoryBytes = size_t{64} << 20;  // beyond: kMemoryAllocation

const DeviceTable& Table();

/// While one lives the device runs, and its memory is there. Rows that OnDevice() made have one.
class Running {
 public:
  Running();
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
};

/// What a launch does that is refused: an error until somebody takes it.
void LeaveError(int32_t error);
/// What a kernel does that goes astray: the error of every later call.
void Lose(int32_t error);
/// The next upload fails with this error.
void FailNextUpload(int32_t error);
/// Back to a device without errors.
void Reset();
/// Allocations that are not yet released.
int Allocations();

}  // namespace padproof::fake_device
