// The named correct kernels that attack the bound, and the numerics profile that each declares.

#pragma once

#include <span>
#include <string_view>

#include "reference/emulation/arithmetic.h"

namespace padproof::reference {

struct NamedKernel {
  Emulation emulation;
  Set<Dtype> dtypes;
  bool backward = true;  // false: its gradients are another kernel's, or nobody's
};

std::span<const NamedKernel> EmulatedKernels();

/// Null if there is none of this name.
const NamedKernel* FindEmulatedKernel(std::string_view name);

/// What a kernel that computes like this declares, field by field.
NumericsProfile ProfileOf(const Emulation& e, Dtype dtype);

/// The same with the order of its sums, where it keeps one: a sharper bound, equally true.
NumericsProfile ProfileInOrder(const Emulation& e, Dtype dtype);

}  // namespace padproof::reference
