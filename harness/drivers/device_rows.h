// Rows of kernels on a device, where there is none: they are named, and nothing is silently left
// out.

#pragma once

#include <string>
#include <vector>

#include "harness/base/check.h"
#include "harness/device/device.h"
#include "harness/drivers/kernel_info.h"

namespace padproof {

/// Makes the device of a plugin ready, at the first call: "" or why its rows cannot be called
/// ("no device"). An error is a device that is there and does not work.
Result<std::string> StartDevice(const DeviceTable& device);

/// The rows of .cu files as they would be with nvcc, by those that run on the host.
std::vector<KernelInfo> NotBuilt(const std::vector<KernelInfo>& compiled_in);

/// Takes the rows that cannot be called here out of `kernels` and returns them.
std::vector<KernelInfo> TakeMissing(std::vector<KernelInfo>& kernels);

/// "skipped: no device: flash_bwd@cuda, flash_fwd@cuda\n", a line a reason; "" for none.
std::string SkippedLines(const std::vector<KernelInfo>& missing);

/// PADPROOF_REQUIRE_DEVICE is set, and neither empty nor 0: a missing row is red.
bool DeviceRequired();

/// The one line that says so, or "" when none is missing or nothing is required.
std::string RequiredButMissing(const std::vector<KernelInfo>& kernels);

}  // namespace padproof
