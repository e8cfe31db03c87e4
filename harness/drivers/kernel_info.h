// What the parent process knows of a kernel: its row without function pointers. The parent never
// loads kernel code; workers do, and describe it.

#pragma once

#include <string>

#include "harness/case/generate.h"
#include "harness/judge/kernel.h"

namespace padproof {

struct KernelInfo {
  std::string id;    // "name@backend"
  std::string name;  // "flash_fwd.4x4", "flash_fwd~unmasked_tail"
  std::string backend;
  std::string file;
  std::string summary;
  std::string source;  // where a weaker promise is documented
  std::string plugin;  // path of the shared library; "" when compiled in
  KernelTraits traits;
  bool has_forward = false;
  bool has_backward = false;
  bool has_host_twin = false;  // HostTwin(row) of judge/property.h
  std::string device;          // what its device says it is; "" on the host
  std::string missing;         // why it cannot be called here ("no device"); "" when it can
};

/// What the generator may draw for this kernel.
Domain DomainOf(const KernelInfo& kernel);

/// "flash_fwd.4x4~unmasked_tail" -> "flash_fwd": the file that holds it.
std::string FamilyOf(const std::string& kernel_name);
/// "unmasked_tail", or "" for a kernel that is not a mutant.
std::string MutantOf(const std::string& kernel_name);
/// By the name and the id that the row has without its bug.
KernelInfo WithoutMutant(KernelInfo row);

/// One line of words: what the kernel promises ("pads: any bits; empty row: 0; ...").
std::string PromisesInWords(const KernelTraits& traits);

}  // namespace padproof
