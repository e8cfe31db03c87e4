#include "properties/support/within_bound.h"

#include <algorithm>
#include <cmath>

#include "properties/support/run.h"

namespace padproof {

std::string Describe(const NumericsProfile& profile) {
  std::string text = "bound for a kernel with ";
  text += profile.p_rounding > 0 ? "P rounded by " + Number(profile.p_rounding) : "P in fp32";
  if (profile.row_sum_of_rounded_p != 0) text += " before its row sum";
  if (profile.score_rounding > 0) text += ", scores rounded by " + Number(profile.score_rounding);
  if (profile.qk_scale_rounding > 0) {
    text += ", Q and K pre-scaled in storage, off by " + Number(profile.qk_scale_rounding);
  }
  text += ", exp off by " + Number(profile.exp_error);
  text += ", " + Number(profile.accumulation_factor) + " roundings a product";
  if (profile.tensor_block > 0) {
    text += ", tensor cores of " + std::to_string(profile.tensor_block) + " products and " +
            std::to_string(profile.tensor_extra_bits) + " extra bits";
  }
  if (profile.operand_rounding > 0) {
    text += ", factors of matrix products rounded by " + Number(profile.operand_rounding);
  }
  if (profile.max_lag > 0) text += ", maximum lagging by 2^" + Number(profile.max_lag);
  text += ", tiles of " + std::to_string(profile.tile_keys) + " keys or more";
  if (profile.in_order_keys > 0) {
    text += ", sums in order but for blocks of " + std::to_string(profile.in_order_keys) + " keys";
  }
  if (profile.split != 0) text += ", split keys";
  if (profile.expanded_gradients != 0) text += ", dK and dV stored for each query head";
  return text;
}

std::string Spell(const reference::Judged& judged) {
  return Number(judged.centre) + " +- " + Number(judged.radius);
}

bool ReadsStoredForward(const KernelRow& kernel) {
  if (kernel.traits.recomputes_forward != 0) return false;
  return kernel.forward == nullptr || kernel.traits.returns_lse != 0;
}

void WithinBound::Add(Operand op, const Index& at, uint32_t bits, Dtype dtype,
                      const reference::Judged& judged) {
  Add(NameOf(op), reference::Ratio(dtype, bits, judged), [&] {
    const double got = Decode(dtype, bits);
    const auto [centre, spelled] = Numbers(judged.centre, got);
    Failure failure;
    failure.kind = std::isnan(got) ? kind::kNan : kind::kValue;
    failure.region = NameOf(op);
    failure.where = Where(op, at);
    failure.expected = "oracle: " + centre + " +- " + Number(judged.radius);
    failure.got = "kernel: " + spelled;
    if (judged.largest > 0) {
      failure.note = "; " + Number(judged.largest) + " of it for " + judged.largest_term;
    }
    return failure;
  });
}

void WithinBound::Count(const char* region, double ratio) {
  auto at = std::find_if(closeness_.begin(), closeness_.end(),
                         [&](const Closeness& c) { return c.region == region; });
  if (at == closeness_.end()) at = closeness_.insert(at, {.region = region});
  ++at->elements;
  at->worst = std::max(at->worst, ratio);
}

Verdict WithinBound::verdict(const NumericsProfile& profile) const {
  Verdict verdict = WithoutCloseness(profile);
  verdict.closeness = closeness_;
  return verdict;
}

Verdict WithinBound::WithoutCloseness(const NumericsProfile& profile) const {
  if (failures_ > 0) {
    Failure failure = worst_;
    failure.extent = Extent(failures_, judged_);
    failure.note = "T1, proven " + Describe(profile) + failure.note;
    return Verdict::Fails(failure);
  }
  if (judged_ > 0) return Verdict::Holds();
  if (!skipped_.empty()) return Verdict::OutOfDomain(skipped_);
  return Verdict::NotApplicable("no element that the row promises a number for");
}

}  // namespace padproof
