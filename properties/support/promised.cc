#include "properties/support/promised.h"

#include <cmath>

#include "harness/case/case.h"
#include "harness/judge/property.h"

namespace padproof {

Fill AllowedFill(PadContent content, Fill fill) {
  switch (content) {
    case PadContent::any_bits:
      return fill;
    case PadContent::finite:
      return IsFinite(fill) ? fill : Fill::huge;
    case PadContent::finite_scores:
      // The largest finite values make q.k overflow.
      return fill < Fill::huge ? fill : Fill::hot;
    case PadContent::zero:
      break;
  }
  return Fill::zero;
}

Fill AllowedFill(PadContent content, const Case& c, Fill fill) {
  fill = AllowedFill(content, fill);
  // Noise and copies of near_max V make dO.v overflow, the score of a backward.
  if (content == PadContent::finite_scores && c.backward && c.values == Values::near_max &&
      fill != Fill::zero) {
    return Fill::hot;
  }
  return fill;
}

Fill AllowedFill(const KernelTraits& traits, Fill fill) {
  return AllowedFill(traits.promises.pad_content, fill);
}

Case WithAllowedFill(const KernelTraits& traits, Case c) {
  c.fill = AllowedFill(traits.promises.pad_content, c, c.fill);
  // Scores of hot pads are beyond what f16 holds.
  const bool stores_f16 = traits.numerics.score_rounding > 0 && c.dtype == Dtype::f16;
  const bool finite_scores = traits.promises.pad_content == PadContent::finite_scores;
  if (stores_f16 && finite_scores && c.fill == Fill::hot) {
    const bool large = c.values == Values::large || c.values == Values::outlier;
    c.fill = large ? Fill::zero : Fill::noise;
  }
  return c;
}

std::vector<Operand> GradientsOf(const KernelTraits& traits, const Case& c) {
  if (!c.backward) return {};
  if (!HasBiasTensor(c) || !traits.features.Has(Feature::dbias)) {
    return {Operand::dq, Operand::dk, Operand::dv};
  }
  return {Operand::dq, Operand::dk, Operand::dv, Operand::dbias};
}

std::vector<Operand> Outputs(const KernelRow& kernel, const Case& c) {
  std::vector<Operand> outputs;
  if (kernel.forward != nullptr) {
    outputs.push_back(Operand::o);
    if (kernel.traits.returns_lse != 0) outputs.push_back(Operand::lse);
  }
  const std::vector<Operand> gradients = GradientsOf(kernel.traits, c);
  outputs.insert(outputs.end(), gradients.begin(), gradients.end());
  return outputs;
}

const char* NotRepeatable(const KernelTraits& traits, bool has_forward) {
  if (traits.promises.determinism == Determinism::none)
    return "does not promise the same bits when repeated";
  if (traits.promises.determinism == Determinism::forward_only && !has_forward) {
    return "promises the same bits when repeated of its forward alone";
  }
  return nullptr;
}

std::vector<Operand> RepeatableOutputs(const KernelRow& kernel, const Case& c) {
  std::vector<Operand> outputs = Outputs(kernel, c);
  if (kernel.traits.promises.determinism == Determinism::forward_only) {
    std::erase_if(outputs, [](Operand op) { return !IsOfForward(op); });
  }
  return outputs;
}

namespace {

bool OtherEmptyLse(const KernelTraits& traits) {
  return traits.promises.empty_lse != EmptyLse::minus_infinity;
}

/// Whether some query that the kernel computes sees no key, whose weights, NaN or a mean, reach all
/// keys of head `h` of K and V.
bool ReadByEmptyRow(const KernelTraits& traits, const Case& c, int b, int h) {
  const bool any = traits.promises.empty_row == EmptyRow::unspecified;
  if (any && c.mask_form != MaskForm::lengths &&
      c.lens_q[static_cast<size_t>(b)] < c.most_slots_q()) {
    return true;
  }
  for (int head = h * c.group; head < (h + 1) * c.group; ++head) {
    for (int i = 0; i < c.lens_q[static_cast<size_t>(b)]; ++i) {
      if (SeesNothing(c, b, head, i)) return true;
    }
  }
  return false;
}

}  // namespace

double EmptyLseOf(const KernelTraits& traits) {
  switch (traits.promises.empty_lse) {
    case EmptyLse::minus_infinity:
      return -INFINITY;
    case EmptyLse::zero:
      return 0;
    case EmptyLse::plus_infinity:
      break;
  }
  return INFINITY;
}

bool IsPromised(const KernelTraits& traits, const Case& c, Operand op, const Index& at) {
  const bool empty = HasQueryRows(op) && SeesNothing(c, at.b, at.h, at.i);
  if (op == Operand::lse && OtherEmptyLse(traits) && empty) return false;
  if (traits.promises.empty_row == EmptyRow::zero) return true;
  return HasQueryRows(op) ? !empty : !ReadByEmptyRow(traits, c, at.b, at.h);
}

bool IsPromisedAtPads(const KernelTraits& traits, const Case& c, Operand op, int b, int h) {
  if (traits.promises.empty_row == EmptyRow::zero) return true;
  if (HasQueryRows(op)) return c.mask_form == MaskForm::lengths;  // else a pad is an empty row
  return !ReadByEmptyRow(traits, c, b, h);
}

Part Specified(const KernelTraits& traits, const Case& c, Part part) {
  if (traits.promises.empty_row != EmptyRow::unspecified) return part;
  return [&traits, &c, part = std::move(part)](Operand op, const Index& at) {
    return (!part || part(op, at)) && IsPromised(traits, c, op, at);
  };
}

const char* NotRepeatableInOrder(const KernelRow& kernel) {
  if (TakesSchedule(kernel.backend)) return nullptr;
  return NotRepeatable(kernel.traits, kernel.forward != nullptr);
}

}  // namespace padproof
