// What a launch may ask for, as on sm_90, and the error code for what it may not. Included by
// runtime.cc only.

#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/simt/runtime.h"
#include "harness/simt/runtime/shared_memory.h"
#include "harness/simt/runtime/state.h"

namespace padproof::simt {
inline namespace host_build {
namespace {

size_t DynamicLimitOf(const void* kernel) {
  for (const auto& [known, bytes] : state.dynamic_limits) {
    if (known == kernel) return bytes;
  }
  return kDefaultSharedBytes;
}

cudaError_t CheckLimits(const LaunchRequest& request) {
  const dim3& grid = request.grid;
  const dim3& block = request.block;
  const auto within = [](unsigned value, unsigned limit) { return value >= 1 && value <= limit; };
  const bool grid_fits =
      within(grid.x, 0x7fffffff) && within(grid.y, 0xffff) && within(grid.z, 0xffff);
  const bool block_fits = within(block.x, kMaxThreads) && within(block.y, kMaxThreads) &&
                          within(block.z, 64) && block.x * block.y * block.z <= kMaxThreads;
  if (!grid_fits || !block_fits) return cudaErrorInvalidConfiguration;
  // A device would take it, but not before the night is over.
  if (uint64_t{grid.x} * grid.y > 0xffffffff / grid.z) return cudaErrorInvalidConfiguration;
  if (request.dynamic_bytes > DynamicLimitOf(request.kernel)) return cudaErrorInvalidValue;
  return cudaSuccess;
}

}  // namespace
}  // namespace host_build
}  // namespace padproof::simt
