// What the harness asks of a device, as a table of C functions.
//
// A plugin of kernels built by nvcc brings the table with its rows (KernelRow::device). The
// functions come from the plugin and not from a library of their own, since an error, a context and
// the last error belong to one copy of the CUDA runtime: asked through another copy (each plugin
// links its own, statically) a failed launch would look well. So the harness needs no CUDA header,
// and a build without a toolkit loads a plugin that was built elsewhere.

#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/judge/kernel.h"

namespace padproof {

/// Errors are cudaError_t; 0 is success. No function throws.
struct DeviceTable {
  /// Makes the device ready, which may take seconds. Without any device: success, and 0 devices.
  int32_t (*start)(int32_t* devices);
  const char* (*describe)();  // of a started device: its name, driver and runtime; static text
  int32_t (*allocate)(void** data, size_t bytes);  // aligned to 256 bytes or more
  int32_t (*release)(void* data);
  int32_t (*upload)(void* device, const void* host, size_t bytes);
  int32_t (*download)(void* host, const void* device, size_t bytes);
  int32_t (*synchronise)();  // waits for all work; its error, if it failed
  int32_t (*take_error)();   // the last error, which it forgets unless the device is lost
  const char* (*error_name)(int32_t error);  // "cudaErrorIllegalAddress"
};

/// The row as a device plugin registers it: backend "cuda", with its table. Each such plugin links
/// one definition: cuda_device.cc, or testing/fake_device.cc.
KernelRow OnDevice(KernelRow row);

}  // namespace padproof
