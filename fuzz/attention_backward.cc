// attention_backward: what gradients must obey, on the flash kernels that are compiled in.

#include "fuzz/target.h"

namespace padproof {

const FuzzTarget& Target() {
  static const FuzzTarget target{
      .kernels = "flash_bwd*@simt",
      .laws = {"pad_content_invariance", "pad_poison_immunity", "pad_count_invariance",
               "pad_gradients_zero", "gradient_agreement", "empty_row", "fully_written",
               "schedule_invariance", "guards_intact"}};
  return target;
}

}  // namespace padproof
