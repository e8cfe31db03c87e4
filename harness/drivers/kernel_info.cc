#include "harness/drivers/kernel_info.h"

#include <array>

#include "harness/judge/property.h"

namespace padproof {

Domain DomainOf(const KernelInfo& kernel) {
  const KernelTraits& traits = kernel.traits;
  Domain domain;
  domain.dtypes = traits.dtypes;
  domain.layouts = traits.layouts;
  domain.masks = traits.masks;
  domain.strides = traits.strides;
  domain.pad_sides = traits.pad_sides;
  domain.mask_forms = traits.mask_forms;
  domain.biases = traits.biases;
  domain.features = traits.features;
  domain.dim_max = traits.dim_max;
  domain.dim_multiple = traits.dim_multiple;
  domain.page_multiple = traits.page_multiple;
  domain.tile_q = traits.tile_q;
  domain.tile_k = traits.tile_k;
  domain.backward = kernel.has_backward;
  domain.backward_only = !kernel.has_forward;
  domain.scheduled = TakesSchedule(kernel.backend);
  return domain;
}

std::string FamilyOf(const std::string& kernel_name) {
  return kernel_name.substr(0, kernel_name.find_first_of(".~@"));
}

std::string MutantOf(const std::string& kernel_name) {
  const size_t tilde = kernel_name.find('~');
  if (tilde == std::string::npos) return {};
  const size_t end = kernel_name.find('@', tilde);
  return kernel_name.substr(tilde + 1, end == std::string::npos ? end : end - tilde - 1);
}

KernelInfo WithoutMutant(KernelInfo row) {
  row.name = row.name.substr(0, row.name.find('~'));
  row.id = row.name + "@" + row.backend;
  return row;
}

std::string PromisesInWords(const KernelTraits& traits) {
  static constexpr std::array pads{"any bits", "finite values", "finite values with finite scores",
                                   "zeros"};
  static constexpr std::array empty{"0", "NaN", "unspecified"};
  static constexpr std::array empty_lse{"LSE -inf", "LSE 0", "LSE +inf"};
  static constexpr std::array outputs{"0", "written, unspecified", "untouched"};
  static constexpr std::array bitwise{"forward and backward", "forward only", "no"};
  const Promises& p = traits.promises;
  std::string words = "pads may hold ";
  words += pads[static_cast<size_t>(p.pad_content)];
  words += "; empty row ";
  words += empty[static_cast<size_t>(p.empty_row)];
  if (traits.returns_lse != 0) {
    words += std::string(" with ") + empty_lse[static_cast<size_t>(p.empty_lse)];
  }
  words += "; results at pads ";
  words += outputs[static_cast<size_t>(p.pad_outputs)];
  words += "; repeatable ";
  words += bitwise[static_cast<size_t>(p.determinism)];
  if (p.head_content != PadContent::any_bits) {
    words += std::string("; other heads of a token may hold ") +
             pads[static_cast<size_t>(p.head_content)];
  }
  if (p.batch_content != PadContent::any_bits) {
    words +=
        std::string("; other sequences may hold ") + pads[static_cast<size_t>(p.batch_content)];
  }
  if (p.hidden_content == HiddenContent::any_bits) words += "; hidden keys may hold any bits";
  if (p.refusals == Refusals::none) words += "; refuses no case that it takes";
  if (p.bad_input == BadInput::refused) words += "; refuses wrong arguments";
  if (p.output == OutputOf::module) words += "; its output is not attention's but a module's";
  if (p.dropout_mask == DropoutMask::of_sizes) words += "; other sizes, another dropout mask";
  return words;
}

}  // namespace padproof
