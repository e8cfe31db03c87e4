// One emulated kernel on one head, judged by the bound: the largest ratio for each thing that the
// oracle speaks about.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "reference/attention.h"
#include "reference/emulation/arithmetic.h"

namespace padproof::reference {

enum class Target : int {
  o,
  lse,
  row_sum,
  dq,
  dk,
  dv,
  dbias,
  dsink,
  stored_dq,
  stored_dk,
  stored_dv,
  stored_dbias,
  stored_dsink
};
inline constexpr int kTargets = 13;

/// "O", "LSE", "row sum", "dQ", ... ; "dQ | O, LSE" given the stored O and LSE.
std::string_view NameOf(Target target);

struct Ratios {
  std::array<double, kTargets> worst{};  // 0 where nothing was judged
  int64_t elements = 0;

  double& of(Target target) { return worst[static_cast<size_t>(target)]; }
  double of(Target target) const { return worst[static_cast<size_t>(target)]; }
  void Add(Target target, double ratio);
  double largest() const;
};

/// O and LSE of every row in domain.
void JudgeForward(const Emulation& e, const NumericsProfile& profile, const Head& head,
                  uint64_t noise, Ratios& ratios);

/// The sum of the first query's weights, read one by one through one-hot V.
void JudgeRowSum(const Emulation& e, const NumericsProfile& profile, Head head, uint64_t noise,
                 Ratios& ratios);

/// Gradients from the O and LSE of the kernel's own forward: unconditionally, and given those (not
/// for kernels that read neither).
void JudgeBackward(const Emulation& e, const NumericsProfile& profile, Head head, uint64_t noise,
                   Ratios& ratios);

/// Puts the emulated forward's O and LSE where its backward reads them.
void StoreEmulated(const Emulation& e, Head& head, uint64_t noise);

}  // namespace padproof::reference
