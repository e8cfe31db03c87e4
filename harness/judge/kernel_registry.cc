// The rows of this binary: the executable has one registry, each plugin its own (hidden
// visibility).

#include "harness/judge/kernel_registry.h"

#include <deque>
#include <string>

#if defined(PADPROOF_DEVICE_PLUGIN)
#include "harness/device/device.h"
#endif

namespace padproof {
namespace {

struct Owned {
  std::string name;
  KernelRow row;
};

std::deque<Owned>& Storage() {
  static std::deque<Owned> storage;
  return storage;
}

std::vector<const KernelRow*>& Rows() {
  static std::vector<const KernelRow*> rows;
  return rows;
}

}  // namespace

bool RegisterKernel(const KernelRow& row, const char* edit) {
  const std::string suffix = *edit == '\0' ? "" : std::string("~") + edit;
  Owned& owned = Storage().emplace_back(Owned{row.name + suffix, row});
  owned.row.name = owned.name.c_str();
#if defined(PADPROOF_DEVICE_PLUGIN)
  owned.row = OnDevice(owned.row);
#endif
  Rows().push_back(&owned.row);
  return true;
}

const std::vector<const KernelRow*>& RegisteredKernels() { return Rows(); }

}  // namespace padproof
