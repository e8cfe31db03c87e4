// Decides which lengths, offsets and pages a call may have: what kernel.h says of them, once more,
// so that what the checks of kernels let through is not judged by themselves.

#include "harness/judge/metadata.h"

#include <algorithm>
#include <charconv>

#include "harness/base/printable.h"
#include "harness/base/words.h"

namespace padproof {
namespace {

constexpr const char* kForm = "expected ARRAY[INDEX]=VALUE with an array of ";

std::string At(Metadata array, int64_t n) {
  return std::string(NameOf(array)) + "[" + std::to_string(n) + "]";
}

template <class T>
bool TakeNumber(std::string_view& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool TakeMark(std::string_view& text, char mark) {
  if (text.empty() || text.front() != mark) return false;
  text.remove_prefix(1);
  return true;
}

Error NoEdit(std::string_view word) {
  return {"'" + Printable(word) + "': " + kForm + Join(EnumText<Metadata>::names)};
}

Result<MetadataEdit> ParseEdit(std::string_view word) {
  const auto& names = EnumText<Metadata>::names;
  std::string_view rest = word.substr(std::min(word.find('['), word.size()));
  const auto name =
      std::find(names.begin(), names.end(), word.substr(0, word.size() - rest.size()));
  MetadataEdit edit;
  if (name == names.end() || !TakeMark(rest, '[') || !TakeNumber(rest, edit.at) || edit.at < 0 ||
      !TakeMark(rest, ']') || !TakeMark(rest, '=') || !TakeNumber(rest, edit.value) ||
      !rest.empty()) {
    return NoEdit(word);
  }
  edit.array = static_cast<Metadata>(name - names.begin());
  return edit;
}

/// One side of a call: its queries or its keys.
struct Side {
  Metadata used, left, offsets;
  int64_t seqlen, slots;  // of a sequence, and of a packed buffer
};

std::string WhyWrong(AttentionArgs args, const Side& side) {
  const int32_t* used = ArrayOf(args, side.used);
  const int32_t* left = ArrayOf(args, side.left);
  const int32_t* offsets = ArrayOf(args, side.offsets);
  if (offsets != nullptr && offsets[0] < 0) return At(side.offsets, 0) + " is negative";
  for (int b = 0; b < args.batch; ++b) {
    const int64_t len = used[b], begin = offsets != nullptr ? 0 : left[b];
    if (len < 0 || len > side.seqlen) return At(side.used, b) + " is not from 0 to seqlen";
    if (begin < 0 || begin + len > side.seqlen) return At(side.left, b) + " leaves no room";
    if (offsets == nullptr) continue;
    const int64_t next = offsets[b + 1], room = next - offsets[b];
    if (room < 0) return At(side.offsets, b + 1) + " decreases";
    if (next > side.slots) return At(side.offsets, b + 1) + " is behind the buffer";
    if (len > room) return At(side.used, b) + " reaches into the next sequence";
  }
  return {};
}

std::string WrongPage(const AttentionArgs& args) {
  for (int b = 0; b < args.batch; ++b) {
    const int64_t pages = (int64_t{args.seqused_k[b]} + args.page_size - 1) / args.page_size;
    for (int64_t n = 0; n < pages; ++n) {
      const int64_t at = int64_t{b} * args.max_pages + n, page = args.block_table[at];
      if (page < 0 || page >= args.k.size[0]) return At(Metadata::block_table, at) + " is no page";
    }
  }
  return {};
}

}  // namespace

std::string Print(const MetadataEdits& edits) {
  std::string text;
  for (const MetadataEdit& edit : edits) {
    text += (text.empty() ? "" : " ") + At(edit.array, edit.at) + "=" + std::to_string(edit.value);
  }
  return text;
}

Result<MetadataEdits> ParseMetadataEdits(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  MetadataEdits edits;
  for (size_t at = text.find_first_not_of(kBlanks); at != std::string_view::npos;
       at = text.find_first_not_of(kBlanks, at)) {
    const size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    const auto edit = ParseEdit(text.substr(at, end - at));
    if (!edit) return edit.error();
    edits.push_back(*edit);
    at = end;
  }
  if (edits.empty()) return NoEdit("");
  return edits;
}

const int32_t*& ArrayOf(AttentionArgs& args, Metadata array) {
  switch (array) {
    case Metadata::seqused_q:
      return args.seqused_q;
    case Metadata::seqused_k:
      return args.seqused_k;
    case Metadata::leftpad_q:
      return args.leftpad_q;
    case Metadata::leftpad_k:
      return args.leftpad_k;
    case Metadata::cu_seqlens_q:
      return args.cu_seqlens_q;
    case Metadata::cu_seqlens_k:
      return args.cu_seqlens_k;
    case Metadata::block_table:
      break;
  }
  return args.block_table;
}

int SizeOf(const AttentionArgs& args, Metadata array) {
  AttentionArgs copy = args;
  if (ArrayOf(copy, array) == nullptr) return 0;
  if (array == Metadata::block_table) return args.batch * args.max_pages;
  return args.batch + (array == Metadata::cu_seqlens_q || array == Metadata::cu_seqlens_k ? 1 : 0);
}

void Apply(const MetadataEdit& edit, AttentionArgs& args) {
  PADPROOF_CHECK(edit.at >= 0 && edit.at < SizeOf(args, edit.array));
  const_cast<int32_t*>(ArrayOf(args, edit.array))[edit.at] = edit.value;
}

std::string WhyWrong(const AttentionArgs& args) {
  const Side q{.used = Metadata::seqused_q,
               .left = Metadata::leftpad_q,
               .offsets = Metadata::cu_seqlens_q,
               .seqlen = args.seqlen_q,
               .slots = args.q.size[2]};
  const Side k{.used = Metadata::seqused_k,
               .left = Metadata::leftpad_k,
               .offsets = Metadata::cu_seqlens_k,
               .seqlen = args.seqlen_k,
               .slots = args.k.size[2]};
  for (const Side& side : {q, k}) {
    if (std::string wrong = WhyWrong(args, side); !wrong.empty()) return wrong;
  }
  return args.block_table != nullptr ? WrongPage(args) : "";
}

}  // namespace padproof
