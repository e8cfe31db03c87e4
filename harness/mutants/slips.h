// Names that stand beside one another in attention kernels, and so get confused.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace padproof {

/// "seqlen_q" -> "seqlen_k", "dim" -> "dim_v", "stride_b" -> "stride_h", ... `member`: it follows a
/// dot or an arrow, where single letters are axes.
std::vector<std::string> SlipsOf(std::string_view name, bool member);

}  // namespace padproof
