#include "harness/drivers/device_rows.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>

#include "harness/base/words.h"

namespace padproof {

Result<std::string> StartDevice(const DeviceTable& device) {
  static std::map<const DeviceTable*, std::string> started;
  if (const auto found = started.find(&device); found != started.end()) return found->second;
  int32_t devices = 0;
  if (const int32_t error = device.start(&devices); error != 0) {
    return Error{std::string("the device does not start: ") + device.error_name(error) + " (" +
                 std::to_string(error) + ")"};
  }
  return started.emplace(&device, devices > 0 ? "" : "no device").first->second;
}

std::vector<KernelInfo> NotBuilt(const std::vector<KernelInfo>& compiled_in) {
  constexpr const char* kNotThere = "device/kernels_cuda.so is not there";
  const char* why = PADPROOF_WHY_NO_CUDA;
  std::vector<KernelInfo> rows;
  for (const KernelInfo& host : compiled_in) {
    if (host.backend != "simt") continue;
    KernelInfo& row = rows.emplace_back(host);
    row.backend = "cuda";
    row.id = row.name + "@cuda";
    row.missing = std::string("not built (") + (*why != '\0' ? why : kNotThere) + ")";
    row.has_host_twin = true;
  }
  return rows;
}

std::vector<KernelInfo> TakeMissing(std::vector<KernelInfo>& kernels) {
  std::vector<KernelInfo> missing, there;
  for (KernelInfo& kernel : kernels) {
    (kernel.missing.empty() ? there : missing).push_back(std::move(kernel));
  }
  kernels = std::move(there);
  return missing;
}

std::string SkippedLines(const std::vector<KernelInfo>& missing) {
  std::map<std::string, std::string> names;  // by reason
  for (const KernelInfo& kernel : missing) {
    AppendTo(names[kernel.missing], kernel.id);
  }
  std::string text;
  for (const auto& [reason, list] : names) text += "skipped: " + reason + ": " + list + "\n";
  return text;
}

bool DeviceRequired() {
  const char* value = std::getenv("PADPROOF_REQUIRE_DEVICE");
  const std::string_view text = value != nullptr ? value : "";
  return !text.empty() && text != "0";
}

std::string RequiredButMissing(const std::vector<KernelInfo>& kernels) {
  size_t missing = 0;
  std::string why;
  for (const KernelInfo& kernel : kernels) {
    if (kernel.missing.empty()) continue;
    if (missing++ == 0) why = kernel.id + ": " + kernel.missing;
  }
  if (missing == 0 || !DeviceRequired()) return {};
  return "PADPROOF_REQUIRE_DEVICE is set, and " + std::to_string(missing) +
         (missing == 1 ? " kernel was skipped: " : " kernels were skipped, the first ") + why;
}

}  // namespace padproof
