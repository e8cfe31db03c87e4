// Decides which kernel rows are taken over: each field alone, then fields that leave no case
// together.

#include "harness/judge/row_check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <string_view>

#include "harness/base/printable.h"
#include "harness/base/words.h"
#include "harness/case/case.h"

namespace padproof {
namespace {

constexpr int64_t kNoMost = std::numeric_limits<int32_t>::max();
constexpr double kMostLag = 127;  // powers of two: fp32 has no more above 1
// Sums in a storage type round by so many units of fp32, those in bf16 by 2^16.
constexpr double kMostRoundings = 0x1p20;

std::string First(std::initializer_list<std::string> wrongs) {
  const auto* const found =
      std::find_if(wrongs.begin(), wrongs.end(), [](const auto& w) { return !w.empty(); });
  return found != wrongs.end() ? *found : "";
}

std::string Is(const std::string& field, const std::string& value, const std::string& allowed) {
  return field + " is " + value + "; it must be " + allowed;
}

std::string Range(const char* field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  const std::string from = std::to_string(least), to = std::to_string(most);
  return Is(field, std::to_string(value),
            most == kNoMost ? "at least " + from : from + " to " + to);
}

std::string Flag(const char* field, int32_t value) {
  return value == 0 || value == 1 ? "" : Is(field, std::to_string(value), "0 or 1");
}

template <class E>
std::string UpTo(E last, const char* field, E value) {
  return Range(field, static_cast<int64_t>(value), 0, static_cast<int64_t>(last));
}

std::string Text(double value) {
  if (std::isnan(value)) return "NaN";  // of either sign
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

/// A relative error of 1 leaves nothing to compare with.
std::string RelativeError(const char* field, double value) {
  if (value >= 0 && value < 1) return {};  // no NaN is
  return Is(field, Text(value), "from 0 to below 1");
}

template <class E>
std::string OnlyNamed(const char* field, Set<E> set) {
  const uint32_t strange = set.bits & ~Set<E>::All().bits;
  if (strange == 0) return {};
  char bits[16];
  std::snprintf(bits, sizeof bits, "0x%x", strange);
  return std::string(field) + " has the bits " + bits + ", which name nothing; there are " +
         Join(EnumText<E>::names);
}

template <class E>
std::string SomeOf(const char* field, Set<E> set) {
  if (set.bits == 0) return std::string(field) + " is empty; it must name what the kernel takes";
  return OnlyNamed(field, set);
}

/// Null where a row has nothing to say.
std::string Line(const char* field, const char* text) {
  if (text == nullptr) return {};
  const std::string_view line = text;
  const bool printable = std::none_of(line.begin(), line.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  return printable ? "" : Is(field, "'" + Printable(line) + "'", "a line of text");
}

/// What patterns, case lines and file names hold without quotes.
bool IsWord(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

std::string WrongName(const char* text) {
  constexpr const char* kAllowed =
      "of letters, digits, '_', '.' and '-'; '~' stands before the name of an edit";
  if (text == nullptr) return Is("name", "null", kAllowed);
  const std::string_view name = text;
  const size_t tilde = std::min(name.find('~'), name.size());
  const bool edit_named = tilde == name.size() || IsWord(name.substr(tilde + 1));
  if (IsWord(name.substr(0, tilde)) && edit_named) return {};
  return Is("name", "'" + Printable(name) + "'", kAllowed);
}

std::string WrongBackend(const char* text) {
  constexpr const char* kAllowed = "cpu, simt or cuda";
  if (text == nullptr) return Is("backend", "null", kAllowed);
  const std::string_view backend = text;
  if (backend == "cpu" || backend == "simt" || backend == "cuda") return {};
  return Is("backend", "'" + Printable(backend) + "'", kAllowed);
}

std::string WrongTexts(const KernelRow& row) {
  return First({WrongName(row.name), WrongBackend(row.backend), Line("file", row.file),
                Line("summary", row.summary), Line("source", row.source)});
}

std::string WrongSets(const KernelTraits& t) {
  return First({SomeOf("dtypes", t.dtypes), SomeOf("layouts", t.layouts),
                SomeOf("strides", t.strides), SomeOf("masks", t.masks),
                SomeOf("pad_sides", t.pad_sides), SomeOf("mask_forms", t.mask_forms),
                SomeOf("biases", t.biases), OnlyNamed("features", t.features)});
}

std::string WrongSizes(const KernelTraits& t) {
  return First({Range("dim_max", t.dim_max, 1, kNoMost),
                Range("dim_multiple", t.dim_multiple, 1, std::min(t.dim_max, kMaxDim)),
                Range("page_multiple", t.page_multiple, 1, kMaxPageSize),
                Range("seqlen_k_min", t.seqlen_k_min, 0, kMaxLen),
                Range("tile_q", t.tile_q, 1, kMaxLen), Range("tile_k", t.tile_k, 1, kMaxLen),
                Flag("returns_lse", t.returns_lse),
                Flag("recomputes_forward", t.recomputes_forward)});
}

std::string WrongPromises(const Promises& p) {
  return First({UpTo(PadContent::zero, "pad_content", p.pad_content),
                UpTo(EmptyRow::unspecified, "empty_row", p.empty_row),
                UpTo(PadOutputs::untouched, "pad_outputs", p.pad_outputs),
                UpTo(Determinism::none, "determinism", p.determinism),
                UpTo(EmptyLse::plus_infinity, "empty_lse", p.empty_lse),
                UpTo(PadContent::zero, "head_content", p.head_content),
                UpTo(PadContent::zero, "batch_content", p.batch_content),
                UpTo(DropoutMask::of_sizes, "dropout_mask", p.dropout_mask),
                UpTo(HiddenContent::any_bits, "hidden_content", p.hidden_content),
                UpTo(Refusals::none, "refusals", p.refusals),
                UpTo(BadInput::refused, "bad_input", p.bad_input),
                UpTo(OutputOf::module, "output", p.output)});
}

std::string WrongErrors(const NumericsProfile& n) {
  return First({RelativeError("p_rounding", n.p_rounding),
                RelativeError("p_underflow", n.p_underflow),
                RelativeError("score_rounding", n.score_rounding),
                RelativeError("qk_scale_rounding", n.qk_scale_rounding),
                RelativeError("exp_error", n.exp_error),
                RelativeError("operand_rounding", n.operand_rounding),
                RelativeError("tanh_error", n.tanh_error)});
}

std::string WrongSums(const NumericsProfile& n) {
  if (!(n.accumulation_factor > 0 && n.accumulation_factor <= kMostRoundings)) {
    return Is("accumulation_factor", Text(n.accumulation_factor), "above 0 and at most 2^20");
  }
  if (!(n.max_lag >= 0 && n.max_lag <= kMostLag)) {
    return Is("max_lag", Text(n.max_lag), "0 to " + Text(kMostLag));
  }
  return First({Range("tile_keys", n.tile_keys, 1, kNoMost), Flag("split", n.split),
                Flag("row_sum_of_rounded_p", n.row_sum_of_rounded_p),
                Range("tensor_block", n.tensor_block, 0, kNoMost),
                // FP8 products are added with fewer bits than fp32 has.
                Range("tensor_extra_bits", n.tensor_extra_bits, -23, 64),
                Range("in_order_keys", n.in_order_keys, 0, kNoMost),
                Flag("expanded_gradients", n.expanded_gradients),
                Flag("directed_rounding", n.directed_rounding),
                Flag("inexact_unit_rescale", n.inexact_unit_rescale),
                Flag("stored_scores", n.stored_scores)});
}

/// Fields that are right alone and leave no case together: see Validate(const Case&).
std::string WrongTogether(const KernelRow& row) {
  const KernelTraits& t = row.traits;
  const bool packed = t.layouts.Has(Layout::thd), tensor_free = t.mask_forms.Has(MaskForm::lengths);
  if (row.forward == nullptr && row.backward == nullptr) {
    return "forward and backward are null; one of them must be there";
  }
  if (packed && !tensor_free) return "mask_forms lacks lengths, which layout thd needs";
  if (t.layouts == SetOf(Layout::paged)) {
    if (row.forward == nullptr) return "forward is null; layout paged alone needs it";
    if (!tensor_free) return "mask_forms lacks lengths, which layout paged alone needs";
    if (!t.pad_sides.Has(PadSide::right)) return "pad_sides lacks right, which layout paged needs";
  }
  if (t.pad_sides == SetOf(PadSide::between) && t.layouts != SetOf(Layout::thd)) {
    return "pad_sides is between alone, which needs layout thd alone";
  }
  if (t.biases.Has(Bias::none)) return {};
  if (t.mask_forms.Has(MaskForm::boolean))
    return "biases lacks none, which mask_form boolean needs";
  const bool dense = t.biases.Has(Bias::dense) || t.biases.Has(Bias::masking);
  return packed && dense ? "biases lacks none, which a dense bias with layout thd needs" : "";
}

}  // namespace

std::string WhyWrong(const KernelRow& row) {
  const KernelTraits& t = row.traits;
  return First({WrongTexts(row), WrongSets(t), WrongSizes(t), WrongPromises(t.promises),
                WrongErrors(t.numerics), WrongSums(t.numerics), WrongTogether(row)});
}

}  // namespace padproof
