// attention_forward: what a forward call must obey, on the flash kernels that are compiled in.

#include "fuzz/target.h"

namespace padproof {

const FuzzTarget& Target() {
  static const FuzzTarget target{
      .kernels = "flash_fwd*@simt",
      .laws = {"pad_content_invariance", "pad_poison_immunity", "pad_count_invariance",
               "row_sums_to_one", "oracle_agreement", "lse_agreement", "empty_row", "fully_written",
               "schedule_invariance", "guards_intact", "pad_outputs_zero"}};
  return target;
}

}  // namespace padproof
