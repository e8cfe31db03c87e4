// The numbers that tell a kernel where tokens lie - lengths, left pads, offsets, pages - and edits
// of them as text, to try what a kernel makes of wrong ones:
//
//   seqused_k[0]=-1 cu_seqlens_q[2]=2147483647 block_table[3]=5

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/base/check.h"
#include "harness/judge/kernel.h"

namespace padproof {

/// In the order of Problem::lengths().
enum class Metadata : int {
  seqused_q = 0,
  seqused_k,
  leftpad_q,
  leftpad_k,
  cu_seqlens_q,
  cu_seqlens_k,
  block_table
};

template <>
struct EnumText<Metadata> {
  static constexpr std::array<std::string_view, 7> names{
      "seqused_q",    "seqused_k",    "leftpad_q",  "leftpad_k",
      "cu_seqlens_q", "cu_seqlens_k", "block_table"};
};

/// One number of one array becomes another one.
struct MetadataEdit {
  Metadata array = Metadata::seqused_q;
  int at = 0;
  int32_t value = 0;
  bool operator==(const MetadataEdit&) const = default;
};

using MetadataEdits = std::vector<MetadataEdit>;

std::string Print(const MetadataEdits& edits);
/// At least one; an error names the word and what is allowed there.
Result<MetadataEdits> ParseMetadataEdits(std::string_view text);

/// The array of a call; null if the call has none.
const int32_t*& ArrayOf(AttentionArgs& args, Metadata array);
/// How many numbers it has.
int SizeOf(const AttentionArgs& args, Metadata array);

/// Writes the number where the arguments point to, which must be the caller's own and long enough.
void Apply(const MetadataEdit& edit, AttentionArgs& args);

/// "" if a kernel may read and write what these numbers tell it to, else what is wrong:
/// "cu_seqlens_q[2] decreases". Every array must be there.
std::string WhyWrong(const AttentionArgs& args);

}  // namespace padproof
