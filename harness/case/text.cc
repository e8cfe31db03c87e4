// Decides how a case reads on one line, and what is said about a line that is not a case. One table
// of fields serves both directions.

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <type_traits>

#include "harness/base/printable.h"
#include "harness/base/words.h"
#include "harness/case/case.h"
#include "harness/case/read.h"
#include "harness/case/values.h"

namespace padproof {
namespace {

// A canonical line has under 1000 characters; more than this is not a case.
constexpr size_t kMaxLine = 4096;

std::string ReadLens(std::string_view text, std::vector<int>& lens) {
  const std::string expected = "1 to " + std::to_string(kMaxBatch) + " lengths from 0 to " +
                               std::to_string(kMaxLen) + ", separated by commas";
  std::vector<int> read;
  for (;;) {
    const size_t comma = text.find(',');
    int len = 0;
    if (!ReadInt(text.substr(0, comma), len, 0, kMaxLen).empty()) return expected;
    read.push_back(len);
    if (read.size() > size_t{kMaxBatch}) return expected;
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  lens = std::move(read);
  return {};
}

std::string ReadBool(std::string_view text, bool& value) {
  if (text != "true" && text != "false") return "one of true, false";
  value = text == "true";
  return {};
}

/// ORDER[:SEED][,preempt:N]; a seed exactly where something is drawn. Lines from before warp_lag
/// had one say `warp_lag` and mean the warp of seed 0.
std::string ReadSchedule(std::string_view text, Schedule& value) {
  constexpr std::string_view kPreempt = ",preempt:";
  const size_t comma = std::min(text.find(','), text.size());
  const std::string_view order = text.substr(0, comma), preempt = text.substr(comma);
  const size_t colon = std::min(order.find(':'), order.size());
  const bool has_seed = colon < order.size();
  Schedule read;
  bool right = ReadName(order.substr(0, colon), read.order).empty();
  if (has_seed) right = right && ReadNumber(order.substr(colon + 1), read.seed);
  if (!preempt.empty()) {
    right = right && preempt.substr(0, kPreempt.size()) == kPreempt &&
            ReadNumber(preempt.substr(kPreempt.size()), read.preempt) && read.preempt != 0;
  }
  const bool old_warp_lag = text == NameOf(Order::warp_lag);
  if (right && (has_seed == read.Draws() || old_warp_lag)) {
    value = read;
    return {};
  }
  return "one of forward, reverse, random:SEED, warp_lag:SEED, or any of the four with "
         "preemption, as in forward:SEED,preempt:N, with SEED from 0 and N from 1 to 4294967295";
}

/// FIRST or FIRST:SECOND, each from 1 to `high`; `second` is 0 where it is not there.
std::string ReadPair(std::string_view text, int& first, int& second, int high,
                     const char* expected) {
  const size_t colon = std::min(text.find(':'), text.size());
  int a = 0, b = 0;
  bool right = ReadInt(text.substr(0, colon), a, 1, high).empty();
  if (colon < text.size()) right = right && ReadInt(text.substr(colon + 1), b, 1, high).empty();
  if (!right) return expected;
  first = a;
  second = b;
  return {};
}

/// HEADS or HEADS:HEADS_KV.
std::string ReadHeads(std::string_view text, Case& c) {
  static const std::string expected = "heads or heads:heads_kv, whole numbers from 1 to " +
                                      std::to_string(kMaxHeads) +
                                      ", the second a divisor of the first";
  int heads = 0, heads_kv = 0;
  std::string wrong = ReadPair(text, heads, heads_kv, kMaxHeads, expected.c_str());
  if (!wrong.empty()) return wrong;
  if (heads_kv == 0) heads_kv = heads;
  if (heads % heads_kv != 0) return expected;
  c.heads = heads;
  c.group = heads / heads_kv;
  return {};
}

/// DIM or DIM:DIM_V.
std::string ReadDim(std::string_view text, Case& c) {
  static const std::string expected =
      "dim or dim:dim_v, whole numbers from 1 to " + std::to_string(kMaxDim);
  std::string wrong = ReadPair(text, c.dim, c.dim_v, kMaxDim, expected.c_str());
  if (wrong.empty() && c.dim_v == c.dim) c.dim_v = 0;
  return wrong;
}

/// LAYOUT, or paged:PAGE_SIZE.
std::string ReadLayout(std::string_view text, Case& c) {
  constexpr std::string_view kPaged = "paged:";
  Layout layout = Layout::paged;
  int page_size = 0;
  const bool paged = text.substr(0, kPaged.size()) == kPaged;
  const bool right = paged ? ReadInt(text.substr(kPaged.size()), page_size, 1, kMaxPageSize).empty()
                           : ReadName(text, layout).empty() && layout != Layout::paged;
  if (!right) {
    return "one of bhsd, bshd, thd, paged:PAGE_SIZE with PAGE_SIZE from 1 to " +
           std::to_string(kMaxPageSize);
  }
  c.layout = layout;
  c.page_size = page_size;
  return {};
}

std::string PrintLayout(const Case& c) {
  const std::string name(NameOf(c.layout));
  return c.paged() ? name + ":" + std::to_string(c.page_size) : name;
}

/// STRIDES or STRIDES:OPERAND.
std::string ReadStrides(std::string_view text, Case& c) {
  const size_t colon = std::min(text.find(':'), text.size());
  Case read;
  bool right = ReadName(text.substr(0, colon), read.strides).empty();
  std::string operands;
  for (int op = 0; op < kOperands; ++op) {
    const std::string_view name = NameOf(static_cast<Operand>(op));
    operands += (op == 0 ? "" : ", ") + std::string(name);
    if (colon < text.size() && text.substr(colon + 1) == name) read.strided = op;
  }
  right = right && (read.strided != kAllOperands || colon == text.size());
  if (!right) {
    return "one of contiguous, row_padded, offset, transposed, expanded, for one tensor only as in "
           "offset:k, with one of " +
           operands;
  }
  c.strides = read.strides;
  c.strided = read.strided;
  return {};
}

std::string PrintStrides(const Case& c) {
  std::string text(NameOf(c.strides));
  if (c.strided != kAllOperands) text += ":" + std::string(NameOf(static_cast<Operand>(c.strided)));
  return text;
}

/// A whole number from 0, or -1.
bool ReadReach(std::string_view text, int& reach) {
  if (text != "-1") return ReadInt(text, reach, 0, kMaxLen).empty();
  reach = -1;
  return true;
}

/// A mask's name, with the window's reach after its first word: window:LEFT,RIGHT:tl.
std::string ReadMask(std::string_view text, Case& c) {
  constexpr std::string_view kWindow = "window:";
  if (text.substr(0, kWindow.size()) == kWindow) {
    std::string_view rest = text.substr(kWindow.size());
    const size_t comma = std::min(rest.find(','), rest.size());
    const size_t colon = std::min(rest.find(':'), rest.size());
    Window window;
    const bool right = comma < colon && colon < rest.size() &&
                       ReadReach(rest.substr(0, comma), window.left) &&
                       ReadReach(rest.substr(comma + 1, colon - comma - 1), window.right);
    const std::string_view corner = right ? rest.substr(colon + 1) : "";
    if (corner == "tl" || corner == "br") {
      c.mask = corner == "tl" ? Mask::window_tl : Mask::window_br;
      c.window = window;
      return {};
    }
  } else {
    Mask mask = Mask::none;
    if (ReadName(text, mask).empty()) {
      c.mask = mask;
      return {};
    }
  }
  return "one of none, causal:tl, causal:br, window:LEFT,RIGHT:tl, window:LEFT,RIGHT:br with "
         "LEFT and RIGHT from -1 (no bound) to " +
         std::to_string(kMaxLen);
}

std::string PrintMask(const Case& c) {
  const std::string name(NameOf(c.mask));
  if (!IsWindow(c.mask)) return name;
  return "window:" + std::to_string(c.window.left) + "," + std::to_string(c.window.right) +
         name.substr(name.rfind(':'));
}

std::string ReadSeed(std::string_view text, uint64_t& value) {
  if (ReadNumber(text, value)) return {};
  return "a whole number from 0 to " + std::to_string(std::numeric_limits<uint64_t>::max());
}

std::string TextOf(const std::vector<int>& lens) {
  std::string text;
  for (int len : lens) text += (text.empty() ? "" : ",") + std::to_string(len);
  return text;
}

template <class E>
std::string TextOf(E value)
  requires std::is_enum_v<E>
{
  return std::string(NameOf(value));
}

struct Field {
  std::string_view name;
  bool required;  // and hence always printed
  std::string (*read)(std::string_view text, Case& c);
  std::string (*print)(const Case& c);
};

template <int Case::* member, int low, int high>
constexpr Field IntField(std::string_view name, bool required) {
  return {name, required,
          [](std::string_view text, Case& c) { return ReadInt(text, c.*member, low, high); },
          [](const Case& c) { return std::to_string(c.*member); }};
}

template <std::vector<int> Case::* member>
constexpr Field LensField(std::string_view name) {
  return {name, true, [](std::string_view text, Case& c) { return ReadLens(text, c.*member); },
          [](const Case& c) { return TextOf(c.*member); }};
}

template <class E, E Case::* member>
constexpr Field NameField(std::string_view name) {
  return {name, false, [](std::string_view text, Case& c) { return ReadName(text, c.*member); },
          [](const Case& c) { return TextOf(c.*member); }};
}

template <bool Case::* member>
constexpr Field BoolField(std::string_view name) {
  return {name, false, [](std::string_view text, Case& c) { return ReadBool(text, c.*member); },
          [](const Case& c) { return std::string(c.*member ? "true" : "false"); }};
}

constexpr std::array kFields{
    LensField<&Case::lens_q>("lens_q"),
    LensField<&Case::lens_k>("lens_k"),
    IntField<&Case::pad_q, 0, kMaxPad>("pad_q", false),
    IntField<&Case::pad_k, 0, kMaxPad>("pad_k", false),
    NameField<PadSide, &Case::pad_side>("pad_side"),
    Field{"heads", false, ReadHeads,
          [](const Case& c) {
            const std::string heads = std::to_string(c.heads);
            return c.group == 1 ? heads : heads + ":" + std::to_string(c.heads_kv());
          }},
    Field{"dim", true, ReadDim,
          [](const Case& c) {
            const std::string dim = std::to_string(c.dim);
            return c.dim_v == 0 ? dim : dim + ":" + std::to_string(c.dim_v);
          }},
    Field{"mask", false, ReadMask, PrintMask},
    NameField<MaskForm, &Case::mask_form>("mask_form"),
    IntField<&Case::holes, 0, kMaxHoles>("holes", false),
    NameField<Bias, &Case::bias>("bias"),
    IntField<&Case::scale, 0, kMaxScale>("scale", false),
    IntField<&Case::softcap, 0, kMaxSoftcap>("softcap", false),
    BoolField<&Case::sink>("sink"),
    IntField<&Case::dropout, 0, kMaxDropout>("dropout", false),
    IntField<&Case::splits, 0, kMaxSplits>("splits", false),
    Field{"layout", false, ReadLayout, PrintLayout},
    Field{"strides", false, ReadStrides, PrintStrides},
    NameField<Dtype, &Case::dtype>("dtype"),
    NameField<Values, &Case::values>("values"),
    NameField<Fill, &Case::fill>("fill"),
    BoolField<&Case::backward>("backward"),
    Field{"schedule", false,
          [](std::string_view text, Case& c) { return ReadSchedule(text, c.schedule); },
          [](const Case& c) { return Print(c.schedule); }},
    Field{"seed", false, [](std::string_view text, Case& c) { return ReadSeed(text, c.seed); },
          [](const Case& c) { return std::to_string(c.seed); }},
};

constexpr size_t kNoField = kFields.size();

size_t FindField(std::string_view name) {
  size_t n = 0;
  while (n < kFields.size() && kFields[n].name != name) ++n;
  return n;
}

std::string Quoted(std::string_view text) { return "'" + Printable(text) + "'"; }

Error At(size_t column, const std::string& message) {
  return {"column " + std::to_string(column + 1) + ": " + message};
}

std::string AllNames() {
  std::string names;
  for (const Field& field : kFields) AppendTo(names, field.name);
  return names;
}

/// Reads `name=value` into `c` and remembers in `seen` where; an empty message if all is well.
Error ReadToken(std::string_view token, size_t column, Case& c,
                std::array<size_t, kFields.size()>& seen) {
  const size_t equals = token.find('=');
  const size_t n = FindField(token.substr(0, equals));
  if (n == kNoField) {
    return At(column, Quoted(token) + ": expected name=value with a name of " + AllNames());
  }
  if (equals == std::string_view::npos) {
    return At(column, Quoted(token) + ": expected '=' and a value after the name");
  }
  if (seen[n] != std::string_view::npos) {
    return At(column, Quoted(token) + ": expected each field once, the first is at column " +
                          std::to_string(seen[n] + 1));
  }
  seen[n] = column;
  const std::string expected = kFields[n].read(token.substr(equals + 1), c);
  return expected.empty() ? Error{} : At(column, Quoted(token) + ": expected " + expected);
}

}  // namespace

std::string Print(const Schedule& schedule) {
  std::string text(NameOf(schedule.order));
  if (schedule.Draws()) text += ":" + std::to_string(schedule.seed);
  if (schedule.preempt != 0) text += ",preempt:" + std::to_string(schedule.preempt);
  return text;
}

std::string Print(const Case& c) {
  static const Case kDefaults;
  std::string line;
  for (const Field& field : kFields) {
    const std::string text = field.print(c);
    if (!field.required && text == field.print(kDefaults)) continue;
    if (!line.empty()) line += ' ';
    line += field.name;
    line += '=';
    line += text;
  }
  return line;
}

Result<Case> Parse(std::string_view line) {
  if (line.size() > kMaxLine) {
    return At(kMaxLine, "the line has " + std::to_string(line.size()) +
                            " characters: expected at most " + std::to_string(kMaxLine));
  }
  constexpr std::string_view kBlanks = " \t";
  Case c;
  std::array<size_t, kFields.size()> seen;
  seen.fill(std::string_view::npos);
  for (size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    Error error = ReadToken(line.substr(at, end - at), at, c, seen);
    if (!error.message.empty()) return error;
    at = line.find_first_not_of(kBlanks, end);
  }
  for (size_t n = 0; n < kFields.size(); ++n) {
    if (!kFields[n].required || seen[n] != std::string_view::npos) continue;
    return At(line.size(), "the line ends: expected also " + std::string(kFields[n].name) +
                               "=..., e.g. lens_q=1 lens_k=1 dim=1");
  }
  // Each field alone is in range by now; what is left concerns several at once.
  const std::string wrong = Validate(c);
  if (wrong.empty()) return c;
  const bool counts_differ = c.lens_q.size() != c.lens_k.size();
  return At(counts_differ ? seen[FindField("lens_k")] : 0, wrong);
}

}  // namespace padproof
